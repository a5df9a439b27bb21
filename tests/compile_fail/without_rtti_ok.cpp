// SPDX-License-Identifier: MIT
//
// Type information is not needed.
// covers: [R8]
// only: gcc, clang
// flags: -fno-rtti

#include <toto/tasks.hpp>

int sum() {
  toto::TaskQueue queue(2);
  auto handle = queue.yield_task([](int a, int b) { return a + b; }, 1, 2);
  return handle.get();
}
