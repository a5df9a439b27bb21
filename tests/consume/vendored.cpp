// SPDX-License-Identifier: MIT
//
// A user's program beside a copy of include/toto in vendor/: no build system, no include path.

#include "vendor/toto/tasks.hpp"

int main() {
  toto::TaskQueue queue(2);
  auto sum = queue.yield_task([](int a, int b) { return a + b; }, 1, 2);
  return sum.get() == 3 ? 0 : 1;
}
