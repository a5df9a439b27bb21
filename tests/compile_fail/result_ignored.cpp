// SPDX-License-Identifier: MIT
//
// What has to be awaited says so when it is dropped.
// covers: [G22]
// flags: -Werror=unused-result -Werror=unused-value
// expect: a Task does nothing until it is awaited
// expect: only then does the coroutine continue on the queue
// expect: calling sleep_for alone does not wait
// expect: nothing happens unless this is awaited
// expect: tasks do not start, and handles are not waited for

#include <toto/tasks.hpp>

#include <chrono>

int number() {
  return 1;
}
toto::Task<> coroutine() {
  co_return;
}

void use(toto::TaskQueue& queue) {
  coroutine();
  queue.schedule();
  toto::sleep_for(std::chrono::seconds(1));
  queue.yield_task(number).resume_on(queue);
  toto::when_all(queue.yield_task(number), coroutine());
}
