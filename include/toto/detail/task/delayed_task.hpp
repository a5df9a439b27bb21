// SPDX-License-Identifier: MIT
//
// DelayedTask: a callable that is added to a queue when its time has come, once or periodically. Shared by the armed
// timer and the BasicTimer that can stop it. Its calls are submitted with a token of the timer's, which a callable that
// takes a StopToken listens to as well. Read next: ../../queue_view.hpp.

#ifndef TOTO_DETAIL_TASK_DELAYED_TASK_HPP
#define TOTO_DETAIL_TASK_DELAYED_TASK_HPP

#include <atomic>
#include <exception>
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

/// Its stage: idle -> queued -> running -> idle; idle, queued, running -> stopped. One that is run once is stopped
/// after that. Every call has a token, so that one that is queued when the timer is stopped is taken out.
template <class Runtime>
class DelayedTask : public RepeatingTimer<Runtime> {
 public:
  using TimePoint = typename Runtime::Clock::time_point;

  /// `lane` and `control`: of the view that its calls are added by.
  /// Throws: std::bad_alloc.
  DelayedTask(QueueCore<Runtime>& core, Ref<Lane<Runtime>> lane, const Control<Runtime>& control, TimePoint first,
              Duration period)
      : RepeatingTimer<Runtime>(first, period),
        core_(Ref<QueueCore<Runtime>>::share(&core)),
        lane_(std::move(lane)),
        control_(control) {
    control_.set(stop_.get_token());
    if (control.token().stop_possible()) {
      forward_.emplace(control.token(), Forward{stop_});
    }
  }

  /// Afterwards no call is queued, either, and one that runs was asked to stop. Blocks for an instant, while the timer
  /// hands the task over.
  void stop() noexcept final {
    stage_.store(Stage::stopped, std::memory_order_relaxed);  // orders nothing: one word decides who is first
    this->take_back();
    stop_.request_stop();
  }

  bool stopped() const noexcept final {
    const Stage stage = stage_.load(std::memory_order_relaxed);
    return stage == Stage::stopped || (stage == Stage::running && this->once()) || stop_.stop_requested() ||
           (stage != Stage::queued && core_->closed());
  }

 protected:
  /// One call in the queue. The call ends when this object is destroyed: for a coroutine, when the coroutine has ended.
  class Round {
   public:
    explicit Round(Ref<DelayedTask> task) noexcept : task_(std::move(task)) {}
    Round(Round&& other) noexcept = default;
    Round& operator=(Round&&) = delete;
    ~Round() {
      const Stage after = task_ && task_->once() ? Stage::stopped : Stage::idle;
      if (task_ && !task_->move(Stage::running, after)) {
        task_->move(Stage::queued, after);  // it was cancelled, or has never been queued
      }
    }
    /// Returns false if the call was stopped before it began.
    bool begin() noexcept { return task_->move(Stage::queued, Stage::running); }
    DelayedTask& task() const noexcept { return *task_; }

   private:
    Ref<DelayedTask> task_;
  };

  /// Adds a call to the queue.
  /// Throws: what adding a task throws.
  virtual void add_call(Round round) = 0;

  QueueCore<Runtime>& core() const noexcept { return *core_; }
  const Ref<Lane<Runtime>>& lane() const noexcept { return lane_; }
  const Control<Runtime>& control() const noexcept { return control_; }

 private:
  /// Passes on the stop request of the view's token. Owns what it needs: it may run while the task is being destroyed.
  struct Forward {
    typename Runtime::StopSource to;
    void operator()() noexcept { to.request_stop(); }
  };

  enum class Stage : unsigned char { idle, queued, running, stopped };

  /// acq_rel: pairs with itself. A call sees what the one before has written, on whatever thread.
  bool move(Stage from, Stage to) noexcept {
    return stage_.compare_exchange_strong(from, to, std::memory_order_acq_rel, std::memory_order_relaxed);
  }

  /// Throws: std::bad_alloc, std::system_error.
  void wait() final { TimerService<Runtime>::instance().add(*this, nullptr); }
  bool leave() noexcept final { return TimerService<Runtime>::instance().remove(*this, nullptr); }

  /// On the timer thread.
  void call() noexcept final {
    if (move(Stage::idle, Stage::queued)) {  // otherwise the previous call has not ended, and this tick is skipped
      try {
        add_call(Round(Ref<DelayedTask>::share(this)));
      } catch (const QueueClosed&) {
        stage_.store(Stage::stopped, std::memory_order_relaxed);
      } catch (...) {
        core_->report(std::current_exception());
      }
    }
  }
  void fail(std::exception_ptr why) noexcept final {
    stage_.store(Stage::stopped, std::memory_order_relaxed);
    core_->report(why);
  }

  const Ref<QueueCore<Runtime>> core_;
  const Ref<Lane<Runtime>> lane_;
  Control<Runtime> control_;
  typename Runtime::StopSource stop_;  // what the token of its calls listens to
  std::optional<typename Runtime::template StopCallback<Forward>> forward_;
  typename Runtime::template Atomic<Stage> stage_{Stage::idle};
};

template <class Runtime, class F>
class DelayedCall final : public DelayedTask<Runtime> {
  using Round = typename DelayedTask<Runtime>::Round;

 public:
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
        static_cast<void>(detail::invoke(function(round), std::move(token)...));
      }
    }
    TOTO_COROUTINES_BEGIN
    template <class... Token>
    static Task<> run(Round& round, Token... token) {
      if (round.begin()) {
        co_await detail::invoke(function(round), std::move(token)...);
      }
    }
    TOTO_COROUTINES_END
    static F& function(const Round& round) noexcept { return static_cast<DelayedCall&>(round.task()).function_; }
  };

  template <class Fn>
  DelayedCall(QueueCore<Runtime>& core, Ref<Lane<Runtime>> lane, const Control<Runtime>& control,
              typename DelayedTask<Runtime>::TimePoint first, Duration period, Fn&& function)
      : DelayedTask<Runtime>(core, std::move(lane), control, first, period), function_(std::forward<Fn>(function)) {}

 protected:
  ~DelayedCall() override = default;

 private:
  void add_call(Round round) override {
    this->core().beyond_bound([&](bool booked) {  // the timer thread cannot wait for room
      detail::submit_call<void>(this->core(), this->lane(), this->control(), booked, Call{std::move(round)});
    });
  }

  F function_;
};

/// Adds `fn` after `first`, and, unless `period` is never(), after each further `period`.
/// Throws: std::invalid_argument, std::bad_alloc, std::system_error, what copying `fn` throws.
template <class Runtime, class F>
BasicTimer<Runtime> add_delayed(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane,
                                const Control<Runtime>& control, Duration first, Duration period, F&& fn) {
  check_times(first, period);
  detail::check_callable(fn);
  using Task = DelayedCall<Runtime, std::decay_t<F>>;
  static_assert(CallTraits<Runtime, typename Task::Call>::kValid,
                "toto: fn cannot be called repeatedly, either without arguments or with a StopToken");
  return TimerAccess::start<Runtime>(
      new Task(core, lane, control, first.after(Runtime::Clock::now()), period, std::forward<F>(fn)));
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_DELAYED_TASK_HPP
