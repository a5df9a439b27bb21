// SPDX-License-Identifier: MIT
//
// A mutable lambda is one, too.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await queue.yield_task([text]() mutable { return text.append("!").size(); });
}
