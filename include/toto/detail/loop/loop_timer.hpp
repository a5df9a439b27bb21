// SPDX-License-Identifier: MIT
//
// LoopTimer: a function that an event loop calls when its time has come, once or periodically. Read next:
// ../../event_loop.hpp.

#ifndef TOTO_DETAIL_LOOP_LOOP_TIMER_HPP
#define TOTO_DETAIL_LOOP_LOOP_TIMER_HPP

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
    if (this->stopped()) {
      return;
    }
    if (this->once()) {
      this->end();
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
      report(std::current_exception());
    }
  }
  void report(const std::exception_ptr& why) noexcept override { loop_->fail(why); }

  const Ref<LoopCore<Runtime>> loop_;
  bool open_ = false;  // the loop destroys the frames of its tasks where it runs
  F function_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_LOOP_LOOP_TIMER_HPP
