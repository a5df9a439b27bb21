// SPDX-License-Identifier: MIT
//
// A task gets its token before its arguments.
// expect: toto: fn takes its StopToken last; let it be the first parameter

#include <toto/tasks.hpp>

int work(int number, toto::StopToken token) {
  return token.stop_requested() ? 0 : number;
}

void use(toto::TaskQueue& queue) {
  queue.add_task(work, 7);
}
