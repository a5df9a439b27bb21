// SPDX-License-Identifier: MIT
//
// A user's program: one of two translation units that include the library (the other is other.cpp).

#include <toto/tasks.hpp>

#include <cstdio>

int sum_in_other_unit();
toto::TaskQueue& queue_of_other_unit();

int main() {
  toto::TaskQueue queue(2);
  auto sum = queue.yield_task([](int a, int b) { return a + b; }, 1, 2);
  const bool here = sum.get() == 3;
  const bool there = sum_in_other_unit() == 7;
  const bool same = &toto::TaskQueue::instance("shared") == &queue_of_other_unit();
  std::printf("here: %s, in the other unit: %s, one registry: %s\n", here ? "yes" : "no", there ? "yes" : "no",
              same ? "yes" : "no");
  return here && there && same ? 0 : 1;
}
