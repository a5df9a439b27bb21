// SPDX-License-Identifier: MIT
//
// What it costs to compile a file that has a coroutine which awaits one task of a queue.

#include <toto/tasks.hpp>

toto::Task<int> sum(toto::TaskQueue& queue, int a, int b);

toto::Task<int> sum(toto::TaskQueue& queue, int a, int b) {
  co_return co_await queue.yield_task([a, b] { return a + b; });
}
