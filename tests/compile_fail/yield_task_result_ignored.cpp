// SPDX-License-Identifier: MIT
//
// Dropping what yield_task returns is said to be a mistake, with the way to say that it is none.
// covers: [E10][G22]
// flags: -Werror=unused-result
// expect: dropping the handle detaches the task
// expect: use add_task

#include <toto/tasks.hpp>

void use(toto::TaskQueue& queue) {
  queue.yield_task([] { return 1; });
}
