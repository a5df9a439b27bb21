// SPDX-License-Identifier: MIT
//
// covers: [G21][Q4]
//
// Coroutines without a home wait for the instance of a pool whose queue has ended, as at the end of a program. When it
// comes back, each passes it to the next; only some of them do so on top of each other, on one stack.

#include <atomic>
#include <chrono>
#include <optional>
#include <toto/tasks.hpp>

#include "support/coroutines.hpp"
#include "support/expect.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;

namespace {

constexpr int kWaiters = 100'000;
std::atomic<int> served{0};

FireAndForget use(toto::InstancePool<int>& pool) {
  const auto lease = co_await pool.lease();
  if (++served == kWaiters) {
    served.notify_all();
  }
}

}  // namespace

int main() {
  toto::InstancePool pool{1};
  std::optional lease(pool.instance());
  for (int i = 0; i < kWaiters; ++i) {
    use(pool);
  }
  expect(toto::TaskQueue::shutdown_instances(5s), "the pool's queue ends");
  lease.reset();
  for (int now = served; now < kWaiters; now = served) {
    served.wait(now);
  }
  return failures == 0 ? 0 : 1;
}
