// SPDX-License-Identifier: MIT
//
// What it costs to compile a program that submits one task to this library.

#include <toto/tasks.hpp>

int main() {
  toto::TaskQueue queue(1);
  queue.add_task([] {});
}
