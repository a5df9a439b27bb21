// SPDX-License-Identifier: MIT
//
// simulate(): runs a scenario of a few simulated threads many times, each time in a different order, with virtual time,
// and reports an order that breaks it. For code written against toto's runtime policy, including toto itself:
//
//   using namespace toto;
//   using namespace toto::testing;
//
//   auto result = simulate({.name = "two adders", .strategy = Exhaustive{.deviations = 2}}, [](Simulation& sim) {
//     int ran = 0;
//     {
//       BasicTaskQueue<SimRuntime> queue({.thread_count = 1});
//       const auto add = [&] { queue.add_task([&] { ++ran; }); };
//       sim.run_threads({{"first", add}, {"second", add}});
//     }
//     require(ran == 2, "both tasks ran");
//   });
//   if (!result) std::cerr << result;  // the failure, the choices that lead to it, and a trace
//
// With SimulationOptions::memory = Memory::weak, atomics also show the values that C++20 allows for weak memory orders.
// Read next: options.hpp, sim_runtime.hpp; then scheduler.hpp for how it works.

#ifndef TOTO_TESTING_SIMULATION_HPP
#define TOTO_TESTING_SIMULATION_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "../duration.hpp"
#include "options.hpp"
#include "scheduler.hpp"
#include "sim_runtime.hpp"
#include "strategies.hpp"
#include "thread_operations.hpp"

namespace toto::inline v0_1::testing {

/// A check that runs after every operation, until this object is destroyed. Declare it after the objects that it reads.
class [[nodiscard("the check ends with this object")]] StepCheck {
 public:
  StepCheck(StepCheck&& other) noexcept : observers_(std::exchange(other.observers_, nullptr)), id_(other.id_) {}
  StepCheck& operator=(StepCheck&&) = delete;
  ~StepCheck() {
    if (observers_ != nullptr) {
      observers_->remove(id_);
    }
  }

 private:
  friend class Simulation;
  StepCheck(detail::Observers& observers, std::size_t id) noexcept : observers_(&observers), id_(id) {}

  detail::Observers* observers_;
  std::size_t id_;
};

/// While it exists, nothing fails for the simulated thread that made it: no thread start, no allocation, no weak
/// exchange. For preparing the scenario.
class [[nodiscard("faults resume when this object is destroyed")]] NoFaults {
 public:
  NoFaults() noexcept : scheduler_(detail::Scheduler::current()) { count(1); }
  ~NoFaults() { count(-1); }
  NoFaults(const NoFaults&) = delete;
  NoFaults& operator=(const NoFaults&) = delete;

 private:
  void count(int change) const noexcept {
    if (scheduler_ != nullptr) {
      scheduler_->running().sheltered += static_cast<std::uint32_t>(change);
    }
  }

  detail::Scheduler* scheduler_;
};

/// One schedule, as the scenario sees it. Lives as long as the schedule, detached threads included.
///
/// A failure abandons the schedule immediately: no destructor runs, and memory that its threads allocated is leaked.
/// simulate() then returns.
/// Thread safety: Thread-safe. For simulated threads of this schedule only.
class Simulation {
 public:
  explicit Simulation(detail::Scheduler& scheduler) noexcept : scheduler_(scheduler) {}
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Starts a simulated thread. It is joined by join_all(), or when the scenario returns; call join_all() before
  /// anything that the thread refers to is destroyed.
  template <class Body>
  void spawn(std::string name, Body body) {
    const std::uint32_t thread = start(std::move(name), std::move(body));
    scheduler_.step({.operation = detail::Operation::start, .object = thread});
  }

  /// Joins the threads spawned so far. Must not be called on one of them.
  /// Blocks: until they have ended.
  void join_all() {
    if (unfinished_ != 0) {
      scheduler_.block({.kind = detail::Wait::Kind::spawned, .word = &unfinished_}, "join all");
    }
    while (joined_ < spawned_.size()) {
      detail::join(scheduler_, spawned_[joined_++]);
    }
  }

  /// Starts a thread for each pair of a name and a callable, and joins them. This makes fewer schedules than separate
  /// calls to spawn(), because the main thread takes no part.
  void run_threads(std::initializer_list<std::pair<std::string_view, std::function<void()>>> threads) {
    for (const auto& [name, body] : threads) {
      const detail::Scheduler::Quiet quiet(scheduler_);
      start(std::string(name), body);
    }
    join_all();
  }

  /// Fails the schedule unless the condition holds.
  void(check)(bool condition, std::string_view text) {  // in brackets: <AssertMacros.h> has such a macro
    if (!condition) {
      fail(text);
    }
  }
  [[noreturn]] void fail(std::string_view text) { scheduler_.fail(std::string(text)); }

  /// Calls `look` after each operation, unless a simulated thread holds a SimRuntime::Mutex, so `look` may lock and
  /// read anything. While it runs, no other thread runs, and its accesses are not operations.
  StepCheck on_step(std::function<void()> look) { return observe(std::move(look), false); }

  /// The same after each operation. `look` must not lock a mutex that may be held; use try_lock().
  StepCheck on_every_step(std::function<void()> look) { return observe(std::move(look), true); }

  /// Sleeps.
  /// Blocks: for `length`, in virtual time.
  void sleep_for(Duration length) { detail::sleep_until(scheduler_, length.after(scheduler_.now())); }

  /// Returns the virtual time since the start of the schedule.
  Duration elapsed() const noexcept { return scheduler_.now() - detail::origin; }

  /// Returns how many SimRuntime::Threads whose names begin with `name` are alive.
  std::size_t threads_alive(std::string_view name = {}) const { return count_threads(name, true); }
  /// The same for those that were started in this schedule, whether alive or not.
  std::size_t threads_started(std::string_view name = {}) const { return count_threads(name, false); }

  /// From now on the nth call of allocation_should_fail() returns true, counted from 1 and without those under
  /// NoFaults; 0: none.
  void fail_allocation(std::size_t nth) noexcept { scheduler_.fail_allocation(nth); }
  /// Returns how often allocation_should_fail() was called in this schedule.
  std::size_t allocations() const noexcept { return scheduler_.allocations(); }

 private:
  template <class Body>
  std::uint32_t start(std::string name, Body body) {
    const detail::Scheduler::Quiet quiet(scheduler_);
    auto run = [this, body = std::move(body)]() mutable {
      body();
      --unfinished_;
    };
    const std::uint32_t thread =
        scheduler_.start(std::move(name), std::make_unique<detail::CallableBody<decltype(run)>>(std::move(run)));
    scheduler_.threads()[thread].of_scenario = true;
    spawned_.push_back(thread);
    ++unfinished_;
    return thread;
  }

  StepCheck observe(std::function<void()> look, bool always) {
    const detail::Scheduler::Quiet quiet(scheduler_);
    return {scheduler_.observers(), scheduler_.observers().add(std::move(look), always)};
  }

  std::size_t count_threads(std::string_view name, bool only_alive) const {
    const auto& threads = scheduler_.threads().all();
    return static_cast<std::size_t>(std::count_if(threads.begin(), threads.end(), [&](const auto& thread) {
      return !thread->of_scenario && thread->name.starts_with(name) && (thread->alive != 0 || !only_alive);
    }));
  }

  detail::Scheduler& scheduler_;
  std::vector<std::uint32_t> spawned_;
  std::size_t joined_ = 0;
  std::uint32_t unfinished_ = 0;  ///< spawned, and the body has not returned
};

/// Fails the current schedule unless the condition holds. For code that has no reference to the Simulation.
///
/// Throws: std::logic_error with that text outside a simulation.
inline void(require)(bool condition, std::string_view text) {  // in brackets: <AssertMacros.h> has such a macro
  if (condition) {
    return;
  }
  if (detail::Scheduler* const scheduler = detail::Scheduler::current()) {
    scheduler->fail(std::string(text));
  }
  throw std::logic_error(std::string(text));
}

/// For callables that a scenario passes to the code under test, which must not call, move or destroy them under a lock.
inline void assert_no_lock_held() {
  (require)(SimRuntime::locks_held() == 0, "user code runs under a lock");
}

/// For a test's own operator new, which throws std::bad_alloc if this returns true. It does so for the allocation that
/// Simulation::fail_allocation() names, and where the environment chooses to, up to
/// SimulationOptions::failing_allocations times in a schedule; never outside a simulation or within the simulator
/// itself.
///
/// Thread safety: Thread-safe.
inline bool allocation_should_fail() noexcept {
  detail::Scheduler* const scheduler = detail::Scheduler::current();
  return scheduler != nullptr && scheduler->allocation_should_fail();
}

namespace detail {

/// What the main thread of a schedule does: the scenario, and then what a process does at its end.
inline void run_scenario(Scheduler& scheduler, const std::function<void(Simulation&)>& scenario) {
  scheduler.running().of_scenario = true;
  Simulation simulation(scheduler);
  scenario(simulation);
  simulation.join_all();
  while (!scheduler.exit_functions().empty()) {
    const auto drain = scheduler.exit_functions().back();
    scheduler.exit_functions().pop_back();
    drain();
  }
  wait_for_others(scheduler);
  if (const auto at_end = std::exchange(scheduler.running().at_end, nullptr)) {
    at_end();  // it may still need the global objects
  }
  scheduler.globals().destroy_all();
  wait_for_others(scheduler);
}

/// Where failed schedules stay; see Scheduler.
/// Thread safety: Thread-safe.
inline void keep_forever(std::unique_ptr<Scheduler> scheduler) {
  struct Kept {
    std::unique_ptr<Scheduler> scheduler;
    Kept* next;
  };
  static constinit std::atomic<Kept*> kept{nullptr};
  auto* const one = new Kept{std::move(scheduler), kept.load()};
  while (!kept.compare_exchange_weak(one->next, one)) {
  }
}

}  // namespace detail

/// Runs the scenario under one schedule after another, until one fails, none is left, or SimulationOptions::schedules
/// of them have run. Works on Linux, macOS and the BSDs.
///
/// A schedule fails if: a check or require() fails; an exception escapes; no thread can ever continue (deadlock); it
/// does not end (livelock); a thread is left over, or is destroyed while joinable; a mutex or parker is misused, or
/// used after its destruction, or destroyed while held or waited on; or the scenario behaves differently under the same
/// choices. The scenario must create everything it uses: nothing may survive from one schedule to the next.
///
/// The scenario runs as the main simulated thread. When it returns, the threads it spawned are joined, the functions
/// passed to SimRuntime::at_exit() run, the other threads end, and the global objects are destroyed.
///
/// Blocks: until done; it runs on the calling thread alone.
/// Throws: std::invalid_argument if Replay::choices is malformed; std::logic_error within a simulation.
/// Thread safety: Thread-safe. Each real thread may run its own simulation.
inline SimulationResult simulate(const SimulationOptions& options, const std::function<void(Simulation&)>& scenario) {
  if (detail::Scheduler::current() != nullptr) {
    throw std::logic_error("simulate: called within a simulation");
  }
  SimulationResult result;
  result.name = options.name;
  result.seed = options.seed;
  const std::unique_ptr<detail::Explorer> explorer = detail::make_explorer(options.strategy, options.seed);
  auto scheduler = std::make_unique<detail::Scheduler>(options, *explorer);
  const auto run_once = [&scenario, scheduler = scheduler.get()] { detail::run_scenario(*scheduler, scenario); };

  while (!result.failed) {
    if (!explorer->next_schedule()) {
      result.exhausted = true;
      break;
    }
    if (result.schedules == options.schedules) {
      break;
    }
    result.failed = !scheduler->run(std::make_unique<detail::CallableBody<decltype(run_once)>>(run_once));
    ++result.schedules;
    result.steps += scheduler->steps();
    result.older += scheduler->memory().older();
  }
  result.choices = scheduler->choices();
  if (result.failed || std::holds_alternative<Replay>(options.strategy)) {
    result.trace = scheduler->trace();
  }
  if (result.failed) {
    result.failure = scheduler->failure();
    detail::keep_forever(std::move(scheduler));
  }
  return result;
}

}  // namespace toto::inline v0_1::testing

#endif  // TOTO_TESTING_SIMULATION_HPP
