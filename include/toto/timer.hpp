// SPDX-License-Identifier: MIT
//
// BasicTimer: what add_task_after, add_task_every, post_after and post_every return; it can stop them. Read
// next: task_queue.hpp, event_loop.hpp.

#ifndef TOTO_TIMER_HPP
#define TOTO_TIMER_HPP

#include <utility>

#include "detail/executor/repeating_timer.hpp"
#include "detail/ground/ref.hpp"
#include "duration.hpp"
#include "options.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

namespace detail {
struct TimerAccess;
}

/// A task that will be added to a queue later, or a function that a loop will call later, once or periodically.
/// Destroying the timer stops it.
///
/// Thread safety: One thread at a time.
template <class Runtime = StdRuntime>
class [[nodiscard("destroying the timer stops it; keep it, or say std::move(timer).detach()")]] BasicTimer {
 public:
  /// An empty timer, to assign to.
  BasicTimer() noexcept = default;
  BasicTimer(BasicTimer&&) noexcept = default;
  BasicTimer& operator=(BasicTimer&& other) noexcept {
    if (this != &other) {
      stop();
      timer_ = std::move(other.timer_);
    }
    return *this;
  }
  ~BasicTimer() { stop(); }

  /// Stops the timer: once this has returned, no call begins. A queued call is removed from its queue; a running call
  /// continues, and is asked to stop if it takes a StopToken. May be called in the task or function itself.
  void stop() noexcept {
    if (const auto timer = std::move(timer_)) {  // a stop callback may come here again
      timer->stop();
    }
  }

  /// Detaches the timer: it still fires, but can no longer be stopped.
  void detach() && noexcept { timer_ = {}; }

  /// Returns whether a call may still begin: false after stop(), once the only call has begun, when the queue is closed
  /// and no call is queued, and once the view's token has stopped the timer.
  bool active() const noexcept { return timer_ && !timer_->stopped(); }

 private:
  friend detail::TimerAccess;
  explicit BasicTimer(detail::Ref<detail::RepeatingTimer<Runtime>> timer) noexcept : timer_(std::move(timer)) {}

  detail::Ref<detail::RepeatingTimer<Runtime>> timer_;
};

using Timer = BasicTimer<StdRuntime>;

namespace detail {

struct TimerAccess {
  /// Takes ownership of a new timer, and arms it.
  /// Throws: whatever arming the timer throws.
  template <class Runtime>
  static BasicTimer<Runtime> start(RepeatingTimer<Runtime>* made) {
    auto timer = Ref<RepeatingTimer<Runtime>>::adopt(made);
    timer->arm();
    return BasicTimer<Runtime>(std::move(timer));
  }
};

/// Checks the times of a timer; `period` is never() for a single call after `first`.
/// Throws: std::invalid_argument.
inline void check_times(Duration first, Duration period) {
  if (period.is_never()) {
    check_duration(first, "delay");
  } else {
    check_positive(period, "period");
  }
}

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_TIMER_HPP
