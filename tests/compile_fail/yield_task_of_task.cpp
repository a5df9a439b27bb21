// SPDX-License-Identifier: MIT
//
// A queue runs the function that returns a Task or a value, not what it returns.
//
// each: OF_TASK OF_VALUE OF_ENUM
// expect: pass the function that returns it, and its arguments

#include <toto/tasks.hpp>

enum class Colour { red };

toto::Task<int> twice(int number) {
  co_return 2 * number;
}

void use(toto::TaskQueue& queue) {
#if defined(OF_TASK)
  auto handle = queue.yield_task(twice(3));
#elif defined(OF_VALUE)
  auto handle = queue.yield_task(1 + 2);
#else
  queue.add_task(Colour::red);
#endif
}
