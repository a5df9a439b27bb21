// SPDX-License-Identifier: MIT
//
// covers: [R2]
// only: posix
//
// A process forks while threads of it hold and await instances of a pool. The child has what the forking thread had:
// what others hold stays leased there, none of them waits, and the pool continues with the rest.

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/sanitizers.hpp"
#include "support/scenarios.hpp"

using toto_tests::fork_and_wait;
using namespace toto_tests;

namespace {

struct Counter {
  int increment() { return ++value; }
  int value = 0;
};

toto::Task<> take(toto::InstancePool<Counter>& pool, int& taken) {
  auto lease = co_await pool.lease();
  ++taken;
}

}  // namespace

int main() {
  toto::InstancePool pool({Counter{}, Counter{}}, {.default_queue = "forked"});
  toto_tests::Gate held;
  toto_tests::Gate go_on;
  std::thread holder([&] {
    auto lease = pool.instance();
    held.open();
    go_on.wait();
  });
  held.wait();
  std::optional mine(pool.instance());
  std::thread waiter([&] { pool(&Counter::increment); });
  auto handle = pool.await_transaction(&Counter::increment);
  int taken = 0;
  toto::EventLoop loop;
  loop.spawn(take(pool, taken));
  loop.post([&loop] { loop.stop(); });
  loop.run();
  while (pool.stats().waiting < 3) {
    std::this_thread::yield();
  }

  // ThreadSanitizer allows no threads in the child; AddressSanitizer may have lost its allocator's lock to the parent.
  if (!toto_tests::kThreadSanitizer && !toto_tests::kAddressSanitizer) {
    expect(fork_and_wait([&] {
             const bool line = pool.stats().waiting == 1 && pool.stats().leased == 2;
             mine.reset();
             loop.run();  // the coroutine of the forking thread's loop is the only one that still waits
             const bool served = taken == 1 && pool.stats().free == 1;
             const bool works = pool(&Counter::increment) == 1;
             const int value = pool.await_transaction(&Counter::increment).get();
             _exit(!line ? 1 : !served ? 2 : !works ? 3 : value == 2 ? 7 : 4);
           }) == 7,
           "the child's pool goes on with the instances of the forking thread");
    expect(fork_and_wait([&] {
             pool.close();
             try {
               pool(&Counter::increment);
             } catch (const toto::PoolClosed&) {
               _exit(8);
             }
           }) == 8,
           "the child closes its pool");
  }

  mine.reset();
  loop.run();
  go_on.open();
  holder.join();
  waiter.join();
  expect(taken == 1 && handle.get() > 0, "whoever waited in the parent was served");
  return failures == 0 ? 0 : 1;
}
