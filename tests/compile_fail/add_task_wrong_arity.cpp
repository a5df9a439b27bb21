// SPDX-License-Identifier: MIT
//
// Too many arguments for the callable: one sentence says so.
// covers: [U5]
// expect: fn cannot be called with these arguments

#include <toto/tasks.hpp>

void use(toto::TaskQueue& queue) {
  queue.add_task([](int) {}, 1, 2);
}
