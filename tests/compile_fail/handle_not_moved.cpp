// SPDX-License-Identifier: MIT
//
// A handle that is given away must be moved explicitly; the declaration that the compiler shows says how.
//
// expect: say std::move.handle..timeout

#include <toto/tasks.hpp>

toto::Task<int> use(toto::TaskQueue& queue) {
  auto handle = queue.yield_task([] { return 1; });
  co_return co_await handle.timeout(std::chrono::seconds(1));
}
