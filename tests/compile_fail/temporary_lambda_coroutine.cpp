// SPDX-License-Identifier: MIT
//
// A lambda that is a coroutine and owns something.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await queue.yield_task([text]() -> toto::Task<std::size_t> { co_return text.size(); });
}
