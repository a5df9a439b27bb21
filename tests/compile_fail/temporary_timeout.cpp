// SPDX-License-Identifier: MIT
//
// A limit of time does not save the temporary.
// covers: [G24]
// only: gcc<13
// each: CLOSURE AGGREGATE ARGUMENT
// expect: store the handle first

#include <toto/tasks.hpp>

#include <chrono>
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
  co_await queue.yield_task([text] { return text.size(); }).timeout(std::chrono::seconds(1));
#elif defined(AGGREGATE)
  co_await queue.yield_task(Append{text}).timeout(std::chrono::seconds(1));
#elif defined(ARGUMENT)
  co_await queue.yield_task(length, Append{text}).timeout(std::chrono::seconds(1));
#endif
}
