// SPDX-License-Identifier: MIT
//
// A named lambda that is moved cannot be told from a temporary; not_a_temporary can.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>
#include <utility>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  auto work = [text] { return text.size(); };
  co_await queue.yield_task(std::move(work));
}
