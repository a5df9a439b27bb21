// SPDX-License-Identifier: MIT
//
// Scheduler: runs simulated threads, one at a time, and decides after each operation which one continues, when virtual
// time passes and what the environment refuses. It finds out what went wrong; the Explorer chooses. Read next:
// primitives.hpp, sim_runtime.hpp.

#ifndef TOTO_TESTING_SCHEDULER_HPP
#define TOTO_TESTING_SCHEDULER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "decision_point.hpp"
#include "memory_model.hpp"
#include "observers.hpp"
#include "options.hpp"
#include "plain_data.hpp"
#include "strategies.hpp"
#include "thread_list.hpp"
#include "threads.hpp"
#include "trace.hpp"

namespace toto::inline v0_1::testing::detail {

/// Runs one schedule after another; one simulation at a time on each system thread.
///
/// A decision follows each operation and never precedes it. No other thread can see what a thread does between two
/// operations, except through its next operation, so one decision in the gap is enough; and it comes right after the
/// operation, because there a thread acts on what it has just read, or uses what it has just published.
///
/// Invariants:
///  1. Nothing depends on an address, the time of day or anything else that differs between two runs.
///  2. A thread can continue if its wait is over and no thread that it yields to can.
///  3. yields_to has no cycle: a thread that yields has just run, so no thread yields to it. Hence if any wait is over,
///     some thread can continue.
///  4. While quiet_ is not zero there are no decisions and no events, and allocations are the simulator's own.
///  5. A schedule that failed stays where it is: nothing on its stacks is destroyed or runs again.
class Scheduler {
 public:
  Scheduler(const SimulationOptions& options, Explorer& explorer) : options_(options), explorer_(explorer) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// The one that is running a schedule on this thread of the system, or null.
  static Scheduler* current() noexcept { return current_; }

  /// Runs one schedule, in which `body` is the main thread. Returns false if it failed; then this object must be kept
  /// forever.
  bool run(std::unique_ptr<ThreadBody> body);

  // Operations. Within run() only, like all that follows up to failure().

  /// An operation is done: records it, runs the checks, and lets other threads continue.
  void step(const Event& event) noexcept;
  /// Returns when the wait is over: true if it ended for no reason. `what`: what the thread wants to do.
  bool block(const Wait& wait, const char* what) noexcept;
  /// Lets the others go first.
  void yield() noexcept;
  /// Lets the environment choose a fault, and returns true if it did. `left`, a member of faults(), is how many of that
  /// kind may still happen.
  bool choose_fault(unsigned& left) noexcept;
  /// Returns which of `count` stores an operation meets; 0 is the newest.
  std::size_t choose_store(std::size_t count) noexcept;
  /// Abandons this schedule.
  [[noreturn]] void fail(const std::string& text) noexcept;

  // Threads.

  /// Returns the number of the new thread, which waits to be chosen.
  std::uint32_t start(std::string name, std::unique_ptr<ThreadBody> body);
  ThreadRecord& running() const noexcept { return *running_; }
  const ThreadList& threads() const noexcept { return threads_; }
  void count_locks(int change) noexcept;

  // State.

  TimePoint now() const noexcept { return now_; }
  bool quiet() const noexcept { return quiet_ != 0; }
  bool observing() const noexcept { return observers_.looking(); }
  /// Differs between any two schedules.
  std::uint64_t schedule() const noexcept { return schedule_; }
  /// Numbers mutexes, parkers and atomics in the order of their first use.
  std::uint32_t next_number() noexcept { return ++numbers_; }
  FaultsLeft& faults() noexcept { return faults_; }
  ObjectTable& globals() noexcept { return globals_; }
  std::vector<void (*)()>& exit_functions() noexcept { return exit_functions_; }

  MemoryModel& memory() noexcept { return memory_; }
  PlainData& plain_data() noexcept { return plain_data_; }

  /// What to look at after each operation.
  Observers& observers() noexcept { return observers_; }

  std::size_t allocations() const noexcept { return allocations_; }
  /// 0 means none.
  void fail_allocation(std::size_t nth) noexcept { failing_allocation_ = nth == 0 ? 0 : allocations_ + nth; }
  bool allocation_should_fail() noexcept;

  // What happened.

  const std::string& failure() const noexcept { return failure_; }
  std::size_t steps() const noexcept { return steps_; }
  std::string choices() const { return write_choices(choices_); }
  std::string trace() const {
    return trace_.text([this](std::uint32_t thread) { return threads_.name_of(thread); });
  }

  /// No decisions, no events, no failing allocations in its scope.
  class Quiet {
   public:
    explicit Quiet(Scheduler& scheduler) noexcept : scheduler_(scheduler) { ++scheduler_.quiet_; }
    ~Quiet() { --scheduler_.quiet_; }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

   private:
    Scheduler& scheduler_;
  };

 private:
  static constexpr const char* kDifferent =
      "this schedule differs from an earlier one with the same choices: something depends on more than the choices, or "
      "outlives a schedule; or the replayed choices were recorded with other options";

  void reset();
  static void enter(void* scheduler);
  void finish() noexcept;
  void record(Event event) noexcept;
  void decide(Standing standing) noexcept;
  std::size_t choose();
  void switch_to(ThreadRecord& next) noexcept;
  void leave(ThreadRecord& thread, Fibre& next) noexcept;
  [[noreturn]] void fail_stuck() noexcept;

  static inline constinit thread_local Scheduler* current_ = nullptr;
  static inline constinit thread_local std::uint64_t schedules_ = 0;

  const SimulationOptions options_;
  Explorer& explorer_;
  Fibre outside_;
  std::string failure_;  // empty as long as all is well
  int quiet_ = 0;

  // Of the present schedule.
  std::uint64_t schedule_ = 0;
  ThreadList threads_;
  ThreadRecord* running_ = nullptr;
  TimePoint now_ = origin;
  DecisionPoint point_;
  std::vector<std::uint32_t> choices_;
  Trace trace_;
  std::size_t steps_ = 0;
  std::uint32_t numbers_ = 0;
  int locks_held_ = 0;
  std::size_t allocations_ = 0;
  std::size_t failing_allocation_ = 0;
  FaultsLeft faults_;
  MemoryModel memory_;
  PlainData plain_data_;
  Observers observers_;
  ObjectTable globals_;
  std::vector<void (*)()> exit_functions_;
};

inline bool Scheduler::run(std::unique_ptr<ThreadBody> body) {
  reset();
  start("main", std::move(body));
  running_ = &threads_[1];
  current_ = this;
  outside_.switch_to(*running_->fibre);
  current_ = nullptr;
  if (failure_.empty() && !explorer_.came_to_all()) {
    failure_ = kDifferent;
  }
  if (failure_.empty()) {
    return true;
  }
  for (const auto& thread : threads_.all()) {
    if (thread->fibre != nullptr) {
      thread->fibre->abandon();
    }
  }
  return false;
}

inline void Scheduler::reset() {
  schedule_ = ++schedules_;
  threads_.clear();
  now_ = origin;
  choices_.clear();
  trace_.clear();
  steps_ = 0;
  numbers_ = 0;
  locks_held_ = 0;
  allocations_ = 0;
  failing_allocation_ = 0;
  faults_ = {options_.failing_starts, options_.failing_allocations, options_.spurious_wakeups,
             options_.weak_failures,  options_.start_faults,        0};
  observers_.clear();
  memory_.reset(options_.memory == Memory::weak, options_.time == Time::strict);
  plain_data_.reset();
  running_ = nullptr;
}

inline std::uint32_t Scheduler::start(std::string name, std::unique_ptr<ThreadBody> body) {
  if (threads_.living().size() == ThreadList::max_living) {
    fail("more than 64 threads live at the same time");
  }
  const Quiet quiet(*this);
  ThreadRecord& thread = threads_.add(std::move(name), std::move(body));
  thread.fibre->set_body(&enter, this);
  if (memory_.weak()) {
    memory_.start(running_ == nullptr ? 0 : running_->number, thread.number);
    plain_data_.forget(thread.fibre->stack().bottom(), Stack::size());  // another thread's, which has ended
  }
  return thread.number;
}

inline void Scheduler::enter(void* scheduler) {
  Scheduler& self = *static_cast<Scheduler*>(scheduler);
  ThreadRecord& thread = *self.running_;
  try {
    thread.body->run();
    thread.body.reset();
    if (thread.at_end != nullptr) {
      thread.at_end();
    }
    thread.locals.destroy_all();
  } catch (const std::exception& error) {
    self.fail("an exception escaped: " + std::string(error.what()));
  } catch (...) {
    self.fail("an exception escaped that is not a std::exception");
  }
  self.finish();
}

inline void Scheduler::finish() noexcept {
  if (running_->locks_held != 0) {
    fail("the thread ended while it held a mutex");
  }
  threads_.end(*running_);
  if (threads_.living().empty()) {
    leave(*running_, outside_);
  } else {
    decide(Standing::waits);
  }
}

inline void Scheduler::step(const Event& event) noexcept {
  if (quiet_ != 0) {
    return;
  }
  record(event);
  if (threads_.living().size() > 1) {
    decide(Standing::goes_on);
  }
}

inline void Scheduler::record(Event event) noexcept {
  const Quiet quiet(*this);
  event.thread = running_->number;
  event.time = now_;
  trace_.add(event);
  if (++steps_ > options_.max_steps) {
    fail("livelock: no end after " + std::to_string(options_.max_steps) + " operations; " + threads_.waits_text());
  }
  try {
    observers_.look(locks_held_ != 0);
  } catch (const std::exception& error) {
    fail("an observer threw: " + std::string(error.what()));
  } catch (...) {
    fail("an observer threw something that is not a std::exception");
  }
}

inline bool Scheduler::block(const Wait& wait, const char* what) noexcept {
  if (quiet_ != 0) {
    fail(std::string("an observer, or the constructor of a global object, would have to wait to ") + what);
  }
  ThreadRecord& self = *running_;
  self.wait = wait;
  decide(Standing::waits);
  return std::exchange(self.wait, Wait{}).spurious;
}

inline void Scheduler::yield() noexcept {
  if (quiet_ != 0) {
    return;
  }
  record({.operation = Operation::relax});
  if (threads_.living().size() == 1) {
    return;
  }
  std::uint64_t others = 0;
  for (const ThreadRecord* const thread : threads_.living()) {
    if (thread != running_ && thread->wait.over(now_)) {
      others |= thread->place;
    }
  }
  running_->yields_to = others;
  decide(Standing::yields);
}

inline bool Scheduler::choose_fault(unsigned& left) noexcept {
  if (left == 0 || quiet_ != 0 || running_->sheltered != 0) {
    return false;
  }
  const Quiet quiet(*this);
  point_.offer_fault(*running_);
  const bool fault = choose() != 0;
  left -= fault ? 1 : 0;
  return fault;
}

inline std::size_t Scheduler::choose_store(std::size_t count) noexcept {
  if (count == 1 || quiet_ != 0) {
    return 0;
  }
  const Quiet quiet(*this);
  point_.offer_stores(*running_, count);
  return choose();
}

inline void Scheduler::decide(Standing standing) noexcept {
  Option option{};
  {
    const Quiet quiet(*this);
    point_.look({threads_.living(), *running_, standing, now_, options_.time, faults_.wakeups != 0});
    if (point_.options().empty()) {
      fail_stuck();
    }
    option = point_.options()[choose()];
  }
  ThreadRecord& next = threads_[option.thread];
  if (option.kind == Option::Kind::expire) {
    now_ = (std::max)(now_, next.wait.deadline);
  } else if (option.kind == Option::Kind::spurious) {
    next.wait.spurious = true;
    --faults_.wakeups;
  }
  switch_to(next);
}

inline std::size_t Scheduler::choose() {
  const std::vector<Option>& options = point_.options();
  if (options.size() == 1) {
    return 0;
  }
  const std::size_t chosen = explorer_.choose({options, point_.free()});
  if (chosen >= options.size()) {
    fail(kDifferent);
  }
  choices_.push_back(static_cast<std::uint32_t>(chosen));
  return chosen;
}

inline void Scheduler::leave(ThreadRecord& thread, Fibre& next) noexcept {
  Fibre& left = *thread.fibre;
  if (thread.alive == 0) {
    const Quiet quiet(*this);
    FibrePool::instance().give(std::move(thread.fibre));  // no other thread can take it before the switch
  }
  left.switch_to(next);
}

inline void Scheduler::switch_to(ThreadRecord& next) noexcept {
  for (ThreadRecord* const thread : threads_.living()) {
    thread->yields_to &= ~next.place;
  }
  next.yields_to = 0;
  if (&next == running_) {
    return;
  }
  leave(*std::exchange(running_, &next), *next.fibre);
}

inline void Scheduler::count_locks(int change) noexcept {
  locks_held_ += change;
  running_->locks_held += static_cast<std::uint32_t>(change);
}

inline bool Scheduler::allocation_should_fail() noexcept {
  if (quiet_ != 0 || running_->sheltered != 0) {
    return false;
  }
  ++allocations_;
  if (allocations_ != failing_allocation_ && !choose_fault(faults_.allocations)) {
    return false;
  }
  const Quiet quiet(*this);
  trace_.add({.operation = Operation::allocate, .outcome = Outcome::refused, .thread = running_->number, .time = now_});
  return true;
}

inline void Scheduler::fail(const std::string& text) noexcept {
  ++quiet_;
  failure_ = threads_.name_of(running_->number) + ": " + text;
  if (running_->point != nullptr) {
    failure_ += std::string(" (the last point it reached: \"") + running_->point + "\")";
  }
  running_->fibre->switch_to(outside_);
  std::abort();  // no fibre switches back
}

inline void Scheduler::fail_stuck() noexcept {
  const bool scenario_is_over = threads_[1].wait.kind == Wait::Kind::others;
  fail((scenario_is_over ? "leaked thread: the scenario is over, but: " : "deadlock: ") + threads_.waits_text());
}

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_SCHEDULER_HPP
