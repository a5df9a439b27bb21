// SPDX-License-Identifier: MIT
//
// Many tasks through few threads: each runs exactly once, the limit is never exceeded, and every thread ends.

#include <toto/tasks.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using toto::TaskQueue;
using toto_tests::Arrivals;
using toto_tests::eventually;
using toto_tests::kProcessInfo;
using toto_tests::Meeting;
using toto_tests::scaled;
using toto_tests::Threads;
using toto_tests::threads_named;

namespace {

constexpr auto kLongest = 120s;

/// Counts how often each of a number of tasks has run, and how many run at once.
class Runs {
 public:
  explicit Runs(std::size_t tasks) : runs_(tasks) {}

  void run(std::size_t task) {
    const int now = inside_.fetch_add(1) + 1;
    for (int most = most_inside_; most < now && !most_inside_.compare_exchange_weak(most, now);) {
    }
    runs_[task].fetch_add(1, std::memory_order_relaxed);
    inside_.fetch_sub(1);
  }

  std::size_t run_once() const {
    return static_cast<std::size_t>(
        std::count_if(runs_.begin(), runs_.end(), [](const std::atomic<int>& count) { return count == 1; }));
  }
  int most_inside() const { return most_inside_; }

 private:
  std::vector<std::atomic<int>> runs_;
  std::atomic<int> inside_{0};
  std::atomic<int> most_inside_{0};
};

}  // namespace

TEST_CASE("200000 tasks from 8 producers through 4 threads without idle time run once each",
          "[task_queue][stress][A4][A6][A8][B5]") {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kProducers = 8;
  constexpr std::size_t kRounds = 100;  // at the end of each, all threads leave
  const std::size_t each = scaled<std::size_t>(250, 20);
  const std::size_t tasks = kRounds * kProducers * each;
  Runs runs(tasks);
  std::atomic<bool> watching{true};
  std::atomic<std::uint64_t> most_threads{0};
  std::atomic<std::uint64_t> most_named{0};
  TaskQueue queue(kThreads, 0s, "churn");
  std::size_t rounds_that_ended = 0;
  {
    Threads watcher;
    watcher.start([&] {
      while (watching) {
        most_threads = std::max<std::uint64_t>(most_threads, queue.stats().threads);
        most_named = std::max<std::uint64_t>(most_named, threads_named("churn-"));
        std::this_thread::sleep_for(200us);
      }
    });
    Threads producers;
    std::deque<Meeting> begin;
    std::deque<Arrivals> end(kRounds);
    for (std::size_t round = 0; round < kRounds; ++round) {
      begin.emplace_back(static_cast<int>(kProducers) + 1);
    }
    for (std::size_t producer = 0; producer < kProducers; ++producer) {
      producers.start([&, producer] {
        for (std::size_t round = 0; round < kRounds; ++round) {
          begin[round].arrive_and_wait();
          for (std::size_t i = 0; i < each; ++i) {
            const std::size_t task = (round * kProducers + producer) * each + i;
            queue.add_task([&runs, task] { runs.run(task); });
          }
          end[round].arrive();
        }
      });
    }
    for (std::size_t round = 0; round < kRounds; ++round) {
      begin[round].arrive_and_wait();
      const bool all_added = end[round].wait_for(static_cast<int>(kProducers));
      if (all_added && eventually([&] { return queue.size() == 0; })) {
        ++rounds_that_ended;
      }
    }
    producers.join();
    watching = false;
  }
  REQUIRE(rounds_that_ended == kRounds);
  REQUIRE(queue.wait_idle_for(kLongest));
  REQUIRE(runs.run_once() == tasks);
  REQUIRE(runs.most_inside() <= static_cast<int>(kThreads));
  REQUIRE(most_threads <= kThreads);
  REQUIRE(queue.stats().completed == tasks);
  REQUIRE(queue.stats().threads_started >= kRounds);
  REQUIRE(eventually([&] { return queue.size() == 0; }, 1s));
  if (kProcessInfo) {
    REQUIRE(eventually([] { return threads_named("churn-") == 0; }, 1s));
    // Threads that have left may still be on their way out when the next ones are there, but do not pile up.
    REQUIRE(most_named <= 2 * kThreads + 1);
  }
}

#if defined(__linux__)

namespace {

/// Keeps this thread, and those that it starts and they start, on one processor.
class OnOneProcessor {
 public:
  OnOneProcessor() {
    sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    sched_setaffinity(0, sizeof(one), &one);
  }
  ~OnOneProcessor() { sched_setaffinity(0, sizeof(before_), &before_); }
  OnOneProcessor(const OnOneProcessor&) = delete;
  OnOneProcessor& operator=(const OnOneProcessor&) = delete;

 private:
  cpu_set_t before_{};
};

}  // namespace

TEST_CASE("threads that have left do not pile up where they are slow to end", "[task_queue][stress][B12][A8]") {
  // On one processor, with more threads that want it than there are: a thread that leaves is followed by a new one
  // long before the system lets it end.
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kProducers = 8;
  const std::size_t each = scaled<std::size_t>(25'000, 2'000);
  const OnOneProcessor here;
  Runs runs(kProducers * each);
  std::atomic<bool> watching{true};
  std::atomic<std::uint64_t> most_named{0};
  TaskQueue queue(kThreads, 0s, "pile");
  {
    Threads watcher;
    watcher.start([&] {
      while (watching) {
        most_named = std::max<std::uint64_t>(most_named, threads_named("pile-"));
        std::this_thread::sleep_for(500us);
      }
    });
    Threads producers;
    for (std::size_t producer = 0; producer < kProducers; ++producer) {
      producers.start([&, producer] {
        for (std::size_t i = 0; i < each; ++i) {
          queue.add_task([&runs, task = producer * each + i] { runs.run(task); });
          if (i % 64 == 63) {
            std::this_thread::sleep_for(100us);
          }
        }
      });
    }
    producers.join();
    watching = false;
  }
  REQUIRE(queue.wait_idle_for(kLongest));
  REQUIRE(runs.run_once() == kProducers * each);
  REQUIRE(most_named <= 2 * kThreads + 1);
  REQUIRE(eventually([] { return threads_named("pile-") == 0; }, 1s));
}

#endif

TEST_CASE("100000 empty tasks run exactly once each", "[task_queue][stress][A6]") {
  const std::size_t threads = GENERATE(1U, 4U);
  const std::size_t tasks = scaled<std::size_t>(100'000, 20'000);
  CAPTURE(threads);
  Runs runs(tasks);
  TaskQueue queue(threads, 1s, "a6");
  SECTION("added by one thread") {
    for (std::size_t i = 0; i < tasks; ++i) {
      queue.add_task([&runs, i] { runs.run(i); });
    }
  }
  SECTION("with captures that need destroying") {
    const auto shared = std::make_shared<int>(1);
    for (std::size_t i = 0; i < tasks; ++i) {
      queue.add_task([&runs, i, shared] { runs.run(i); });
    }
    REQUIRE(queue.wait_idle_for(kLongest));
    REQUIRE(shared.use_count() == 1);
  }
  SECTION("with handles that are dropped") {
    for (std::size_t i = 0; i < tasks; ++i) {
      queue.yield_task([&runs, i] { runs.run(i); }).detach();
    }
  }
  REQUIRE(queue.wait_idle_for(kLongest));
  REQUIRE(runs.run_once() == tasks);
  REQUIRE(runs.most_inside() <= static_cast<int>(threads));
  REQUIRE(queue.stats().submitted == tasks);
  REQUIRE(queue.stats().completed == tasks);
}

TEST_CASE("adding from 8 threads while workers expire loses nothing", "[task_queue][stress][A8]") {
  const std::chrono::microseconds timeout = GENERATE(0us, 20us, 200us);
  constexpr std::size_t kProducers = 8;
  const std::size_t each = scaled<std::size_t>(10'000, 500);
  CAPTURE(timeout.count());
  Runs runs(kProducers * each);
  TaskQueue queue(3, timeout, "a8");
  {
    Threads producers;
    for (std::size_t producer = 0; producer < kProducers; ++producer) {
      producers.start([&, producer] {
        for (std::size_t i = 0; i < each; ++i) {
          const std::size_t task = producer * each + i;
          if (i % 2 == 0) {
            queue.add_task([&runs, task] { runs.run(task); });
          } else {
            queue.yield_task([&runs, task] { runs.run(task); }).detach();
          }
          if (i % 4 == 0) {
            std::this_thread::sleep_for((timeout + 1us) * ((i / 4 + producer) % 3));
          }
        }
      });
    }
  }
  REQUIRE(queue.wait_idle_for(kLongest));
  REQUIRE(runs.run_once() == kProducers * each);
  REQUIRE(runs.most_inside() <= 3);
  REQUIRE(eventually([&] { return queue.size() == 0; }, 1s));
}

TEST_CASE("10000 tasks one after another on a queue whose threads leave at once", "[task_queue][stress][B5]") {
  const std::size_t threads = GENERATE(1U, 4U);
  const int tasks = scaled(10'000, 2'000);
  CAPTURE(threads);
  TaskQueue queue(threads, 0s, "b5");
  std::int64_t sum = 0;
  for (int i = 0; i < tasks; ++i) {
    auto handle = queue.yield_task([i] { return i; });
    if (i % 2 == 0) {
      REQUIRE(handle.wait_for(10s));
    }
    sum += handle.get();
  }
  REQUIRE(sum == std::int64_t{tasks} * (tasks - 1) / 2);
  REQUIRE(eventually([&] { return queue.size() == 0; }, 1s));
}

TEST_CASE("2000 tasks added just around the idle deadline run within a second each", "[task_queue][stress][B3]") {
  using Clock = std::chrono::steady_clock;
  const std::size_t threads = GENERATE(1U, 2U);
  constexpr auto kTimeout = 5ms;
  const int tasks = scaled(1'000, 200);  // twice
  CAPTURE(threads);
  TaskQueue queue(threads, kTimeout, "b3");
  Clock::duration longest{};
  Clock::time_point ended;
  queue.yield_task([&ended] { ended = Clock::now(); }).get();
  for (int i = 0; i < tasks; ++i) {
    // Evenly spread from 0.2 ms before to 0.2 ms after the deadline, in an order that jumps about; the last stretch
    // without sleeping, which would not be exact.
    const auto offset = std::chrono::microseconds((i * 173) % 401 - 200);
    const auto when = ended + kTimeout + offset;
    std::this_thread::sleep_until(when - 500us);
    while (Clock::now() < when) {
    }
    const auto added = Clock::now();
    auto handle = queue.yield_task([&ended] { ended = Clock::now(); });
    REQUIRE(handle.wait_for(10s));
    handle.get();
    longest = std::max(longest, ended - added);
  }
  REQUIRE(longest < 1s);
  REQUIRE(queue.wait_idle_for(kLongest));
  REQUIRE(queue.stats().completed == static_cast<std::uint64_t>(tasks) + 1);
  REQUIRE(queue.stats().threads_started > 1);  // some deadlines did pass
  REQUIRE(eventually([&] { return queue.size() == 0; }, 1s));
}
