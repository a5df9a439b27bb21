// SPDX-License-Identifier: MIT
//
// What SimRuntime's mutexes, parkers and atomics are made of: their state, and the operations on it that the scheduler
// sees. Outside a simulation there is one thread, no other to switch to, and a wait that would never end aborts the
// program. Read next: sim_runtime.hpp.

#ifndef TOTO_TESTING_PRIMITIVES_HPP
#define TOTO_TESTING_PRIMITIVES_HPP

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <utility>

#include "scheduler.hpp"
#include "weak_access.hpp"

namespace toto::inline v0_1::testing::detail {

[[noreturn]] inline void fail_outside(const char* text) noexcept {
  std::fprintf(stderr, "toto::testing: outside a simulation: %s\n", text);
  std::abort();
}

/// Abandons the schedule, or the program if there is none.
[[noreturn]] inline void fail_anywhere(const char* text) noexcept {
  if (Scheduler* const scheduler = Scheduler::current()) {
    scheduler->fail(text);
  }
  fail_outside(text);
}

/// Knows whether it is alive, and has a number within a schedule. Under Memory::weak, its construction has to happen
/// before each use, and each use before its destruction.
class Primitive {
 public:
  constexpr Primitive() noexcept {
    if (!std::is_constant_evaluated()) {
      begin_life();
    }
  }
  ~Primitive() {
    if (number_ != 0) {
      end_life();
    }
    const_cast<volatile std::uint32_t&>(life_) = kDead;  // volatile, for a compiler may drop a store to a dying object
  }
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
    if (met(scheduler)) {
      return false;
    }
    schedule_ = scheduler.schedule();
    number_ = scheduler.next_number();
    if (scheduler.memory().weak()) {
      const Scheduler::Quiet quiet(scheduler);
      scheduler.memory().find(number_);
    }
    return true;
  }
  bool met(const Scheduler& scheduler) const noexcept { return schedule_ == scheduler.schedule(); }
  std::uint32_t number() const noexcept { return number_; }

  /// Before each use: what the memory model knows of this object. Null unless memory is weak, and for an observer,
  /// which sees the newest values and establishes no order.
  Location* location(Scheduler* scheduler) const noexcept {
    if (scheduler == nullptr || !scheduler->memory().weak() || scheduler->observing()) {
      return nullptr;
    }
    meet(*scheduler);
    const Scheduler::Quiet quiet(*scheduler);
    MemoryModel& memory = scheduler->memory();
    Location& location = memory.location(number_);
    if (!memory.use(location, scheduler->running().number)) {
      scheduler->fail("data race: it uses " + name() + ", but its construction by " +
                      scheduler->threads().name_of(memory.maker(location)) + " does not happen before");
    }
    return &location;
  }

 private:
  static constexpr std::uint32_t kAlive = 0x746f746fU;
  static constexpr std::uint32_t kDead = 0xdeadbeefU;

  std::string name() const { return "the mutex, parker or atomic " + std::to_string(number_); }

  void begin_life() noexcept {
    Scheduler* const scheduler = Scheduler::current();
    if (scheduler != nullptr && scheduler->memory().weak()) {
      meet(*scheduler);
      const Scheduler::Quiet quiet(*scheduler);
      scheduler->memory().make(number_, scheduler->running().number);
    }
  }

  void end_life() noexcept {
    Scheduler* const scheduler = Scheduler::current();
    if (scheduler == nullptr || !met(*scheduler) || !scheduler->memory().weak() || scheduler->observing()) {
      return;
    }
    const Scheduler::Quiet quiet(*scheduler);
    MemoryModel& memory = scheduler->memory();
    if (const std::uint32_t user = memory.still_used_by(memory.location(number_), scheduler->running().number)) {
      scheduler->fail("data race: it destroys " + name() + ", but the last use by " +
                      scheduler->threads().name_of(user) + " does not happen before");
    }
  }

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
    static_cast<void>(location(scheduler));
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
      scheduler->fail("mutex " + std::to_string(number()) + " was unlocked by a thread that did not hold it");
    }
    owner_ = 0;
    scheduler->count_locks(-1);
    if (Location* const here = location(scheduler)) {
      scheduler->memory().hand_over(*here, scheduler->running().number);
    }
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
    if (Location* const here = location(&scheduler)) {
      scheduler.memory().take_over(*here, owner_);
    }
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
    exchange_token(*scheduler, 0, std::memory_order_acquire);
    scheduler->step({.operation = Operation::park, .outcome = outcome, .object = number()});
    return outcome != Outcome::expired;
  }

  void unpark() noexcept {
    Scheduler* const scheduler = begin();
    if (scheduler == nullptr) {
      token_ = 1;
      return;
    }
    exchange_token(*scheduler, 1, std::memory_order_release);
    scheduler->step({.operation = Operation::unpark, .object = number()});  // *this may be gone after this line
  }

  bool has_token() const noexcept {
    std::uint32_t seen = token_;
    Scheduler* const scheduler = Scheduler::current();
    if (const WeakAccess access(scheduler, location(scheduler), &token_, sizeof token_); access.weak()) {
      access.load(std::memory_order_relaxed, &seen);
    }
    return seen != 0;
  }

 private:
  // To the memory model, the token is an atomic that is exchanged, and loaded by who only looks.
  void exchange_token(Scheduler& scheduler, std::uint32_t token, std::memory_order order) noexcept {
    if (const WeakAccess access(&scheduler, location(&scheduler), &token_, sizeof token_); access.weak()) {
      access.exchange_newest(order, &token);
    }
    token_ = token;
  }

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
      fail_outside("a thread parks, and no other thread can wake it");
    }
    return std::exchange(token_, 0) != 0;
  }

  std::uint32_t token_ = 0;
  std::uint32_t parked_ = 0;  ///< the number of the thread that is parked, or 0
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_PRIMITIVES_HPP
