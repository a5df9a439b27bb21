// SPDX-License-Identifier: MIT
//
// The neighbours of yield_task_result_ignored.cpp that are no mistake.
// covers: [E10]
// flags: -Werror=unused-result

#include <toto/tasks.hpp>

int number() {
  return 1;
}

void use(toto::TaskQueue& queue) {
  queue.add_task(number);
  queue.yield_task(number).detach();
  auto handle = queue.yield_task(number);
  static_cast<void>(queue.yield_task(number));
}
