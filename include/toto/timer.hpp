// SPDX-License-Identifier: MIT
//
// BasicTimer: what add_task_after and add_task_every return; stops the task that is to come. Read next: task_queue.hpp.

#ifndef TOTO_TIMER_HPP
#define TOTO_TIMER_HPP

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "detail/delayed_task.hpp"
#include "duration.hpp"
#include "runtime.hpp"

namespace toto::inline v0 {

namespace detail {
struct TimerAccess;
}

/// A task that will be added to a queue later, once or every so often. Destroying the timer stops it.
///
/// Thread safety: One thread at a time.
template <class Runtime = StdRuntime>
class [[nodiscard("destroying the timer stops it; keep it, or say std::move(timer).detach()")]] BasicTimer {
 public:
  /// A timer without a task.
  BasicTimer() noexcept = default;
  BasicTimer(BasicTimer&&) noexcept = default;
  BasicTimer& operator=(BasicTimer&& other) noexcept {
    if (this != &other) {
      stop();
      task_ = std::move(other.task_);
    }
    return *this;
  }
  ~BasicTimer() { stop(); }

  /// No call begins from its return on; one that is running goes on, and sees the request if it has taken a StopToken.
  /// May be called in the task itself.
  void stop() noexcept {
    if (const auto task = std::move(task_)) {  // a stop callback may come here again
      task->stop();
    }
  }

  /// Lets the task come without anybody who could stop it.
  void detach() && noexcept { task_ = {}; }

  /// Whether a call may still come: false after stop(), once the queue has refused one, and once a token that the view
  /// had has stopped it. A task that is to run once
  /// stays active.
  bool active() const noexcept { return task_ && !task_->stopped(); }

 private:
  friend detail::TimerAccess;
  explicit BasicTimer(detail::Ref<detail::DelayedTask<Runtime>> task) noexcept : task_(std::move(task)) {}

  detail::Ref<detail::DelayedTask<Runtime>> task_;
};

using Timer = BasicTimer<StdRuntime>;

namespace detail {

struct TimerAccess {
  /// Throws: std::invalid_argument, std::bad_alloc, std::system_error, what copying `fn` throws.
  template <class Runtime, class F>
  static BasicTimer<Runtime> after(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane,
                                   const Control<Runtime>& control, Duration delay, F&& fn) {
    check_duration(delay, "delay");
    return start(core, lane, control, delay, Duration::never(), std::forward<F>(fn));
  }
  template <class Runtime, class F>
  static BasicTimer<Runtime> every(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane,
                                   const Control<Runtime>& control, Duration period, F&& fn) {
    check_duration(period, "period");
    if (period == Duration()) {
      throw std::invalid_argument("toto: period is 0; give a length of time above 0");
    }
    return start(core, lane, control, period, period, std::forward<F>(fn));
  }

 private:
  template <class Runtime, class F>
  static BasicTimer<Runtime> start(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane,
                                   const Control<Runtime>& control, Duration first, Duration period, F&& fn) {
    check_callable(fn);
    using Task = DelayedCall<Runtime, std::decay_t<F>>;
    static_assert(Task::kPlain || Task::kTakesToken,
                  "toto: fn cannot be called again and again, without arguments or with a StopToken");
    auto task = Ref<DelayedTask<Runtime>>::adopt(
        new Task(core, lane, control, first.after(Runtime::Clock::now()), period, std::forward<F>(fn)));
    task->arm();
    return BasicTimer<Runtime>(std::move(task));
  }
};

}  // namespace detail
}  // namespace toto::inline v0

#endif  // TOTO_TIMER_HPP
