// SPDX-License-Identifier: MIT
//
// A generic lambda is one, too.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await queue.yield_task([text](auto more) { return text.size() + more; }, 1);
}
