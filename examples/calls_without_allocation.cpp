// SPDX-License-Identifier: MIT
//
// call() is yield_task() without a handle: callable, arguments and result live in the frame of the coroutine that
// awaits it, so nothing is allocated. The price: destroying the coroutine meanwhile also removes the task.

#include <latch>
#include <toto/tasks.hpp>

#include "expect.hpp"

int look_up(int key) {
  return 2 * key;
}

toto::Task<int> sum(toto::TaskQueue& queue, int count) {
  int total = 0;
  for (int key = 0; key < count; ++key) {
    total += co_await queue.call(look_up, key);
  }
  co_return total;
}

void take_the_task_along(toto::TaskQueue& queue) {
  std::latch running(1);
  std::latch go_on(1);
  queue.add_task([&] {
    running.count_down();
    go_on.wait();
  });
  running.wait();
  {
    toto::EventLoop loop;
    loop.spawn([](toto::TaskQueue& tasks) -> toto::Task<> { co_await tasks.call([] {}); }(queue));
    loop.post([&] { loop.stop(); });
    loop.run();
    expect(queue.stats().queued == 1, "the call is queued");
  }  // destroys the coroutine
  expect(queue.stats().queued == 0, "and is removed with the coroutine, whose frame held it");
  go_on.count_down();
  queue.wait_idle();
}

int main() {
  toto::TaskQueue queue({.name = "tables"});
  expect(toto::sync_wait(sum(queue, 1000)) == 999000, "call() yields the result, as yield_task() does");
  take_the_task_along(queue);
}
