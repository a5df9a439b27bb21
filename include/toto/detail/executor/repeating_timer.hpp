// SPDX-License-Identifier: MIT
//
// RepeatingTimer: what is called when its time has come, once or periodically. Shared by the BasicTimer that can stop
// it and the place where it waits. Read next: ../../timer.hpp, ../task/delayed_task.hpp, ../loop/loop_timer.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_REPEATING_TIMER_HPP
#define TOTO_DETAIL_EXECUTOR_REPEATING_TIMER_HPP

#include <atomic>
#include <exception>

#include "../../duration.hpp"
#include "../ground/ref.hpp"
#include "timer_heap.hpp"

namespace toto::inline v0_1::detail {

/// Returns the first point in time that has not passed yet, in steps of `period`, or of a tick of the clock, from
/// `last`.
template <class Clock>
typename Clock::time_point next_time(typename Clock::time_point last, Duration period) noexcept {
  using TimePoint = typename Clock::time_point;
  using Length = typename Clock::duration;
  const auto whole = std::chrono::duration_cast<Length>(period.nanoseconds());
  const Length step = whole < Length(1) ? Length(1) : whole;
  const TimePoint now = Clock::now();
  if (now > last) {
    last += (now - last) / step * step;  // in one step: a short period may have passed many times
  }
  return last > (TimePoint::max)() - step ? (TimePoint::max)() : last + step;
}

template <class Runtime>
class RepeatingTimer : public RefCounted<Runtime>, protected TimerNode<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;

  /// Once this has returned, no call begins. Thread-safe.
  virtual void stop() noexcept {
    end();
    take_back();
  }
  /// Whether no call will begin any more. Thread-safe.
  virtual bool stopped() const noexcept { return ended(); }

  /// From now on the place where it waits owns it, too, until it is due or taken back.
  /// Throws: what wait() throws; then it is not armed.
  void arm() {
    auto owned = Ref<RepeatingTimer>::share(this);
    wait();
    owned.leak();  // it may have been due by now
  }

 protected:
  /// Period: never, for a single call.
  RepeatingTimer(TimePoint first, Duration period) noexcept : period_(period) {
    this->deadline = first;
    this->run = [](Continuation& node, Turn turn) noexcept { static_cast<RepeatingTimer&>(node).fire(turn); };
  }

  bool once() const noexcept { return period_.is_never(); }

  /// Whether end() was called. Relaxed, both: the mutex of the place where this waits orders it with being armed again.
  bool ended() const noexcept { return ended_.load(std::memory_order_relaxed); }
  /// From now on no call begins. Returns false if that was so already.
  bool end() noexcept { return !ended_.exchange(true, std::memory_order_relaxed); }

 private:
  /// Adds this to the timers of the place where it waits.
  virtual void wait() = 0;
  /// Takes it back from there. Returns false if it is not there.
  virtual bool leave() noexcept = 0;
  /// It is due. It stays until this has returned.
  virtual void call() noexcept = 0;
  /// An exception of the timer's own: it could not be armed again, and has ended.
  virtual void report(const std::exception_ptr& why) noexcept = 0;

  /// Homeless: it never will be due.
  void fire(Turn turn) noexcept {
    const auto kept = Ref<RepeatingTimer>::adopt(this);  // of the place where it has waited
    if (turn == Turn::homeless) {
      return;
    }
    call();
    if (!once() && !stopped()) {
      arm_again();
    }
  }
  void arm_again() noexcept {
    this->deadline = detail::next_time<Clock>(this->deadline, period_);
    try {
      arm();
    } catch (...) {
      end();
      report(std::current_exception());
    }
    if (stopped()) {  // before it was armed
      take_back();
    }
  }

  void take_back() noexcept {
    if (leave()) {
      this->release();
    }
  }

  const Duration period_;
  typename Runtime::template Atomic<bool> ended_{false};
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_REPEATING_TIMER_HPP
