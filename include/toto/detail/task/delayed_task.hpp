// SPDX-License-Identifier: MIT
//
// DelayedTask: a callable that is added to a queue when its time has come, once or periodically. Shared by the armed
// timer and the BasicTimer that can stop it. Its calls are submitted with a token of the timer's, which a callable that
// takes a StopToken listens to as well. Read next: ../../queue_view.hpp.

#ifndef TOTO_DETAIL_TASK_DELAYED_TASK_HPP
#define TOTO_DETAIL_TASK_DELAYED_TASK_HPP

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "../../duration.hpp"
#include "../../errors.hpp"
#include "../../timer.hpp"
#include "../executor/repeating_timer.hpp"
#include "../executor/timer.hpp"
#include "../ground/annotations.hpp"
#include "../ground/callable.hpp"
#include "../ground/ref.hpp"
#include "../queue/queue_core.hpp"
#include "../queue/queued_task.hpp"
#include "submission.hpp"

namespace toto::inline v0_1::detail {

/// Every call is submitted with a token, so that one that is queued when the timer is stopped is taken out.
template <class Runtime, class F>
class DelayedTask final : public RepeatingTimer<Runtime> {
  /// One call in the queue. The call ends when this object is destroyed: for a coroutine, when the coroutine has ended.
  class Round {
   public:
    explicit Round(DelayedTask& task) noexcept : task_(Ref<DelayedTask>::share(std::addressof(task))) {}
    Round(Round&& other) noexcept = default;
    Round& operator=(Round&&) = delete;
    ~Round() {
      if (task_) {
        if (task_->once()) {
          task_->end();  // it has run, was cancelled, or has never been queued
        }
        task_->stage_.store(Stage::idle, std::memory_order_release);  // pairs with call()
      }
    }
    /// Returns false if the call was stopped before it began.
    bool begin() noexcept {
      task_->stage_.store(Stage::running, std::memory_order_relaxed);
      return task_->once() ? task_->end() : !task_->ended();
    }
    F& function() const noexcept { return task_->function_; }

   private:
    Ref<DelayedTask> task_;
  };

 public:
  using TimePoint = typename Runtime::Clock::time_point;

  /// What the queue calls, with a token if the callable takes one. Its type tells whether that is a coroutine.
  struct Call {
    Round round;

    template <class... Token>
      requires((sizeof...(Token) == 0 || detail::may_take<F&, 0, typename Runtime::StopToken>()) &&
               std::is_invocable_v<F&, Token...>)
    auto operator()(Token... token) {
      if constexpr (IsTask<std::invoke_result_t<F&, Token...>>::value) {
        return run(round, std::move(token)...);
      } else if (round.begin()) {
        static_cast<void>(detail::invoke(round.function(), std::move(token)...));
      }
    }
    TOTO_COROUTINES_BEGIN
    template <class... Token>
    static Task<> run(Round& round, Token... token) {
      if (round.begin()) {
        co_await detail::invoke(round.function(), std::move(token)...);
      }
    }
    TOTO_COROUTINES_END
  };

  /// `lane` and `control`: of the view that its calls are added by.
  /// Throws: std::bad_alloc; what copying or moving the function throws.
  template <class Fn>
  DelayedTask(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane, const Control<Runtime>& control,
              TimePoint first, Duration period, Fn&& function)
      : RepeatingTimer<Runtime>(first, period),
        core_(Ref<QueueCore<Runtime>>::share(&core)),
        lane_(lane),
        control_(control),
        function_(std::forward<Fn>(function)) {
    control_.set(stop_.get_token());
    if (control.token().stop_possible()) {
      forward_.emplace(control.token(), Forward{stop_});
    }
  }

  /// Afterwards no call is queued, either, and one that runs was asked to stop. Blocks for an instant, while the timer
  /// hands the task over.
  void stop() noexcept override {
    RepeatingTimer<Runtime>::stop();
    stop_.request_stop();
  }
  bool stopped() const noexcept override {
    return this->ended() || stop_.stop_requested() ||
           (stage_.load(std::memory_order_relaxed) != Stage::queued && core_->closed());
  }

 protected:
  ~DelayedTask() override = default;

 private:
  /// Passes on the stop request of the view's token. Owns what it needs: it may run while the task is being destroyed.
  struct Forward {
    typename Runtime::StopSource to;
    void operator()() noexcept { to.request_stop(); }
  };

  /// Of its call: idle -> queued -> running -> idle. One that is cancelled is never running.
  enum class Stage : unsigned char { idle, queued, running };

  /// Throws: std::bad_alloc, std::system_error.
  void wait() override { TimerService<Runtime>::instance().add(*this, nullptr); }
  bool leave() noexcept override { return TimerService<Runtime>::instance().remove(*this, nullptr); }

  /// On the timer thread. If the previous call has not ended, this tick is skipped. Acquire: a call sees what the one
  /// before has written, on whatever thread.
  void call() noexcept override {
    if (stopped() || stage_.load(std::memory_order_acquire) != Stage::idle) {
      return;
    }
    stage_.store(Stage::queued, std::memory_order_relaxed);
    try {
      core_->beyond_bound([this](bool reserved) {  // the timer thread cannot wait for room
        detail::submit_call<void>(*core_, lane_, control_, reserved, Call{Round(*this)});
      });
    } catch (const QueueClosed&) {
      this->end();
    } catch (...) {
      report(std::current_exception());
    }
  }
  void report(const std::exception_ptr& why) noexcept override { core_->report(why); }

  const Ref<QueueCore<Runtime>> core_;
  const Ref<Lane<Runtime>> lane_;
  Control<Runtime> control_;
  typename Runtime::StopSource stop_;  // what the token of its calls listens to
  std::optional<typename Runtime::template StopCallback<Forward>> forward_;
  typename Runtime::template Atomic<Stage> stage_{Stage::idle};
  F function_;
};

/// Adds `fn` after `first`, and, unless `period` is never(), after each further `period`.
/// Throws: std::invalid_argument, std::bad_alloc, std::system_error, what copying `fn` throws.
template <class Runtime, class F>
BasicTimer<Runtime> add_delayed(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane,
                                const Control<Runtime>& control, Duration first, Duration period, F&& fn) {
  check_times(first, period);
  detail::check_callable(fn);
  using Task = DelayedTask<Runtime, std::decay_t<F>>;
  static_assert(CallTraits<Runtime, typename Task::Call>::kValid,
                "toto: fn must be callable repeatedly, without arguments or with a StopToken");
  return TimerAccess::start<Runtime>(
      new Task(core, lane, control, first.after(Runtime::Clock::now()), period, std::forward<F>(fn)));
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_DELAYED_TASK_HPP
