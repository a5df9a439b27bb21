// SPDX-License-Identifier: MIT
//
// Saying where to continue does not save the temporary.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await queue.yield_task([text] { return text.size(); }).resume_on(queue);
}
