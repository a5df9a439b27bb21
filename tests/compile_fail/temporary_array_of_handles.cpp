// SPDX-License-Identifier: MIT
//
// An array of handles is itself an aggregate that owns something, whatever the handles come from.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <array>

int one() {
  return 1;
}

toto::Task<> use(toto::TaskQueue& queue) {
  co_await toto::when_all(std::array{queue.yield_task(one), queue.yield_task(one)});
}
