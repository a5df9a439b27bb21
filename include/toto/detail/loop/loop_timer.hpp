// SPDX-License-Identifier: MIT
//
// LoopTimer: a function that an event loop calls when its time has come, once or periodically. Read next:
// ../../event_loop.hpp.

#ifndef TOTO_DETAIL_LOOP_LOOP_TIMER_HPP
#define TOTO_DETAIL_LOOP_LOOP_TIMER_HPP

#include <atomic>
#include <exception>
#include <type_traits>
#include <utility>

#include "../../duration.hpp"
#include "../../task.hpp"
#include "../executor/repeating_timer.hpp"
#include "../ground/ref.hpp"
#include "loop_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime, class F>
class LoopTimer final : public RepeatingTimer<Runtime> {
 public:
  template <class Fn>
  LoopTimer(LoopCore<Runtime>& loop, typename Runtime::Clock::time_point first, Duration period, Fn&& function)
      : RepeatingTimer<Runtime>(first, period),
        loop_(Ref<LoopCore<Runtime>>::share(&loop)),
        function_(std::forward<Fn>(function)) {}

  void stop() noexcept override {
    // Relaxed: the loop's mutex, which the next line takes, orders it with being armed again.
    stopped_.store(true, std::memory_order_relaxed);
    this->take_back();
  }
  bool stopped() const noexcept override { return stopped_.load(std::memory_order_relaxed); }

 protected:
  ~LoopTimer() override = default;

 private:
  /// One coroutine: it ends when its frame does.
  struct Round {
    explicit Round(LoopTimer& of) noexcept : timer(Ref<LoopTimer>::share(&of)) {}
    Round(Round&&) noexcept = default;
    Round& operator=(Round&&) = delete;
    ~Round() {
      if (timer) {
        timer->open_ = false;
      }
    }
    Ref<LoopTimer> timer;
  };
  static Task<> run_round(Round round) {
    auto task = round.timer->function_();
    co_await task;
  }

  /// Throws: std::bad_alloc.
  void wait() override { loop_->add_timer(*this); }
  bool leave() noexcept override { return loop_->take_back(*this); }

  /// On the loop's thread. A callable that returns a Task is skipped while its previous call has not ended, as in
  /// DelayedTask. The loop may end in here.
  void call() noexcept override {
    if (stopped()) {
      return;
    }
    if (this->once()) {
      stopped_.store(true, std::memory_order_relaxed);
    }
    try {
      if constexpr (IsTask<std::remove_cvref_t<std::invoke_result_t<F&>>>::value) {
        if (!std::exchange(open_, true)) {
          loop_->start(run_round(Round(*this)));
        }
      } else {
        static_cast<void>(function_());
      }
    } catch (...) {
      loop_->fail(std::current_exception());
    }
  }
  void fail(std::exception_ptr why) noexcept override {
    stopped_.store(true, std::memory_order_relaxed);
    loop_->fail(std::move(why));
  }

  const Ref<LoopCore<Runtime>> loop_;
  typename Runtime::template Atomic<bool> stopped_{false};
  bool open_ = false;  // the loop destroys the frames of its tasks where it runs
  F function_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_LOOP_LOOP_TIMER_HPP
