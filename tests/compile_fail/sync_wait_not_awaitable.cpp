// SPDX-License-Identifier: MIT
//
// What cannot be awaited: above all, a function that returns a Task.
// covers: [U5]
// expect: this cannot be awaited
// each: LAMBDA NUMBER LOOP

#include <toto/tasks.hpp>

void use([[maybe_unused]] toto::EventLoop& loop) {
  [[maybe_unused]] const auto coroutine = []() -> toto::Task<> { co_return; };
#if defined(LAMBDA)
  toto::sync_wait(coroutine);
#elif defined(NUMBER)
  toto::sync_wait(3);
#else
  loop.run_sync(coroutine);
#endif
}
