// SPDX-License-Identifier: MIT
//
// Nor does awaiting all of them, or their first failure.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await toto::when_all_or_cancel(queue.yield_task([text] { return text.size(); }), queue.yield_task([] {}));
}
