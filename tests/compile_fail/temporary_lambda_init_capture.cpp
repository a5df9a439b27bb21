// SPDX-License-Identifier: MIT
//
// A lambda that owns something it made itself.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <memory>

toto::Task<> use(toto::TaskQueue& queue) {
  co_await queue.yield_task([owned = std::make_unique<int>(1)] { return *owned; });
}
