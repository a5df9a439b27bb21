// SPDX-License-Identifier: MIT
//
// BasicTimer: what add_task_after and add_task_every return; stops the task that is to come. Read next: task_queue.hpp.

#ifndef TOTO_TIMER_HPP
#define TOTO_TIMER_HPP

#include <utility>

#include "detail/delayed_task.hpp"
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

  /// No call begins from its return on; one that is running goes on. May be called in the task itself.
  void stop() noexcept {
    if (task_) {
      task_->stop();
      task_ = {};
    }
  }

  /// Lets the task come without anybody who could stop it.
  void detach() && noexcept { task_ = {}; }

  /// Whether a call may still come: false after stop(), and once the queue has refused one. A task that is to run once
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
  /// Throws: std::bad_alloc, std::system_error, what copying `fn` throws.
  template <class Runtime, class F>
  static BasicTimer<Runtime> start(QueueCore<Runtime>& core, Duration first, Duration period, F&& fn) {
    check_callable(fn);
    using Task = DelayedCall<Runtime, std::decay_t<F>>;
    static_assert(std::is_invocable_v<std::decay_t<F>&>, "toto: fn cannot be called without arguments");
    auto task = Ref<DelayedTask<Runtime>>::adopt(
        new Task(core, first.after(Runtime::Clock::now()), period, std::forward<F>(fn)));
    task->arm();
    return BasicTimer<Runtime>(std::move(task));
  }
};

}  // namespace detail
}  // namespace toto::inline v0

#endif  // TOTO_TIMER_HPP
