// SPDX-License-Identifier: MIT
//
// A temporary that owns something, as the callable or an argument of call().
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
#if defined(CLOSURE)
  co_await queue.call([text] { return text.size(); });
#elif defined(AGGREGATE)
  co_await queue.call(Append{text});
#elif defined(ARGUMENT)
  co_await queue.call(length, Append{text});
#endif
}
