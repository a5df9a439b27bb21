// SPDX-License-Identifier: MIT
//
// The neighbour of add_task_reference_without_ref.cpp that is no mistake.
// covers: [E3]

#include <toto/tasks.hpp>

#include <functional>

void increment(int& number) {
  ++number;
}

void use(toto::TaskQueue& queue) {
  int number = 1;
  queue.add_task(increment, std::ref(number));
}
