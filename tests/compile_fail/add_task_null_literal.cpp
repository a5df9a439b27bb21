// SPDX-License-Identifier: MIT
//
// A null that is known at compile time is refused there.
// covers: [U3][U5]
// expect: fn cannot be called with these arguments

#include <toto/tasks.hpp>

void use(toto::TaskQueue& queue) {
  queue.add_task(nullptr);
}
