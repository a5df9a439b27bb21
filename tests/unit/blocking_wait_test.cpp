// SPDX-License-Identifier: MIT
//
// Waiting for a handle with a thread: get, wait, wait_for, wait_until, ready. Waits that can never end are in
// deadlock_test.cpp.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <ratio>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

TEST_CASE("get waits, gives the result and empties the handle, and a second get is refused in words",
          "[blocking][J1]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto handle = queue.yield_task([] { return 1; });
  CHECK_FALSE(handle.ready());
  std::thread releaser([&] { worker.release(); });
  CHECK(handle.get() == 1);
  releaser.join();
  CHECK_FALSE(handle.valid());
  CHECK_THROWS_AS(handle.get(), toto::NoState);
  CHECK_THROWS_WITH(handle.get(), contains("result taken"));
}

TEST_CASE("get throws what the task threw, once", "[blocking][J1]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([]() -> int { throw std::out_of_range("far"); });
  CHECK_THROWS_AS(handle.get(), std::out_of_range);
  CHECK_THROWS_AS(handle.get(), toto::NoState);
}

TEST_CASE("waiting leaves the result in the handle", "[blocking][J1]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([] { return 2; });
  handle.wait();
  handle.wait();
  CHECK(handle.wait_for(0s));
  CHECK(handle.wait_until(Steady::now()));
  CHECK(handle.ready());
  CHECK(handle.valid());
  CHECK(handle.get() == 2);
}

TEST_CASE("zero, negative and past limits only look", "[blocking][J2]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto handle = queue.yield_task([] { return 3; });
  const auto begin = Steady::now();
  CHECK_FALSE(handle.wait_for(0s));
  CHECK_FALSE(handle.wait_for(-1s));
  CHECK_FALSE(handle.wait_for(std::chrono::nanoseconds::min()));
  CHECK_FALSE(handle.wait_for(std::chrono::hours::min()));
  CHECK_FALSE(handle.wait_for(std::chrono::duration<double>(-1e300)));
  CHECK_FALSE(handle.wait_until(Steady::time_point()));
  CHECK_FALSE(handle.wait_until(Steady::time_point::min()));
  CHECK_FALSE(handle.wait_until(std::chrono::system_clock::time_point()));
  CHECK_FALSE(handle.wait_until(std::chrono::system_clock::now() - 1h));
  CHECK(Steady::now() - begin < kPatience);
  worker.release();
  handle.wait();
  CHECK(handle.wait_for(0s));
  CHECK(handle.wait_for(std::chrono::hours::min()));
  CHECK(handle.wait_until(Steady::time_point::min()));
}

TEST_CASE("the earliest time of another clock is in the past, too", "[blocking][J2]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto handle = queue.yield_task([] {});
  CHECK_FALSE(handle.wait_until(std::chrono::system_clock::time_point::min()));
}

TEST_CASE("a point in time may be counted in any unit, the earliest one is in the past", "[blocking][J2]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto handle = queue.yield_task([] {});
  const auto earliest = [&]<class Clock>(Clock) {
    CHECK_FALSE(handle.wait_until(std::chrono::time_point<Clock, std::chrono::microseconds>::min()));
    CHECK_FALSE(handle.wait_until(std::chrono::time_point<Clock, std::chrono::milliseconds>::min()));
    CHECK_FALSE(handle.wait_until(std::chrono::time_point<Clock, std::chrono::seconds>::min()));
    CHECK_FALSE(handle.wait_until(std::chrono::time_point<Clock, std::chrono::hours>::min()));
    CHECK_FALSE(handle.wait_until(std::chrono::time_point<Clock, std::chrono::duration<double>>::min()));
    CHECK_FALSE(handle.wait_until(std::chrono::time_point<Clock, std::chrono::hours>()));
    CHECK_FALSE(handle.wait_until(std::chrono::time_point_cast<std::chrono::hours>(Clock::now())));
  };
  earliest(Steady());
  earliest(std::chrono::system_clock());
  const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_AS(handle.wait_until(std::chrono::time_point<Steady, std::chrono::duration<double>>(nan)),
                  std::invalid_argument);
  CHECK_THROWS_WITH(
      handle.wait_until(std::chrono::time_point<std::chrono::system_clock, std::chrono::duration<double>>(nan)),
      contains("deadline is NaN"));
}

TEST_CASE("the longest limits there are do not overflow: they wait for the end", "[blocking][J2]") {
  toto::TaskQueue queue;
  const auto wait = [&](auto how) {
    HeldWorker worker(queue);
    auto handle = queue.yield_task([] {});
    Gate waiting;
    std::thread releaser([&] {
      waiting.wait();
      worker.release();
    });
    waiting.open();
    const bool over = how(handle);
    releaser.join();
    return over;
  };
  CHECK(wait([](auto& handle) { return handle.wait_for(std::chrono::nanoseconds::max()); }));
  CHECK(wait([](auto& handle) { return handle.wait_for(std::chrono::hours::max()); }));
  CHECK(wait([](auto& handle) { return handle.wait_for(toto::Duration::never()); }));
  CHECK(wait([](auto& handle) {
    return handle.wait_for(std::chrono::duration<double>(std::numeric_limits<double>::infinity()));
  }));
  CHECK(wait([](auto& handle) { return handle.wait_until(Steady::time_point::max()); }));
  CHECK(wait([](auto& handle) { return handle.wait_until(std::chrono::system_clock::time_point::max()); }));
  CHECK(wait([](auto& handle) { return handle.wait_until(std::chrono::system_clock::now() + 1h); }));

  const auto latest = [&]<class Clock>(Clock) {
    const auto wait_in = [&]<class Length>(Length) {
      return wait([](auto& handle) { return handle.wait_until(std::chrono::time_point<Clock, Length>::max()); });
    };
    CHECK(wait_in(std::chrono::microseconds()));
    CHECK(wait_in(std::chrono::milliseconds()));
    CHECK(wait_in(std::chrono::seconds()));
    CHECK(wait_in(std::chrono::hours()));
    CHECK(wait_in(std::chrono::duration<double>()));
    CHECK(wait([](auto& handle) {
      return handle.wait_until(std::chrono::time_point_cast<std::chrono::hours>(Clock::now()) + std::chrono::hours(2));
    }));
  };
  latest(Steady());
  latest(std::chrono::system_clock());
}

// Duration: neither is what comes in between too long. A sixtieth of a second is 50,000,000 / 3 ns.
using Frames = std::chrono::duration<std::int64_t, std::ratio<1, 60>>;
static_assert(toto::Duration(Frames(60)) == toto::Duration(1s));
static_assert(toto::Duration(Frames(100)).nanoseconds() == 1'666'666'666ns);
static_assert(toto::Duration(Frames(-100)).nanoseconds() == -1'666'666'666ns);
static_assert(toto::Duration(Frames(std::int64_t{60} * 9'000'000'000)).nanoseconds() == 9'000'000'000s);
static_assert(toto::Duration(Frames::max()).is_never());
static_assert(toto::Duration(Frames::min()).is_negative());
static_assert(toto::Duration(std::chrono::nanoseconds::max() - 1ns).nanoseconds() ==
              std::chrono::nanoseconds::max() - 1ns);
static_assert(toto::Duration(std::chrono::duration<std::uint64_t, std::nano>(std::numeric_limits<std::uint64_t>::max()))
                  .is_never());

TEST_CASE("NaN as a limit is refused by name", "[blocking][J2][U2]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([] {});
  const std::chrono::duration<double> nan(std::numeric_limits<double>::quiet_NaN());
  CHECK_THROWS_AS(handle.wait_for(nan), std::invalid_argument);
  CHECK_THROWS_WITH(handle.wait_for(nan), contains("NaN"));
}

TEST_CASE("a limited wait lasts as long as it says, and the handle is as good as before", "[blocking][J3]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto handle = queue.yield_task([] { return 4; });
  const auto begin = Steady::now();
  CHECK_FALSE(handle.wait_for(20ms));
  CHECK(Steady::now() - begin >= 20ms);
  CHECK_FALSE(handle.wait_until(Steady::now() + 5ms));
  CHECK_FALSE(handle.wait_until(std::chrono::system_clock::now() + 5ms));
  CHECK(handle.valid());
  CHECK_FALSE(handle.ready());
  worker.release();
  CHECK(handle.wait_for(kPatience));
  CHECK(handle.get() == 4);
}

TEST_CASE("a handle whose wait timed out can be awaited, dropped and cancelled", "[blocking][J3]") {
  Lifetimes results;
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto awaited = queue.yield_task([] { return 5; });
  auto dropped = queue.yield_task([&] { return Counted(results); });
  auto cancelled = queue.yield_task([] {});
  CHECK_FALSE(awaited.wait_for(1ms));
  CHECK_FALSE(dropped.wait_for(1ms));
  CHECK_FALSE(cancelled.wait_for(1ms));
  CHECK(cancelled.cancel());
  std::move(dropped).detach();
  loop.post([&] { worker.release(); });
  CHECK(loop.run_sync(awaited) == 5);
  queue.wait_idle();
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("a wait that times out while the task ends leaves a consistent state", "[blocking][J4]") {
  toto::TaskQueue queue;
  int timed_out = 0;
  int in_time = 0;
  bool consistent = true;
  for (int i = 0; i < scaled(3'000, 1'000); ++i) {
    auto handle = queue.yield_task([i] { return i; });
    // From hopeless to ample; mostly around the time that a hand-over takes.
    const bool over = handle.wait_for(i % 10 == 9 ? toto::Duration(1s) : std::chrono::nanoseconds(i % 100 * 500));
    ++(over ? in_time : timed_out);
    consistent = consistent && (!over || handle.ready()) && handle.get() == i;
  }
  CHECK(consistent);
  CHECK(timed_out > 0);
  CHECK(in_time > 0);
}

TEST_CASE("a waiter may destroy handle and state as soon as it is woken", "[blocking][J5]") {
  std::atomic<int> sum{0};
  toto::TaskQueue queue(2);
  Threads threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.start([&] {
      for (int i = 0; i < scaled(3'000, 1'000); ++i) {
        sum += queue.yield_task([] { return 1; }).get();  // the temporary goes at once
        auto handle = std::make_unique<toto::TaskHandle<int>>(queue.yield_task([] { return 1; }));
        while (!handle->ready()) {
          std::this_thread::yield();
        }
        handle.reset();
      }
    });
  }
  threads.join();
  CHECK(sum == 3 * scaled(3'000, 1'000));
}

TEST_CASE("a waiter may destroy the queue as soon as it is woken", "[blocking][J5]") {
  for (int i = 0; i < scaled(500, 200); ++i) {
    std::optional<toto::TaskQueue> queue(std::in_place, 1);
    auto handle = queue->yield_task([] { return 1; });
    handle.wait();
    queue.reset();
    REQUIRE(handle.get() == 1);
  }
}

TEST_CASE("eight threads may wait on one handle and look at it", "[blocking][J6]") {
  std::atomic<int> woken{0};
  std::atomic<int> timed_out{0};
  Arrivals waiting;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  const auto handle = queue.yield_task([] { return 6; });
  Threads threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.start([&, thread] {
      waiting.arrive();
      if (thread % 4 == 3) {
        timed_out += handle.wait_for(1ms) ? 0 : 1;
      }
      if (thread % 2 == 0) {
        handle.wait();
      } else {
        while (!handle.wait_for(10ms)) {
        }
      }
      woken += handle.ready() ? 1 : 0;
    });
  }
  REQUIRE(waiting.wait_for(8));
  CHECK_FALSE(handle.ready());
  worker.release();
  threads.join();
  CHECK(woken == 8);
}

TEST_CASE("ready tells the truth while the task ends", "[blocking][J6]") {
  toto::TaskQueue queue;
  for (int i = 0; i < scaled(3'000, 1'000); ++i) {
    int written = 0;
    auto handle = queue.yield_task([&] { written = i; });
    while (!handle.ready()) {
    }
    REQUIRE(written == i);  // ordered by ready() alone
  }
}

TEST_CASE("get of a task that was cancelled or discarded throws TaskCancelled, at once", "[blocking][J8]") {
  toto::TaskQueue queue({.name = "hasty"});
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto cancelled = queue.yield_task([] { return 7; });
  auto discarded = queue.yield_task([] { return 8; });
  CHECK(cancelled.cancel());
  CHECK(queue.cancel_queued() == 1);
  CHECK(cancelled.ready());
  CHECK(discarded.ready());
  CHECK_THROWS_AS(cancelled.get(), toto::TaskCancelled);
  CHECK_THROWS_WITH(discarded.get(), contains("hasty"));
  CHECK_THROWS_AS(discarded.get(), toto::NoState);
}

TEST_CASE("a thread that waits is woken when the task is cancelled, discarded or closed away", "[blocking][J8]") {
  Gate waiting;
  std::atomic<bool> told{false};
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto handle = queue.yield_task([] {});
  std::thread waiter([&] {
    waiting.open();
    try {
      handle.get();
    } catch (const toto::TaskCancelled&) {
      told = true;
    }
  });
  REQUIRE(waiting.wait());
  SECTION("discarded") {
    queue.cancel_queued();
  }
  SECTION("closed away") {
    queue.close(toto::Pending::cancel);
  }
  waiter.join();
  CHECK(told);
}

namespace {

/// Happens once, and resumes the coroutine that waits for it on the thread on which it happens.
class Event {
 public:
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept {
    coroutine_ = coroutine;
    awaited_.open();
  }
  static void await_resume() noexcept {}

  bool wait_until_awaited() { return awaited_.wait(); }
  void happen() { coroutine_.resume(); }

 private:
  std::coroutine_handle<> coroutine_;
  Gate awaited_;
};

toto::Task<int> seven_after(Event& event) {
  co_await event;
  co_return 7;
}

}  // namespace

TEST_CASE("a task that blocks lets the coroutine tasks end first that have come to their end on its thread",
          "[blocking]") {
  // A second thread of the queue is idle, but does not know of them.
  Event event;
  toto::TaskQueue queue(2);
  toto::TaskQueue other({.max_queued = 1});
  auto seven = queue.yield_task(seven_after, std::ref(event));
  REQUIRE(event.wait_until_awaited());
  SECTION("on another queue's idleness") {
    other.add_task([&] { seven.wait(); });
    CHECK(queue
              .yield_task([&] {
                event.happen();
                return other.wait_idle_for(kPatience);
              })
              .get());
  }
  SECTION("on another queue's room") {
    other.add_task([&] { seven.wait(); });
    const auto fill = [&other] { return other.try_add_task([] {}) && other.stats().running == 1; };
    REQUIRE(eventually(fill));
    CHECK(queue
              .yield_task([&] {
                event.happen();
                return other.try_add_task_for(kPatience, [] {});
              })
              .get());
  }
  SECTION("on another queue's end") {
    std::atomic<bool> in_time{false};
    queue
        .yield_task([&] {
          toto::TaskQueue inner;
          inner.add_task([&] { in_time = seven.wait_for(kPatience); });
          event.happen();
        })
        .get();
    CHECK(in_time);
  }
  SECTION("in a loop of its own") {
    const auto take = [](Event& happening, toto::TaskHandle<int>& handle) -> toto::Task<int> {
      happening.happen();
      co_return co_await handle;
    };
    CHECK(queue
              .yield_task([&] {
                toto::EventLoop loop;
                loop.call_later(kPatience, [&loop] { loop.stop(); });
                return loop.run_sync(take(event, seven));
              })
              .get() == 7);
  }
}
