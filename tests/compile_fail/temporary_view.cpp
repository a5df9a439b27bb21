// SPDX-License-Identifier: MIT
//
// A temporary that owns something, given to a view of a queue.
// covers: [G24]
// only: gcc<13
// each: CLOSURE AGGREGATE ARGUMENT OPTIONS
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

toto::Task<> use(toto::QueueView<> view, std::string text) {
#if defined(CLOSURE)
  co_await view.yield_task([text] { return text.size(); });
#elif defined(AGGREGATE)
  co_await view.yield_task(Append{text});
#elif defined(ARGUMENT)
  co_await view.yield_task(length, Append{text});
#elif defined(OPTIONS)
  co_await view.with({.priority = 1}).yield_task([text] { return text.size(); });
#endif
}
