// SPDX-License-Identifier: MIT
//
// What it costs to compile a program that makes a queue, and submits one task to it.

#include <toto/tasks.hpp>

int main() {
  toto::TaskQueue queue(1);
  queue.add_task([] {});
}
