// SPDX-License-Identifier: MIT
//
// What it costs to compile a file that submits one task to a queue.

#include <toto/tasks.hpp>

void submit(toto::TaskQueue& queue);

void submit(toto::TaskQueue& queue) {
  queue.add_task([] {});
}
