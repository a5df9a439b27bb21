// SPDX-License-Identifier: MIT
//
// TimeoutAwaiter: awaits one task for a limited time. Whichever comes first, the end of the task or the time limit,
// continues the coroutine; the other finds that it is too late. Read next: join.hpp, ../../task_handle.hpp.

#ifndef TOTO_DETAIL_TASK_TIMEOUT_AWAITER_HPP
#define TOTO_DETAIL_TASK_TIMEOUT_AWAITER_HPP

#include <atomic>
#include <coroutine>
#include <new>
#include <string>
#include <utility>

#include "../../duration.hpp"
#include "../../errors.hpp"
#include "../executor/timer.hpp"
#include "../ground/text.hpp"
#include "join.hpp"
#include "result_state.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// Shared by the coroutine, the task while it is observed, and the timer while it is armed.
template <class Runtime>
class TimedWait final : public JoinOfTask<Runtime>, private TimerNode<Runtime> {
 public:
  using State = TaskState<Runtime>;

  TimedWait(State& state, Duration limit) noexcept : state_(state) {
    this->deadline = limit.after(Runtime::Clock::now());
    this->run = [](Continuation& node, Turn) noexcept { static_cast<TimedWait&>(node).expire(); };
  }

  /// Throws: std::bad_alloc, std::system_error; then nothing waits.
  void start_timer() {
    TimerService<Runtime>& timers = TimerService<Runtime>::instance();
    timers.use();
    timers.arm(*this, *this);
  }
  /// Once this has returned, the task is no longer touched.
  void stop_timer() noexcept { TimerService<Runtime>::instance().disarm(*this, *this); }

  /// Whether the timer came first. The timer is stopped.
  bool expired() const noexcept { return expired_; }

  /// It has expired, and the timer is stopped.
  TimedOut error(Duration limit) const {
    return TimedOut(detail::join({"toto: did not end ", within_text(limit),
                                  cancelled_ ? ", and was cancelled before it began" : ", and continues",
                                  ": a task of queue '", state_.core().name(), "'", details_}));
  }

  void happened(Worker<Runtime>* worker, QueueCore<Runtime>* queue, bool ahead) noexcept override {
    if (comes_first()) {
      Join<Runtime>::happened(worker, queue, ahead);
    }
  }

 protected:
  ~TimedWait() override = default;

 private:
  /// The task or the timer. Relaxed: the join orders what the coroutine reads.
  bool comes_first() noexcept { return !decided_.exchange(true, std::memory_order_relaxed); }

  /// On the timer thread, which owns this.
  void expire() noexcept {
    if (comes_first()) {
      expired_ = true;
      const auto core = Ref<QueueCore<Runtime>>::share(&state_.core());
      note_details();
      cancelled_ = state_.cancel_queued();
      TimerService<Runtime>::instance().has_run();
      Join<Runtime>::happened(nullptr, core.get());
    }
    this->release();
  }

  /// What the task waits for, as long as it does.
  void note_details() noexcept {
    try {
      details_ = state_.blocking_details();
    } catch (const std::bad_alloc&) {  // then the text lacks it
    }
  }

  State& state_;
  // Written by the timer before it tells the join.
  std::string details_;
  bool expired_ = false;
  bool cancelled_ = false;
  typename Runtime::template Atomic<bool> decided_{false};
};

template <class T, class Runtime>
class TimeoutAwaiter : public HandleAwaiter<T, Runtime> {
 public:
  TimeoutAwaiter(ResultState<T, Runtime>* state, Duration limit) noexcept
      : HandleAwaiter<T, Runtime>(state), limit_(limit) {}
  TimeoutAwaiter(TimeoutAwaiter&&) noexcept = default;
  TimeoutAwaiter& operator=(TimeoutAwaiter&&) = delete;
  ~TimeoutAwaiter() {
    if (wait_) {
      wait_->stop_timer();
    }
  }

  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    ResultState<T, Runtime>& state = *this->state();
    TimedWait<Runtime>& wait = wait_.adopt(new TimedWait<Runtime>(state, limit_));
    wait.arm(coroutine);
    wait.start_timer();
    wait.observe(state);
    return !wait.started();  // *this may be gone after this line
  }

  T await_resume() {
    if (wait_) {
      wait_->stop_timer();
      if (wait_->expired()) {
        throw wait_->error(limit_);
      }
    }
    return HandleAwaiter<T, Runtime>::await_resume();
  }

 private:
  Duration limit_;
  JoinOwner<TimedWait<Runtime>> wait_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_TIMEOUT_AWAITER_HPP
