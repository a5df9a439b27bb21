// SPDX-License-Identifier: MIT
//
// What SimRuntime's mutexes, parkers and atomics are made of: their state, and the operations on it that the scheduler
// sees. Outside a simulation there is one thread, no other to switch to, and a wait that would never end aborts the
// program. Read next: sim_runtime.hpp.

#ifndef TOTO_TESTING_PRIMITIVES_HPP
#define TOTO_TESTING_PRIMITIVES_HPP

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "scheduler.hpp"

namespace toto::inline v0_1::testing::detail {

[[noreturn]] inline void fail_outside(const char* text) noexcept {
  std::fprintf(stderr, "toto::testing: outside a simulation: %s\n", text);
  std::abort();
}

/// Gives up the schedule, or the program if there is none.
[[noreturn]] inline void fail_anywhere(const char* text) noexcept {
  if (Scheduler* const scheduler = Scheduler::current()) {
    scheduler->fail(text);
  }
  fail_outside(text);
}

/// Knows whether it is alive, and has a number within a schedule.
class Primitive {
 public:
  constexpr Primitive() noexcept = default;
  // Volatile, because a compiler may drop a store to an object that is about to be destroyed.
  ~Primitive() { const_cast<volatile std::uint32_t&>(life_) = kDead; }
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

 protected:
  /// Called before each use. Detects a use after destruction, as far as the memory still shows it.
  void check_alive(const char* text) const noexcept {
    if (const_cast<const volatile std::uint32_t&>(life_) != kAlive) [[unlikely]] {
      fail_anywhere(text);
    }
  }

  /// Returns true if this is the first use in the present schedule.
  bool meet(Scheduler& scheduler) const noexcept {
    if (schedule_ == scheduler.schedule()) {
      return false;
    }
    schedule_ = scheduler.schedule();
    number_ = scheduler.next_number();
    return true;
  }
  bool met(const Scheduler& scheduler) const noexcept { return schedule_ == scheduler.schedule(); }
  std::uint32_t number() const noexcept { return number_; }

 private:
  static constexpr std::uint32_t kAlive = 0x746f746fU;
  static constexpr std::uint32_t kDead = 0xdeadbeefU;

  std::uint32_t life_ = kAlive;
  mutable std::uint32_t number_ = 0;
  mutable std::uint64_t schedule_ = 0;
};

/// A mutex that the first thread to try gets, whether it was waiting or has just arrived.
class MutexState : public Primitive {
 public:
  constexpr MutexState() noexcept = default;
  ~MutexState() {
    Scheduler* const scheduler = Scheduler::current();
    if (scheduler != nullptr && met(*scheduler) && owner_ != 0) {
      scheduler->fail("mutex " + std::to_string(number()) + " is destroyed while " +
                      scheduler->threads().name_of(owner_) + " holds it");
    }
  }

  void lock() noexcept {
    Scheduler* const scheduler = begin();
    if (scheduler == nullptr) {
      lock_outside();
      return;
    }
    if (owner_ == scheduler->running().number) {
      scheduler->fail("mutex " + std::to_string(number()) + " is locked by the thread that holds it");
    }
    if (owner_ != 0) {
      scheduler->block({.kind = Wait::Kind::mutex, .word = &owner_, .object = number()}, "lock a mutex");
    }
    take(*scheduler, Operation::lock);
  }

  bool try_lock() noexcept {
    Scheduler* const scheduler = begin();
    if (scheduler == nullptr) {
      return owner_ == 0 && (lock_outside(), true);
    }
    if (owner_ == 0) {
      take(*scheduler, Operation::try_lock);
      return true;
    }
    if (owner_ == scheduler->running().number && !scheduler->observing()) {
      scheduler->fail("mutex " + std::to_string(number()) + " is tried by the thread that holds it");
    }
    scheduler->step({.operation = Operation::try_lock, .outcome = Outcome::refused, .object = number()});
    return false;
  }

  void unlock() noexcept {
    Scheduler* const scheduler = begin();
    if (scheduler == nullptr) {
      owner_ = 0;
      return;
    }
    if (owner_ != scheduler->running().number) {
      scheduler->fail("mutex " + std::to_string(number()) + " is unlocked by a thread that does not hold it");
    }
    owner_ = 0;
    scheduler->count_locks(-1);
    scheduler->step({.operation = Operation::unlock, .object = number()});  // *this may be gone after this line
  }

 private:
  static constexpr std::uint32_t kOutside = 0xffffffffU;

  Scheduler* begin() noexcept {
    check_alive("a mutex is used after its destruction");
    Scheduler* const scheduler = Scheduler::current();
    if (scheduler != nullptr && meet(*scheduler)) {
      owner_ = 0;
    }
    return scheduler;
  }

  void lock_outside() noexcept {
    if (owner_ == kOutside) {
      fail_outside("a locked mutex is locked again");
    }
    owner_ = kOutside;
  }

  void take(Scheduler& scheduler, Operation operation) noexcept {
    owner_ = scheduler.running().number;
    scheduler.count_locks(1);
    scheduler.step({.operation = operation, .object = number()});
  }

  std::uint32_t owner_ = 0;  ///< the number of the thread that holds it, or 0
};

/// A token that one thread waits for.
class ParkerState : public Primitive {
 public:
  constexpr ParkerState() noexcept = default;
  ~ParkerState() {
    Scheduler* const scheduler = Scheduler::current();
    if (scheduler != nullptr && met(*scheduler) && parked_ != 0) {
      scheduler->fail("parker " + std::to_string(number()) + " is destroyed while " +
                      scheduler->threads().name_of(parked_) + " is parked on it");
    }
  }

  /// Returns false at the deadline.
  bool park_until(TimePoint deadline) noexcept {
    Scheduler* const scheduler = begin();
    if (scheduler == nullptr) {
      return park_outside(deadline);
    }
    if (parked_ != 0) {
      scheduler->fail("two threads park on parker " + std::to_string(number()));
    }
    bool spurious = false;
    if (token_ == 0 && deadline > scheduler->now()) {
      parked_ = scheduler->running().number;
      spurious = scheduler->block(
          {.kind = Wait::Kind::parker, .word = &token_, .until_set = true, .object = number(), .deadline = deadline},
          "park");
      parked_ = 0;
    }
    const Outcome outcome = token_ != 0 ? Outcome::token : spurious ? Outcome::spurious : Outcome::expired;
    token_ = 0;
    scheduler->step({.operation = Operation::park, .outcome = outcome, .object = number()});
    return outcome != Outcome::expired;
  }

  void unpark() noexcept {
    Scheduler* const scheduler = begin();
    token_ = 1;
    if (scheduler != nullptr) {
      scheduler->step({.operation = Operation::unpark, .object = number()});  // *this may be gone after this line
    }
  }

  bool has_token() const noexcept { return token_ != 0; }

 private:
  Scheduler* begin() noexcept {
    check_alive("a parker is used after its destruction");
    Scheduler* const scheduler = Scheduler::current();
    if (scheduler != nullptr && meet(*scheduler)) {
      parked_ = 0;
    }
    return scheduler;
  }

  bool park_outside(TimePoint deadline) noexcept {
    if (token_ == 0 && deadline == (TimePoint::max)()) {
      fail_outside("a thread parks that nobody can wake");
    }
    return std::exchange(token_, 0) != 0;
  }

  std::uint32_t token_ = 0;
  std::uint32_t parked_ = 0;  ///< the number of the thread that is parked, or 0
};

/// The part of an atomic that does not depend on its type.
class AtomicState : public Primitive {
 public:
  constexpr AtomicState() noexcept = default;

 protected:
  /// Before an operation.
  Scheduler* begin() const noexcept {
    check_alive("an atomic is used after its destruction");
    return Scheduler::current();
  }

  /// After it: the atomic has `value` now. *this may be gone on return.
  template <class T>
  void end(Scheduler* scheduler, Operation operation, const T& value, Outcome outcome = Outcome::plain) const noexcept {
    if (scheduler == nullptr) {
      return;
    }
    meet(*scheduler);
    Event event{.operation = operation, .outcome = outcome, .object = number()};
    detail::set_value(event, value);
    scheduler->step(event);
  }
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_PRIMITIVES_HPP
