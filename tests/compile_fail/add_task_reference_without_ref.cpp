// SPDX-License-Identifier: MIT
//
// A parameter that is a reference would refer to the queue's copy of the argument: refused, as std::thread does, with
// the way out.
// covers: [E3][U5]
// expect: use std::ref to pass a reference

#include <toto/tasks.hpp>

void increment(int& number) {
  ++number;
}

void use(toto::TaskQueue& queue) {
  int number = 1;
  queue.add_task(increment, number);
}
