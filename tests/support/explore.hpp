// SPDX-License-Identifier: MIT
//
// explore(): what every model is put through. TOTO_SCHEDULES, a number, says how much of it, and for whom:
//
//   unset       who waits for the tests: all schedules with one deviation fewer than the model asks for, as a rule one, in
//               strict and in eager time, and a few hundred random ones
//   0.1         a change that is to land: all with as many deviations as the model asks for, as a rule two, where these
//               are fewer than a tenth of 600,000; otherwise that many of them; and thousands of random ones
//   1           all of that, however long it takes
//   100         a hundred times as many of each model, by random ones: there are no more exhaustive ones
//   weak N      only what follows, N of each model
//
// And, in each case, random ones under Memory::weak, in which atomics show what C++20 allows: 200, 1,000, 1,000, and
// 20,000.
//
// Prints how many schedules each took, and the processor time.
//
// What a model counts with (require, Tally, Counted, SimGate, SimBarrier) also checks that the library holds no lock
// while it runs, moves or destroys what is the user's (I6).

#ifndef TOTO_TESTS_SUPPORT_EXPLORE_HPP
#define TOTO_TESTS_SUPPORT_EXPLORE_HPP

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "catch.hpp"
#include "toto/tasks.hpp"
#include "toto/testing/simulation.hpp"

#if defined(TOTO_TEST_RACES)
#include "race_hooks.hpp"
#endif

namespace toto_tests {

using toto::testing::SimRuntime;
using toto::testing::Simulation;
using SimQueue = toto::BasicTaskQueue<SimRuntime>;
using SimLoop = toto::BasicEventLoop<SimRuntime>;
template <class T>
using SimHandle = toto::TaskHandle<T, SimRuntime>;

/// What a model needs beyond the usual: what the environment may do, and how much is tried.
struct Exploration {
  unsigned deviations = 2;
  unsigned failing_starts = 0;
  unsigned failing_allocations = 0;  // in failed_allocation_test.cpp only, whose operator new asks
  unsigned spurious_wakeups = 1;
  unsigned weak_failures = 1;
  toto::testing::StartFaults start_faults = {};
  std::size_t random_schedules = 4'000;  // of each of the two random strategies
  bool eager = true;
  std::size_t weak = 1;  // times as many weak schedules as of other models
};

/// For models that take more than half a million schedules otherwise: preemptions and early expiries only.
inline constexpr Exploration kOnlyOrder{.spurious_wakeups = 0, .weak_failures = 0};

/// Fails the schedule unless the condition holds. Said by user code: so the library holds no lock. A template, so that
/// it is the better match where toto::testing::require is visible, too.
template <class Text>
void require(bool condition, const Text& text) {
  toto::testing::assert_no_lock_held();
  toto::testing::require(condition, text);
}

// What several threads count with is no data race of the library's.
#if defined(TOTO_TEST_RACES)
#define TOTO_TESTS_MAY_RACE __attribute__((no_sanitize("thread")))
#else
#define TOTO_TESTS_MAY_RACE
#endif

/// A number that user code counts with, on any threads at the same time.
class Tally {
 public:
  Tally(int value = 0) noexcept : value_(value) {}                      // NOLINT(google-explicit-constructor)
  TOTO_TESTS_MAY_RACE operator int() const noexcept { return value_; }  // NOLINT(google-explicit-constructor)
  int operator++() { return *this += 1; }
  int operator--() { return *this += -1; }
  TOTO_TESTS_MAY_RACE int operator+=(int change) {
    toto::testing::assert_no_lock_held();
    return value_ += change;
  }

 private:
  int value_;
};

/// A capture or a result. Counts its living objects.
class Counted {
 public:
  explicit Counted(Tally& living) : living_(&living) { ++*living_; }
  Counted(Counted&& other) noexcept : living_(other.living_) { ++*living_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*living_; }

 private:
  Tally* living_;
};

/// Adds a task, unless no thread can be started for it. Returns whether it was accepted.
template <class Function>
bool add_if_possible(SimQueue& queue, Function function) {
  try {
    queue.add_task(std::move(function));
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

/// A gate at which simulated threads wait until one opens it.
class SimGate {
 public:
  void open() {
    toto::testing::assert_no_lock_held();
    const toto::detail::Lock lock(mutex_);
    open_ = true;
    waiting_.notify_all();
  }
  void wait() {
    toto::testing::assert_no_lock_held();
    const toto::detail::Lock lock(mutex_);
    waiting_.wait(mutex_, [this] { return open_; });
  }

 private:
  SimRuntime::Mutex mutex_;
  toto::detail::WaitList<SimRuntime> waiting_;
  bool open_ = false;
};

/// Threads wait until as many as expected have come.
class SimBarrier {
 public:
  explicit SimBarrier(int expected) : missing_(expected) {}
  void arrive_and_wait() {
    toto::testing::assert_no_lock_held();
    const toto::detail::Lock lock(mutex_);
    --missing_;
    waiting_.notify_all();
    waiting_.wait(mutex_, [this] { return missing_ <= 0; });
  }

 private:
  SimRuntime::Mutex mutex_;
  toto::detail::WaitList<SimRuntime> waiting_;
  int missing_;
};

struct ExplorationTotals {
  std::size_t exhaustive = 0;
  std::size_t random = 0;
  std::size_t weak = 0;
  std::size_t older = 0;
  double seconds = 0;
  ~ExplorationTotals() {
    if (exhaustive + random + weak > 0) {
      std::printf("schedules: %zu exhaustive, %zu random, %zu weak, %zu older stores met, %.1f s\n", exhaustive, random,
                  weak, older, seconds);
    }
  }
  static ExplorationTotals& get() {
    static ExplorationTotals totals;
    return totals;
  }
};

/// Whether time passes only when no thread can run. In eager time any thread may be late: then a model cannot say what
/// has happened by some time, only what has not.
inline bool strict_time = true;

inline void explore(std::string_view name, Exploration how, const std::function<void(Simulation&)>& scenario) {
  using namespace toto::testing;
  const char* const factor_text = std::getenv("TOTO_SCHEDULES");
  const bool only_weak = factor_text != nullptr && std::string_view(factor_text).starts_with("weak ");
  const double factor = factor_text != nullptr && !only_weak ? std::strtod(factor_text, nullptr) : 0;
  if (factor_text == nullptr) {
    how.random_schedules = std::min<std::size_t>(how.random_schedules, 200);
  }
  SimulationOptions options;
  options.name = name;
  options.failing_starts = how.failing_starts;
  options.failing_allocations = how.failing_allocations;
  options.spurious_wakeups = how.spurious_wakeups;
  options.weak_failures = how.weak_failures;
  options.start_faults = how.start_faults;
  ExplorationTotals& totals = ExplorationTotals::get();

  std::size_t here = 0;
  const auto run = [&](const char* what, std::size_t& total) {
    strict_time = options.time == Time::strict;
    const std::clock_t begin = std::clock();
    const SimulationResult result = simulate(options, scenario);
    const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    total += result.schedules;
    totals.older += result.older;
    here += result.schedules;
    totals.seconds += took;
    std::printf("%-60.*s %-18s %8zu schedules %8.2f s\n", static_cast<int>(name.size()), name.data(), what,
                result.schedules, took);
    INFO(what << '\n' << result);
    REQUIRE_FALSE(result.failed);
    return result.exhausted;
  };

  constexpr std::size_t most = 600'000;  // a model that needs more is too large
  const auto run_all = [&](const char* what, Time time) {
    options.time = time;
    options.schedules = factor < 1 ? static_cast<std::size_t>(factor * most) : most;
    options.strategy = Exhaustive{.deviations = how.deviations};
    if (options.schedules > 0 && run(what, totals.exhaustive)) {
      return;
    }
    REQUIRE(factor < 1);
    options.schedules = most;
    options.strategy = Exhaustive{.deviations = how.deviations > 1 ? how.deviations - 1 : 0};
    REQUIRE(run(what, totals.exhaustive));
  };
  const auto run_random = [&](const char* priorities, const char* random, std::size_t schedules, std::size_t& total) {
    options.time = how.eager ? Time::eager : Time::strict;
    options.schedules = schedules;
    options.strategy = Pct{.depth = 4};
    run(priorities, total);
    options.strategy = Random{};
    run(random, total);
  };
  if (!only_weak) {
    run_all("exhaustive strict", Time::strict);
    if (how.eager) {
      run_all("exhaustive eager", Time::eager);
    }
    std::size_t schedules = how.random_schedules;
    if (factor > 1) {
      schedules = static_cast<std::size_t>(static_cast<double>(how.random_schedules) * factor +
                                           static_cast<double>(here) * (factor - 1) / 2);
    }
    if (schedules > 0) {
      run_random("priorities", "random", schedules, totals.random);
    }
  }
  if (how.weak > 0) {
    const std::size_t each = only_weak                ? std::strtoul(factor_text + 5, nullptr, 10) / 2
                             : factor_text == nullptr ? 100
                             : factor > 1             ? 10'000
                                                      : 500;
    options.memory = Memory::weak;
    run_random("weak priorities", "weak random", each * how.weak, totals.weak);
  }
}

/// Checks after each operation, whenever no lock is held, that a queue's counts agree, that its bounds hold, and that
/// a worker is coming for what is queued (I2).
template <class Runtime>
auto watch(Simulation& simulation, const toto::BasicTaskQueue<Runtime>& queue) {
  return simulation.on_step([&simulation, &queue, before = toto::QueueStats(), then = toto::Duration()]() mutable {
    const toto::QueueStats stats = queue.stats();
    const std::uint64_t running = stats.running + stats.suspended;
    simulation.check(stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.queued + running,
                     "the queue's counts agree");
    simulation.check(stats.threads <= queue.thread_count(), "no more threads than thread_count");
    simulation.check(stats.running <= stats.threads, "no more tasks run than there are threads");
    simulation.check(stats.queued <= stats.submitted, "the number of queued tasks is not negative");
    simulation.check(queue.size() == stats.threads + stats.queued + stats.continuations, "size() adds up");
    // Strict time passes only when every thread sleeps, or looks. In eager time a thread that could come may just be
    // late. (A queue without threads is none yet: somebody who cancels may be about to pass the turn in a view on.)
    const bool slept = strict_time && !Runtime::spins && simulation.elapsed() != then;
    simulation.check(!slept || before.queued == 0 || before.running + before.suspended > 0,
                     "something is queued, and nobody is coming");
    before = stats;
    then = simulation.elapsed();
  });
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_EXPLORE_HPP
