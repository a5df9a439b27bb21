// SPDX-License-Identifier: MIT
//
// LoopTimer: a function that an event loop calls when its time has come, once or periodically. Shared by the loop in
// which it waits and the BasicTimer that can stop it. Read next: ../../event_loop.hpp.

#ifndef TOTO_DETAIL_LOOP_LOOP_TIMER_HPP
#define TOTO_DETAIL_LOOP_LOOP_TIMER_HPP

#include <atomic>
#include <exception>
#include <type_traits>
#include <utility>

#include "../../duration.hpp"
#include "../../task.hpp"
#include "../../timer.hpp"
#include "../executor/timer.hpp"
#include "../ground/ref.hpp"
#include "loop_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class LoopTimer : public StoppableTimer<Runtime>, private TimerNode<Runtime> {
 public:
  using Clock = typename Runtime::Clock;

  /// Period: never, for a function that is called once.
  LoopTimer(LoopCore<Runtime>& loop, typename Clock::time_point first, Duration period) noexcept
      : loop_(Ref<LoopCore<Runtime>>::share(&loop)), period_(period) {
    this->deadline = first;
    this->run = [](Continuation& node, Turn turn) noexcept { static_cast<LoopTimer&>(node).fire(turn); };
  }

  /// The loop, too, owns this timer from now on, until the timer is due or taken back.
  /// Throws: std::bad_alloc; then the loop does not own it.
  void arm() {
    this->retain();
    try {
      loop_->add_timer(*this);
    } catch (...) {
      this->release();
      throw;
    }
  }

  void stop() noexcept final {
    // Relaxed: the loop's mutex, which the next line takes, orders it with arm_again().
    stopped_.store(true, std::memory_order_relaxed);
    take_back();
  }

  bool stopped() const noexcept final { return stopped_.load(std::memory_order_relaxed); }

 protected:
  virtual void call() = 0;
  LoopCore<Runtime>& loop() const noexcept { return *loop_; }

 private:
  void take_back() noexcept {
    if (loop_->take_back(*this)) {
      this->release();
    }
  }

  /// On the loop's thread, or where the loop ends.
  void fire(Turn turn) noexcept {
    const Ref<LoopTimer> kept = Ref<LoopTimer>::adopt(this);  // the loop's
    if (turn != Turn::on_executor || stopped()) {
      return;
    }
    if (period_.is_never()) {
      stopped_.store(true, std::memory_order_relaxed);  // there will be no more calls
    }
    try {
      call();  // *this stays, but the loop may end in there
    } catch (...) {
      loop_->fail(std::current_exception());
    }
    if (!period_.is_never() && !stopped()) {
      arm_again();
    }
  }

  void arm_again() noexcept {
    this->deadline = detail::next_time<Clock>(this->deadline, period_);
    try {
      arm();
    } catch (...) {
      stopped_.store(true, std::memory_order_relaxed);
      loop_->fail(std::current_exception());
      return;
    }
    if (stopped()) {  // before it was armed
      take_back();
    }
  }

  const Ref<LoopCore<Runtime>> loop_;
  const Duration period_;
  typename Runtime::template Atomic<bool> stopped_{false};
};

template <class Runtime, class F>
class LoopCall final : public LoopTimer<Runtime> {
 public:
  template <class Fn>
  LoopCall(LoopCore<Runtime>& loop, typename LoopTimer<Runtime>::Clock::time_point first, Duration period,
           Fn&& function)
      : LoopTimer<Runtime>(loop, first, period), function_(std::forward<Fn>(function)) {}

 private:
  /// One coroutine: it ends when its frame does.
  class Round {
   public:
    explicit Round(LoopCall& call) noexcept : call_(Ref<LoopCall>::share(&call)) {}
    Round(Round&&) noexcept = default;
    Round& operator=(Round&&) = delete;
    ~Round() {
      if (call_) {
        call_->open_ = false;
      }
    }
    F& function() const noexcept { return call_->function_; }

   private:
    Ref<LoopCall> call_;
  };

 protected:
  ~LoopCall() override = default;

 private:
  /// A callable that returns a Task is skipped while its previous call has not ended, as in DelayedTask.
  void call() override {
    if constexpr (IsTask<std::remove_cvref_t<std::invoke_result_t<F&>>>::value) {
      if (!std::exchange(open_, true)) {
        this->loop().start(run(Round(*this)));
      }
    } else {
      static_cast<void>(function_());
    }
  }
  static Task<> run(Round round) {
    auto task = round.function()();
    co_await task;
  }

  bool open_ = false;  // the loop destroys the frames of its tasks where it runs
  F function_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_LOOP_LOOP_TIMER_HPP
