// SPDX-License-Identifier: MIT
//
// A hundred thousand handles awaited, dropped, moved and waited for, and their coroutines destroyed, before, while and
// after the task runs: no result is lost or destroyed twice, no coroutine is resumed that should not be, and the
// sanitizers find nothing.

#include <toto/tasks.hpp>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;

namespace {

const int kHandles = scaled(100'000, 10'000);

/// A fixed sequence of numbers that look random.
class Numbers {
 public:
  explicit Numbers(std::uint32_t seed) noexcept : state_(seed) {}
  std::uint32_t next() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  std::uint32_t below(std::uint32_t bound) noexcept { return next() % bound; }

 private:
  std::uint32_t state_;
};

/// About as long as a hand-over between threads takes, or less, or nothing.
void linger(std::uint32_t amount) {
  static std::atomic<std::uint32_t> sink{0};
  for (std::uint32_t i = 0; i < amount; ++i) {
    sink.store(i, std::memory_order_relaxed);
  }
}

/// What a task does: lingers, and gives a result or, seldom, fails.
struct Work {
  Lifetimes* results;
  std::uint32_t delay;
  bool fails;

  Counted operator()() const {
    linger(delay);
    if (fails) {
      throw std::runtime_error("one of many");
    }
    return Counted(*results);
  }
};

/// Continues after its await, with a result or a failure, and counts that.
template <class Awaitable>
Owned count_after(Awaitable awaitable, std::atomic<int>& resumed) {
  try {
    const auto result = co_await awaitable;
    ++resumed;
  } catch (const std::runtime_error&) {
    ++resumed;
  }
}

toto::Task<> take(toto::TaskHandle<Counted> handle) {
  try {
    const Counted result = co_await handle;
  } catch (const std::runtime_error&) {
  }
}

/// What a coroutine on a loop does to `count` handles, one after the other. Everything it starts has that loop as home.
class AnyTime {
 public:
  AnyTime(toto::TaskQueue& queue, Lifetimes& results) : queue_(queue), results_(results) {}

  toto::Task<> run(int count) {
    for (int i = 0; i < count; ++i) {
      toto::TaskHandle<Counted> handle =
          queue_.yield_task(Work{&results_, numbers_.below(300), numbers_.below(50) == 0});
      linger(numbers_.below(300));
      switch (numbers_.below(8)) {
        case 0:
          co_await take(std::move(handle));
          break;
        case 1:
          wait_for(std::move(handle));
          break;
        case 2:
          keep(std::move(handle));
          break;
        case 3:
          static_cast<void>(handle.cancel());  // and dropped
          break;
        case 4:
          destroy_coroutine_soon(count_after(std::move(handle), resumed_));
          break;
        case 5:
          keep(count_after(std::move(handle), resumed_));
          break;
        case 6: {
          toto::TaskHandle<Counted> other = queue_.yield_task(Work{&results_, numbers_.below(300), false});
          auto both = toto::when_all(handle, other);
          destroy_coroutine_soon(count_after(std::move(both), resumed_));
          break;
        }
        default:
          break;  // dropped
      }
    }
    handles_.clear();
    coroutines_.clear();
  }

  int resumed() const { return resumed_; }
  int destroyed_while_waiting() const { return destroyed_while_waiting_; }

 private:
  void wait_for(toto::TaskHandle<Counted> handle) {
    try {
      const Counted result = handle.get();
    } catch (const std::runtime_error&) {
    }
  }
  void keep(toto::TaskHandle<Counted> handle) {
    if (handles_.size() < kKept) {
      handles_.push_back(std::move(handle));
    } else {
      handles_[numbers_.below(kKept)] = std::move(handle);  // detaches another
    }
  }
  void keep(Owned coroutine) {
    if (coroutines_.size() < kKept) {
      coroutines_.push_back(std::move(coroutine));
    } else {
      std::swap(coroutines_[numbers_.below(kKept)], coroutine);
      destroy_coroutine_soon(std::move(coroutine));
    }
  }
  void destroy_coroutine_soon(Owned coroutine) {
    linger(numbers_.below(600));
    destroyed_while_waiting_ += coroutine.done() ? 0 : 1;
  }

  static constexpr std::uint32_t kKept = 16;

  toto::TaskQueue& queue_;
  Lifetimes& results_;
  Numbers numbers_{2'463'534'242U};
  std::vector<toto::TaskHandle<Counted>> handles_;
  std::vector<Owned> coroutines_;
  std::atomic<int> resumed_{0};
  int destroyed_while_waiting_ = 0;
};

}  // namespace

TEST_CASE("handles are awaited, waited for, moved, dropped, cancelled and their coroutines destroyed at any time",
          "[task_handle][await][stress][G4][G5][G7][G8][G9]") {
  Lifetimes results;
  toto::QueueStats stats;
  {
    toto::TaskQueue queue(3);
    queue.on_error([](std::exception_ptr, const toto::TaskInfo&) {});
    toto::EventLoop loop;
    AnyTime any_time(queue, results);
    loop.run_sync(any_time.run(kHandles));
    CHECK(any_time.resumed() > 0);
    CHECK(any_time.destroyed_while_waiting() > 0);
    queue.wait_idle();
    stats = queue.stats();
  }
  CHECK(stats.submitted >= static_cast<std::size_t>(kHandles));
  CHECK(stats.completed + stats.failed + stats.cancelled == stats.submitted);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("coroutines destroyed before, while and after their tasks run are not resumed, and no result is lost",
          "[task_handle][await][stress][G8][G9]") {
  constexpr std::size_t kAtOnce = 8;
  const int rounds = kHandles / static_cast<int>(2 * kAtOnce);
  Lifetimes results;
  std::atomic<int> resumed{0};
  {
    toto::TaskQueue queue(kAtOnce);
    toto::EventLoop loop;
    loop.post([&] {  // so that the loop is their home
      for (int i = 0; i < rounds; ++i) {
        std::vector<Owned> before;
        std::vector<Owned> during;
        std::vector<Owned> after;
        Arrivals begun;
        Gate finish;
        const auto held = [&] {
          begun.arrive();
          finish.wait();
          return Counted(results);
        };
        for (std::size_t k = 0; k < kAtOnce; ++k) {
          (k % 2 == 0 ? during : after).push_back(count_after(queue.yield_task(held), resumed));
        }
        for (std::size_t k = 0; k < kAtOnce; ++k) {
          before.push_back(count_after(queue.yield_task([&] { return Counted(results); }), resumed));
        }
        before.clear();  // all workers are taken
        begun.wait_for(static_cast<int>(kAtOnce));
        during.clear();
        finish.open();
        queue.wait_idle();  // the continuations are posted to the loop, which is busy here
        after.clear();
      }
    });
    loop.run();
  }
  CHECK(resumed == 0);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("coroutines at home on a one-thread queue are destroyed by its tasks at any time",
          "[task_handle][await][stress][G8][G9]") {
  Lifetimes results;
  std::atomic<int> resumed{0};
  {
    toto::TaskQueue home;
    toto::TaskQueue queue(2);
    std::vector<Owned> coroutines(16);  // the home thread's own
    Numbers numbers(123'456'789U);
    for (int i = 0; i < kHandles; ++i) {
      home.add_task([&] {
        Owned& place = coroutines[numbers.below(16)];
        place.destroy();
        toto::TaskQueue& tasks = numbers.below(4) == 0 ? home : queue;
        place = count_after(tasks.yield_task(Work{&results, numbers.below(200), false}), resumed);
        linger(numbers.below(200));
      });
      if (i % 1'000 == 0) {
        home.wait_idle();
      }
    }
    home.wait_idle();
    home.add_task([&] { coroutines.clear(); });
    home.wait_idle();
  }
  CHECK(resumed > 0);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("handles that several threads pass around and drop race with the ends of their tasks",
          "[task_handle][stress][G5][G27]") {
  constexpr int kThreads = 4;
  constexpr std::size_t kPlaces = 8;
  Lifetimes results;
  std::atomic<int> reports{0};
  {
    toto::TaskQueue queue(2);
    queue.on_error([&](std::exception_ptr, const toto::TaskInfo&) { ++reports; });
    std::mutex mutex;
    std::vector<toto::TaskHandle<Counted>> places(kPlaces);
    Threads threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.start([&, thread] {
        Numbers numbers(static_cast<std::uint32_t>(thread) + 1U);
        for (int i = 0; i < kHandles / kThreads; ++i) {
          toto::TaskHandle<Counted> handle =
              queue.yield_task(Work{&results, numbers.below(200), numbers.below(50) == 0});
          linger(numbers.below(200));
          {
            const std::lock_guard lock(mutex);
            std::swap(places[numbers.below(kPlaces)], handle);
          }
          linger(numbers.below(200));
          if (handle.ready() && numbers.below(2) == 0) {
            try {
              const Counted result = handle.get();
            } catch (const std::runtime_error&) {
              ++reports;
            }
          }
        }
      });
    }
    threads.join();
    places.clear();
    queue.wait_idle();
    CHECK(static_cast<std::size_t>(reports) == queue.stats().failed);  // each failure was seen, once
  }
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}
