// SPDX-License-Identifier: MIT
//
// explore(): what every model is put through. All schedules with at most two deviations, in strict and in eager
// time, and then a number of random ones. Prints how many schedules each took, and how long. TOTO_SCHEDULES=100 (1 is
// what CI runs) makes it a hundred times as many of each model, by random ones: there are no more exhaustive ones.

#ifndef TOTO_TESTS_SUPPORT_EXPLORE_HPP
#define TOTO_TESTS_SUPPORT_EXPLORE_HPP

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "toto/tasks.hpp"
#include "toto/testing/simulation.hpp"

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
  unsigned spurious_wakeups = 0;
  toto::testing::StartFaults start_faults = {};
  std::size_t random_schedules = 4'000;  // of each of the two random strategies
  bool eager = true;
};

/// One gate that simulated threads wait at until somebody opens it.
class SimGate {
 public:
  void open() {
    const toto::detail::Lock lock(mutex_);
    open_ = true;
    waiting_.notify_all();
  }
  void wait() {
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
  double seconds = 0;
  ~ExplorationTotals() {
    if (exhaustive + random > 0) {
      std::printf("schedules: %zu exhaustive, %zu random, %.1f s\n", exhaustive, random, seconds);
    }
  }
  static ExplorationTotals& get() {
    static ExplorationTotals totals;
    return totals;
  }
};

// Sanitizers, and code that is not optimised, take ten to a hundred times as long: there the models are run for what
// those builds find, not for the schedules.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    !defined(__OPTIMIZE__) && !defined(TOTO_TESTS_ALL_SCHEDULES)
inline constexpr bool kLight = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kLight = true;
#else
inline constexpr bool kLight = false;
#endif
#else
inline constexpr bool kLight = false;
#endif

inline void explore(std::string_view name, Exploration how, const std::function<void(Simulation&)>& scenario) {
  using namespace toto::testing;
  if (kLight) {
    how.deviations = how.deviations > 1 ? 1 : 0;
    how.random_schedules = 200;
  }
  const char* const factor_text = std::getenv("TOTO_SCHEDULES");
  const std::size_t factor = factor_text != nullptr ? std::max(1UL, std::strtoul(factor_text, nullptr, 10)) : 1;
  SimulationOptions options;
  options.name = name;
  options.failing_starts = how.failing_starts;
  options.spurious_wakeups = how.spurious_wakeups;
  options.start_faults = how.start_faults;
  ExplorationTotals& totals = ExplorationTotals::get();

  std::size_t here = 0;
  const auto run = [&](const char* what, std::size_t& total) {
    const auto begin = std::chrono::steady_clock::now();
    const SimulationResult result = simulate(options, scenario);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    total += result.schedules;
    here += result.schedules;
    totals.seconds += took.count();
    std::printf("%-60.*s %-18s %8zu schedules %8.2f s\n", static_cast<int>(name.size()), name.data(), what,
                result.schedules, took.count());
    INFO(what << '\n' << result);
    REQUIRE_FALSE(result.failed);
    return result.exhausted;
  };

  options.schedules = 600'000;  // a model that needs more is too large
  options.strategy = Exhaustive{.deviations = how.deviations};
  options.time = Time::strict;
  REQUIRE(run("exhaustive strict", totals.exhaustive));
  if (how.eager) {
    options.time = Time::eager;
    REQUIRE(run("exhaustive eager", totals.exhaustive));
  }
  options.schedules = how.random_schedules * factor + here * (factor - 1) / 2;
  if (how.random_schedules > 0) {
    options.time = how.eager ? Time::eager : Time::strict;
    options.strategy = Pct{.depth = 4};
    run("priorities", totals.random);
    options.strategy = Random{};
    run("random", totals.random);
  }
}

/// Checks after each operation, whenever no lock is held, that a queue's counts agree and its bounds hold.
inline auto watch(Simulation& simulation, const SimQueue& queue) {
  return simulation.on_step([&simulation, &queue] {
    const toto::QueueStats stats = queue.stats();
    simulation.check(stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.queued +
                                            stats.running + stats.suspended,
                     "the queue's counts agree");
    simulation.check(stats.threads <= queue.thread_count(), "no more threads than thread_count");
    simulation.check(stats.running <= stats.threads, "no more tasks run than there are threads");
    simulation.check(stats.queued <= stats.submitted, "the number of queued tasks is not negative");
    simulation.check(queue.size() == stats.threads + stats.queued + stats.continuations, "size() adds up");
  });
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_EXPLORE_HPP
