// SPDX-License-Identifier: MIT
//
// Awaiting the outcomes of several does not save the temporary.
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
  co_await toto::when_all_settled(queue.yield_task([] {}), queue.yield_task([text] { return text.size(); }));
#elif defined(AGGREGATE)
  co_await toto::when_all_settled(queue.yield_task(Append{text}));
#elif defined(ARGUMENT)
  co_await toto::when_all_settled(queue.yield_task([] {}), queue.yield_task(length, Append{text}));
#endif
}
