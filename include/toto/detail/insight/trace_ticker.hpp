// SPDX-License-Identifier: MIT
//
// TraceTicker: has the timer thread write a trace every so often. Read next: ../../trace.hpp.

#ifndef TOTO_DETAIL_INSIGHT_TRACE_TICKER_HPP
#define TOTO_DETAIL_INSIGHT_TRACE_TICKER_HPP

#include <atomic>

#include "../../duration.hpp"
#include "../../runtime.hpp"
#include "../executor/timer.hpp"

namespace toto::inline v0_1::detail {

class TraceTicker final : private TimerNode<StdRuntime> {
 public:
  /// `call(context)` is called after each `period`, until stop().
  using Call = void (*)(void* context) noexcept;

  TraceTicker(Duration period, Call call, void* context) noexcept : period_(period), call_(call), context_(context) {
    this->run = [](Continuation& node, Turn) noexcept { static_cast<TraceTicker&>(node).tick(); };
  }
  TraceTicker(const TraceTicker&) = delete;
  TraceTicker& operator=(const TraceTicker&) = delete;

  /// Throws: std::bad_alloc, std::system_error.
  void start() {
    if (!period_.is_never()) {
      this->deadline = period_.after(Clock::now());
      TimerService<StdRuntime>::instance().add(*this, nullptr);
    }
  }
  /// Blocks: while it is called, unless by that.
  void stop() noexcept {
    stopped_.store(true, std::memory_order_relaxed);  // the mutex of the timers orders it with tick()
    if (!period_.is_never()) {
      TimerService<StdRuntime>::instance().remove(*this, nullptr);
    }
  }

 private:
  using Clock = StdRuntime::Clock;

  void tick() noexcept {
    call_(context_);
    if (!stopped_.load(std::memory_order_relaxed)) {
      try {
        start();
      } catch (...) {  // no memory: the trace is written when its buffer is full
      }
    }
  }

  const Duration period_;
  const Call call_;
  void* const context_;
  StdRuntime::Atomic<bool> stopped_{false};
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_INSIGHT_TRACE_TICKER_HPP
