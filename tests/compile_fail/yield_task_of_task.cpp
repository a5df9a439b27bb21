// SPDX-License-Identifier: MIT
//
// A queue runs the function that returns a Task, not the Task.
//
// expect: pass the function that returns it, and its arguments

#include <toto/tasks.hpp>

toto::Task<int> twice(int number) {
  co_return 2 * number;
}

void use(toto::TaskQueue& queue) {
  auto handle = queue.yield_task(twice(3));
}
