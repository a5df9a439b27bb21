// SPDX-License-Identifier: MIT
//
// DelayedTask: a callable that is added to a queue when its time has come, once or every so often. The armed timer and
// the BasicTimer that can stop it share it. Read next: ../timer.hpp.

#ifndef TOTO_DETAIL_DELAYED_TASK_HPP
#define TOTO_DETAIL_DELAYED_TASK_HPP

#include <atomic>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>

#include "../duration.hpp"
#include "../errors.hpp"
#include "queue_core.hpp"
#include "ref.hpp"
#include "submission.hpp"
#include "timer.hpp"

namespace toto::inline v0::detail {

/// Its stage: idle -> queued -> running -> idle; idle, queued, running -> stopped.
template <class Runtime>
class DelayedTask : public RefCounted<Runtime>, private TimerNode<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;

  /// Period: never, for a task that is run once.
  DelayedTask(QueueCore<Runtime>& core, TimePoint first, Duration period) noexcept
      : core_(Ref<QueueCore<Runtime>>::share(&core)), period_(period) {
    this->deadline = first;
    this->run = [](Continuation& node, Turn) noexcept { static_cast<DelayedTask&>(node).fire(); };
  }

  /// Arms the timer, which owns this too from now on.
  /// Throws: std::bad_alloc, std::system_error; then it is not armed.
  void arm() { TimerService<Runtime>::instance().arm(*this, *this); }

  /// From its return no call begins. Blocks for an instant, while the timer hands the task over.
  void stop() noexcept {
    stage_.store(Stage::stopped, std::memory_order_relaxed);  // orders nothing: one word decides who is first
    TimerService<Runtime>::instance().disarm(*this, *this);
  }

  bool stopped() const noexcept { return stage_.load(std::memory_order_relaxed) == Stage::stopped; }

 protected:
  /// One call in the queue. Ends when it is destroyed: for a coroutine, when that has ended.
  class Round {
   public:
    explicit Round(Ref<DelayedTask> task) noexcept : task_(std::move(task)) {}
    Round(Round&& other) noexcept = default;
    Round& operator=(Round&&) = delete;
    ~Round() {
      if (task_ && !task_->move(Stage::running, Stage::idle)) {
        task_->move(Stage::queued, Stage::idle);  // it was cancelled, or has never been queued
      }
    }
    /// False: it was stopped before it began.
    bool begin() noexcept { return task_->move(Stage::queued, Stage::running); }
    DelayedTask& task() const noexcept { return *task_; }

   private:
    Ref<DelayedTask> task_;
  };

  /// Adds a call to the queue.
  /// Throws: what adding a task throws.
  virtual void add_call(Round round) = 0;

  QueueCore<Runtime>& core() const noexcept { return *core_; }

 private:
  enum class Stage : unsigned char { idle, queued, running, stopped };

  bool move(Stage from, Stage to) noexcept {
    return stage_.compare_exchange_strong(from, to, std::memory_order_relaxed);
  }

  /// On the thread of the timers: its time has come.
  void fire() noexcept {
    const Ref<DelayedTask> kept = Ref<DelayedTask>::adopt(this);  // the timer's
    if (move(Stage::idle, Stage::queued)) {  // or else the call before is not over, and this one is left out
      try {
        add_call(Round(kept));
      } catch (const QueueClosed&) {
        stage_.store(Stage::stopped, std::memory_order_relaxed);
      } catch (...) {
        core_->report(std::current_exception());
      }
    }
    if (!period_.is_never() && !stopped()) {
      arm_again();
    }
  }

  void arm_again() noexcept {
    const TimePoint now = Clock::now();
    do {
      this->deadline = period_.after(this->deadline);
    } while (this->deadline <= now);
    try {
      arm();
    } catch (...) {
      stage_.store(Stage::stopped, std::memory_order_relaxed);
      core_->report(std::current_exception());
    }
  }

  const Ref<QueueCore<Runtime>> core_;
  const Duration period_;
  typename Runtime::template Atomic<Stage> stage_{Stage::idle};
};

template <class Runtime, class F>
class DelayedCall final : public DelayedTask<Runtime> {
 public:
  template <class Fn>
  DelayedCall(QueueCore<Runtime>& core, typename DelayedTask<Runtime>::TimePoint first, Duration period, Fn&& function)
      : DelayedTask<Runtime>(core, first, period), function_(std::forward<Fn>(function)) {}

 private:
  using Round = typename DelayedTask<Runtime>::Round;
  using Returned = std::invoke_result_t<F&>;

  ~DelayedCall() override = default;

  /// What the queue calls. Its type tells whether that is a coroutine.
  struct Call {
    Round round;

    auto operator()() {
      if constexpr (IsTask<Returned>::value) {
        return run(round);
      } else if (round.begin()) {
        static_cast<void>(std::invoke(static_cast<DelayedCall&>(round.task()).function_));
      }
    }
    static Task<> run(Round& round) {
      if (round.begin()) {
        co_await std::invoke(static_cast<DelayedCall&>(round.task()).function_);
      }
    }
  };

  void add_call(Round round) override {
    this->core().reserve_beyond_bound();  // the thread of the timers cannot wait for room
    try {
      submit_call<void>(this->core(), {}, Control<Runtime>(), true, Call{std::move(round)});
    } catch (...) {
      this->core().return_reservation();
      throw;
    }
  }

  F function_;
};

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_DELAYED_TASK_HPP
