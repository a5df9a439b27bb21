// SPDX-License-Identifier: MIT
//
// Awaiting the first of several does not save the temporary.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await toto::when_any(queue.yield_task([] { return 1; }), queue.yield_task([text] { return text.size(); }));
}
