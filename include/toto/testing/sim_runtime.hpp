// SPDX-License-Identifier: MIT
//
// SimRuntime: the runtime policy under which code built on toto, and toto itself, runs in a deterministic simulation
// instead of on the system's threads, locks and clocks. Its members are those of StdRuntime, in runtime.hpp. Read next:
// simulation.hpp.

#ifndef TOTO_TESTING_SIM_RUNTIME_HPP
#define TOTO_TESTING_SIM_RUNTIME_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "../detail/ground/annotations.hpp"
#include "../detail/ground/stop_token.hpp"
#include "primitives.hpp"
#include "scheduler.hpp"
#include "sim_atomic.hpp"
#include "thread_operations.hpp"

namespace toto::inline v0_1::testing {

/// The runtime policy for simulate(). After each operation another simulated thread may run.
///
/// Mutexes, parkers, atomics and thread-local objects may also be used outside a simulation, by one thread: then
/// nothing waits.
struct SimRuntime {
  static constexpr bool recycles_memory = false;
  static constexpr bool spins = false;
  static constexpr bool forks = false;

  template <class T>
  using Atomic = SimAtomic<T>;

  /// Not recursive; waiters get it in any order.
  class TOTO_CAPABILITY("mutex") Mutex {
   public:
    constexpr Mutex() noexcept = default;
    void lock() TOTO_ACQUIRE() { state_.lock(); }
    bool try_lock() TOTO_TRY_ACQUIRE(true) { return state_.try_lock(); }
    void unlock() noexcept TOTO_RELEASE() { state_.unlock(); }

   private:
    detail::MutexState state_;
  };

  /// Virtual time. It starts anew with each schedule.
  struct Clock {
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;
    static time_point now() noexcept {
      detail::Scheduler* const scheduler = detail::Scheduler::current();
      if (scheduler == nullptr) {
        return detail::origin;
      }
      const time_point now = scheduler->now();
      scheduler->step({.operation = detail::Operation::now});
      return now;
    }
  };

  /// As StdRuntime::Parker. After a spurious wake-up, of which there may be SimulationOptions::spurious_wakeups in a
  /// schedule, the wait returns true without a token; false means that the deadline has passed.
  class Parker {
   public:
    constexpr Parker() noexcept = default;
    void park() { state_.park_until((Clock::time_point::max)()); }
    bool park_until(Clock::time_point deadline) { return state_.park_until(deadline); }
    void unpark() noexcept { state_.unpark(); }
    bool has_token() const noexcept { return state_.has_token(); }

   private:
    detail::ParkerState state_;
  };

  /// A simulated thread. The destructor fails the schedule unless the thread was joined, detached or moved from.
  class Thread {
   public:
    Thread() noexcept = default;

    /// Throws: std::system_error if SimulationOptions make this start fail; std::logic_error outside a simulation.
    template <class Body>
    Thread(std::string name, Body body, bool block_signals = false);

    Thread(Thread&& other) noexcept
        : number_(std::exchange(other.number_, 0)), schedule_(std::exchange(other.schedule_, 0)) {}
    Thread& operator=(Thread&& other) noexcept {
      require_not_joinable("a thread is assigned to while it is joinable");
      number_ = std::exchange(other.number_, 0);
      schedule_ = std::exchange(other.schedule_, 0);
      return *this;
    }
    ~Thread() { require_not_joinable("a thread is destroyed while it is joinable"); }

    bool joinable() const noexcept { return number_ != 0; }
    void join() {
      detail::join(owner_of("a thread that is not joinable is joined"), number_);
      number_ = 0;
    }
    void detach() {
      detail::Scheduler& scheduler = owner_of("a thread that is not joinable is detached");
      detail::detach(scheduler, std::exchange(number_, 0));  // *this may be gone after this line
    }

   private:
    detail::Scheduler& owner_of(const char* text) const noexcept {
      detail::Scheduler* const scheduler = detail::Scheduler::current();
      if (scheduler == nullptr || number_ == 0 || schedule_ != scheduler->schedule()) {
        detail::fail_anywhere(text);
      }
      return *scheduler;
    }
    void require_not_joinable(const char* text) const noexcept {
      detail::Scheduler* const scheduler = detail::Scheduler::current();
      if (scheduler != nullptr && number_ != 0 && schedule_ == scheduler->schedule()) {
        scheduler->fail(text);
      }
    }

    std::uint32_t number_ = 0;  ///< 0: not joinable
    std::uint64_t schedule_ = 0;
  };

  /// One T for each simulated thread and Tag, destroyed at the end of the thread.
  template <class T, class Tag>
  class Local {
   public:
    static T& get() noexcept;

   private:
    static inline char key_ = 0;
  };

  /// The only T of this schedule: made at its first use, without a switch meanwhile, and destroyed at the schedule's
  /// end, when no thread but the main one is left.
  template <class T>
  static T& global();

  using StopSource = ::toto::detail::BasicStopSource<SimRuntime>;
  using StopToken = ::toto::detail::BasicStopToken<SimRuntime>;
  template <class Callback>
  using StopCallback = ::toto::detail::BasicStopCallback<SimRuntime, Callback>;

  /// Another thread may run here; reports name the last point that each thread reached. `name` is a string literal.
  static void point(const char* name) noexcept {
    if (detail::Scheduler* const scheduler = detail::Scheduler::current(); scheduler && !scheduler->quiet()) {
      scheduler->running().point = name;
      scheduler->step({.operation = detail::Operation::point, .name = name});
    }
  }

  /// Lets every other runnable thread go first. A loop that polls for a change without this never ends; with it,
  /// virtual time passes only if at most one thread is in such a loop.
  static void relax() noexcept {
    if (detail::Scheduler* const scheduler = detail::Scheduler::current()) {
      scheduler->yield();
    }
  }

  /// std::atomic_thread_fence.
  static void fence(std::memory_order order) noexcept {
    detail::Scheduler* const scheduler = detail::Scheduler::current();
    if (scheduler == nullptr || scheduler->observing()) {
      return;
    }
    if (scheduler->memory().weak()) {
      const detail::Scheduler::Quiet quiet(*scheduler);
      scheduler->memory().fence(scheduler->running().number, order);
    }
    scheduler->step({.operation = detail::Operation::fence});
  }

  static unsigned processors() noexcept { return 2; }

  /// Runs `drain` at the end of the schedule, after the scenario and before the global objects are destroyed.
  static void at_exit(void (*drain)()) {
    if (detail::Scheduler* const scheduler = detail::Scheduler::current()) {
      const detail::Scheduler::Quiet quiet(*scheduler);
      scheduler->exit_functions().push_back(drain);
    }
  }

  static bool unloading() noexcept { return false; }
  static bool at_thread_end(void (*end)()) noexcept {
    detail::Scheduler* const scheduler = detail::Scheduler::current();
    if (scheduler != nullptr) {
      scheduler->running().at_end = end;
    }
    return scheduler != nullptr;
  }
  static void at_fork(void (* /*before*/)(), void (* /*in_parent*/)(), void (* /*in_child*/)()) {}

  /// Whether `object` is a local variable of the current simulated thread.
  static bool on_this_stack(const void* object) noexcept {
    const detail::Scheduler* const scheduler = detail::Scheduler::current();
    return scheduler != nullptr && scheduler->running().fibre->holds(object);
  }

  // Beyond StdRuntime.

  /// How many mutexes the current simulated thread holds.
  static unsigned locks_held() noexcept {
    const detail::Scheduler* const scheduler = detail::Scheduler::current();
    return scheduler == nullptr ? 0 : scheduler->running().locks_held;
  }
  /// True within a check of Simulation::on_step().
  static bool in_observer() noexcept {
    const detail::Scheduler* const scheduler = detail::Scheduler::current();
    return scheduler != nullptr && scheduler->observing();
  }
};

template <class Body>
SimRuntime::Thread::Thread(std::string name, Body body, bool /*block_signals*/) {
  detail::Scheduler* const scheduler = detail::Scheduler::current();
  if (scheduler == nullptr) {
    throw std::logic_error("SimRuntime::Thread: there is no simulation to run in");
  }
  detail::maybe_refuse_start(*scheduler);
  std::unique_ptr<detail::ThreadBody> callable;
  {
    const detail::Scheduler::Quiet quiet(*scheduler);
    callable = std::make_unique<detail::CallableBody<Body>>(std::move(body));
  }
  number_ = scheduler->start(std::move(name), std::move(callable));
  schedule_ = scheduler->schedule();
  scheduler->step({.operation = detail::Operation::start, .object = number_});
}

template <class T, class Tag>
T& SimRuntime::Local<T, Tag>::get() noexcept {
  detail::Scheduler* const scheduler = detail::Scheduler::current();
  if (scheduler == nullptr) {
    static constinit thread_local T outside{};
    return outside;
  }
  detail::ObjectTable& locals = scheduler->running().locals;
  if (void* const found = locals.find(&key_)) {
    return *static_cast<T*>(found);
  }
  const detail::Scheduler::Quiet quiet(*scheduler);
  return locals.add(&key_, std::make_unique<T>());
}

template <class T>
T& SimRuntime::global() {
  static char key = 0;
  detail::Scheduler* const scheduler = detail::Scheduler::current();
  if (scheduler == nullptr) {
    static T* const outside = new T;
    return *outside;
  }
  // As for a local static, the construction happens before whoever finds the object.
  const bool weak = scheduler->memory().weak() && !scheduler->observing();
  const std::uint32_t thread = scheduler->running().number;
  const detail::Scheduler::Quiet quiet(*scheduler);
  if (void* const found = scheduler->globals().find(&key)) {
    if (weak) {
      scheduler->memory().obtain(&key, thread);
    }
    return *static_cast<T*>(found);
  }
  T& made = scheduler->globals().add(&key, std::make_unique<T>());
  if (weak) {
    if (scheduler->plain_data().used()) {
      scheduler->plain_data().watch(
          &made, sizeof made,
          {scheduler->memory().epoch(thread), static_cast<std::uint16_t>(thread), 0, detail::PlainData::Kind::made, 0});
    }
    scheduler->memory().publish(&key, thread);
  }
  return made;
}

}  // namespace toto::inline v0_1::testing

#endif  // TOTO_TESTING_SIM_RUNTIME_HPP
