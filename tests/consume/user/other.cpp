// SPDX-License-Identifier: MIT
//
// The second translation unit: uses the same templates, so that a definition that is not inline shows at linking.

#include <toto/tasks.hpp>

int sum_in_other_unit();
toto::TaskQueue& queue_of_other_unit();

int sum_in_other_unit() {
  toto::TaskQueue queue(2);
  return queue.yield_task([](int a, int b) { return a + b; }, 3, 4).get();
}

toto::TaskQueue& queue_of_other_unit() {
  return toto::TaskQueue::instance("shared");
}
