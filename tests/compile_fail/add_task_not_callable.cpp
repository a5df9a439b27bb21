// SPDX-License-Identifier: MIT
//
// Something that is no callable at all.
// covers: [U5]
// expect: fn cannot be called with these arguments

#include <toto/tasks.hpp>

void use(toto::TaskQueue& queue) {
  struct Nothing {};
  queue.add_task(Nothing());
}
