// SPDX-License-Identifier: MIT
//
// A temporary that owns something, for which there was room.
// covers: [G24]
// only: gcc<13
// each: CLOSURE AGGREGATE ARGUMENT
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

struct Append {
  std::string suffix;
  std::size_t operator()() const { return suffix.size(); }
};
std::size_t length(const Append& append) {
  return append();
}

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  auto room = co_await queue.admission();
#if defined(CLOSURE)
  co_await room.yield_task([text] { return text.size(); });
#elif defined(AGGREGATE)
  co_await room.yield_task(Append{text});
#elif defined(ARGUMENT)
  co_await room.yield_task(length, Append{text});
#endif
}
