// SPDX-License-Identifier: MIT
//
// Blocking waits in tasks, for tasks of the same queue: refused when they could never end, and only then.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// Runs `body` as a task of `queue`; gives what it threw as a DeadlockError, or "". If it hangs: "it hangs", after
/// helping it out.
template <class Body>
std::string deadlock_of(toto::TaskQueue& queue, Body body) {
  auto handle = queue.yield_task([body = std::move(body)]() mutable {
    try {
      body();
    } catch (const toto::DeadlockError& error) {
      return std::string(error.what());
    } catch (const toto::TaskCancelled&) {
      return std::string("it had to be cancelled");
    }
    return std::string();
  });
  if (!handle.wait_for(kPatience / 4)) {
    queue.cancel_queued();
    return "it hangs";
  }
  return handle.get();
}

}  // namespace

TEST_CASE("get in a task of a one-thread queue, for another task of it, is refused in words", "[deadlock][M1]") {
  toto::TaskQueue queue({.name = "narrow"});
  toto::TaskHandle<int> kept;
  const std::string words = deadlock_of(queue, [&] {
    kept = queue.yield_task([] { return 1; });
    kept.get();
  });
  CHECK_THAT(words, contains("narrow"));
  CHECK_THAT(words, contains("co_await"));
  CHECK(kept.valid());  // the handle keeps its task, and that still runs
  CHECK(kept.get() == 1);
}

TEST_CASE("wait and sync_wait are refused where get is", "[deadlock][M1]") {
  toto::TaskQueue queue;
  CHECK_FALSE(deadlock_of(queue, [&] { queue.yield_task([] {}).wait(); }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] {
                queue.yield_task([] {}).wait_until(std::chrono::steady_clock::time_point::max());
              }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] { toto::sync_wait(queue.yield_task([] {})); }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] {
                auto handle = queue.yield_task([] {});
                toto::sync_wait(handle);
              }).empty());
}

TEST_CASE("wait_idle in a task of the queue is refused", "[deadlock][M1]") {
  toto::TaskQueue queue;
  CHECK_FALSE(deadlock_of(queue, [&] { queue.wait_idle(); }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] { queue.wait_idle_for(1ms); }).empty());
}

TEST_CASE("waiting in a task for a finished task of the same queue is no deadlock", "[deadlock][M1]") {
  toto::TaskQueue queue;
  auto over = queue.yield_task([] { return 1; });
  over.wait();
  int value = 0;
  CHECK(deadlock_of(queue, [&] { value = over.get(); }).empty());
  CHECK(value == 1);
}

TEST_CASE("limited waits in a task are never refused: they end by themselves", "[deadlock][M1]") {
  toto::TaskQueue queue;
  bool over = true;
  CHECK(deadlock_of(queue, [&] {
          auto handle = queue.yield_task([] {});
          over = handle.wait_for(5ms) || handle.wait_until(std::chrono::steady_clock::now() + 5ms);
        }).empty());
  CHECK_FALSE(over);
}

TEST_CASE("with another worker to run it, waiting for a task of one's own queue works", "[deadlock][M1]") {
  toto::TaskQueue queue(2);
  for (int i = 0; i < 200; ++i) {
    int value = 0;
    REQUIRE(deadlock_of(queue, [&] { value = queue.yield_task([] { return 1; }).get(); }).empty());
    REQUIRE(value == 1);
  }
}

TEST_CASE("waiting in a task for a task of another queue works, and the other way round", "[deadlock][M1]") {
  toto::TaskQueue first;
  toto::TaskQueue second;
  CHECK(first.yield_task([&] { return second.yield_task([] { return 1; }).get(); }).get() == 1);
  CHECK(second.yield_task([&] { return first.yield_task([] { return 2; }).get(); }).get() == 2);
}

TEST_CASE("tasks that block on each other's successors until no worker is left: the last one is told, and all go on",
          "[deadlock][M2]") {
  for (int round = 0; round < 50; ++round) {
    toto::TaskQueue queue(2);
    Meeting here(2);
    Meeting queued(2);
    std::atomic<int> told{0};
    const auto block = [&] {
      here.arrive_and_wait();  // on both workers
      auto successor = queue.yield_task([] { return 1; });
      queued.arrive_and_wait();
      try {
        return successor.get();
      } catch (const toto::DeadlockError&) {
        ++told;
        return 0;
      }
    };
    auto first = queue.yield_task(block);
    auto second = queue.yield_task(block);
    REQUIRE(first.wait_for(kPatience));
    REQUIRE(second.wait_for(kPatience));
    CHECK(first.get() + second.get() == 1);
    CHECK(told == 1);
  }
}

TEST_CASE("a worker that merely takes its time is no deadlock", "[deadlock][M2]") {
  toto::TaskQueue queue(2);
  Gate go;
  Gate begun;
  auto slow = queue.yield_task([&] {
    begun.open();
    go.wait();
    return 1;
  });
  REQUIRE(begun.wait());
  auto waiter = queue.yield_task([&] { return slow.get(); });  // both workers are taken, one of them for a while
  CHECK_FALSE(waiter.wait_for(10ms));
  go.open();
  CHECK(waiter.get() == 1);
}

TEST_CASE("a limited wait of the other worker does not make a wait hopeless", "[deadlock][M2]") {
  toto::TaskQueue queue(2);
  Gate both;
  auto limited = queue.yield_task([&] {
    auto behind = queue.yield_task([] {});
    both.wait();
    return behind.wait_for(50ms);
  });
  auto unlimited = queue.yield_task([&] {
    auto behind = queue.yield_task([] { return 1; });
    both.open();
    return behind.get();
  });
  CHECK(unlimited.get() == 1);
  limited.get();
}

TEST_CASE("co_await in the same place works, with one thread", "[deadlock][M3]") {
  toto::TaskQueue queue;
  const auto await = [](toto::TaskQueue& mine) -> toto::Task<int> {
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
      sum += co_await mine.yield_task([] { return 1; });
    }
    const auto [a, b] = co_await toto::when_all(mine.yield_task([] { return 1; }), mine.yield_task([] { return 1; }));
    co_return sum + a + b;
  };
  CHECK(queue.yield_task(await, std::ref(queue)).get() == 102);
}

TEST_CASE("a continuation that blocks on its own queue is told, and not left hanging", "[deadlock][H7]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Gate over;
  bool told = false;
  int value = 0;
  [](toto::TaskQueue& mine, bool& refused, int& got, Gate& done) -> FireAndForget {
    co_await mine.yield_task([] {});
    auto next = mine.yield_task([] { return 1; });
    try {
      next.get();
    } catch (const toto::DeadlockError&) {
      refused = true;
    }
    got = co_await next;
    done.open();
  }(queue, told, value, over);
  worker.release();
  REQUIRE(over.wait());
  CHECK(told);
  CHECK(value == 1);
}

TEST_CASE("a coroutine task that blocks on its own one-thread queue is told", "[deadlock][H7][M1]") {
  toto::TaskQueue queue;
  const auto block = [](toto::TaskQueue& mine) -> toto::Task<bool> {
    co_await mine.schedule();
    auto next = mine.yield_task([] {});
    try {
      next.get();
    } catch (const toto::DeadlockError&) {
      co_return true;
    }
    co_return false;
  };
  CHECK(queue.yield_task(block, std::ref(queue)).get());
}

TEST_CASE("two queues whose only workers wait for each other: one of the waits is refused, with the cycle in its text",
          "[task_queue][deadlock][M4]") {
  toto::TaskQueue first(1, 60s, "first");
  toto::TaskQueue second(1, 60s, "second");
  Gate both;
  Arrivals begun;
  std::atomic<int> told{0};
  std::string words;
  const auto wait_for = [&](toto::TaskQueue& other) {
    begun.arrive();
    both.wait();
    try {
      return other.yield_task([] { return 1; }).get();
    } catch (const toto::DeadlockError& error) {
      if (++told == 1) {
        words = error.what();
      }
      return 2;
    }
  };
  auto one = first.yield_task([&] { return wait_for(second); });
  auto other = second.yield_task([&] { return wait_for(first); });
  REQUIRE(begun.wait_for(2));
  both.open();
  const int sum = one.get() + other.get();
  REQUIRE(told == 1);  // the one that is refused ends, and lets the other go on
  REQUIRE(sum == 3);
  CHECK_THAT(words, contains("of queue 'first' w"));
  CHECK_THAT(words, contains("for a task of queue 'second'"));
  CHECK_THAT(words, contains("of queue 'second' w"));
  CHECK_THAT(words, contains("for a task of queue 'first'"));
}

TEST_CASE("a chain of waits over three queues that ends at a free worker is not refused",
          "[task_queue][deadlock][M4]") {
  toto::TaskQueue first(1);
  toto::TaskQueue second(1);
  toto::TaskQueue third(1);
  auto handle = first.yield_task(
      [&] { return second.yield_task([&] { return third.yield_task([] { return 7; }).get(); }).get(); });
  REQUIRE(handle.get() == 7);
}

TEST_CASE("waits across queues that have a limit are never refused", "[task_queue][deadlock][M4]") {
  toto::TaskQueue first(1);
  toto::TaskQueue second(1);
  auto handle =
      first.yield_task([&] { return second.yield_task([&] { return first.yield_task([] {}).wait_for(10ms); }).get(); });
  REQUIRE_FALSE(handle.get());
}
