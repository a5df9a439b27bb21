// SPDX-License-Identifier: MIT

#include <toto/tasks.hpp>

int main() {
  toto::TaskQueue queue(2);
  auto sum = queue.yield_task([](int a, int b) { return a + b; }, 1, 2);
  return sum.get() == 3 ? 0 : 1;
}
