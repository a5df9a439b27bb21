// SPDX-License-Identifier: MIT
//
// sleep_for(d): suspends a coroutine for a duration without holding a thread.

#ifndef TOTO_SLEEP_FOR_HPP
#define TOTO_SLEEP_FOR_HPP

#include <coroutine>
#include <stdexcept>

#include "detail/executor/timer.hpp"
#include "duration.hpp"
#include "options.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

namespace detail {

template <class Runtime>
class [[nodiscard("co_await it: calling sleep_for alone does not wait")]] SleepAwaiter {
 public:
  explicit SleepAwaiter(Duration length) noexcept : length_(length) {}
  /// Only before it is awaited.
  SleepAwaiter(SleepAwaiter&& other) noexcept : length_(other.length_) {}
  SleepAwaiter& operator=(SleepAwaiter&&) = delete;
  ~SleepAwaiter() {
    if (home_ && !home_->remove_timer(timer_)) {
      TimerService<Runtime>::instance().remove(timer_, home_.get());
    }
  }

  static bool await_ready() noexcept { return false; }
  template <class Promise>
  TOTO_NOINLINE void await_suspend(std::coroutine_handle<Promise> coroutine) {
    ExecutorCore<Runtime>* const executor = ThreadContext<Runtime>::current().executor;
    if (executor == nullptr) {
      throw std::logic_error("toto: sleep_for has no loop, queue or executor to resume on; await it on one");
    }
    timer_.coroutine = coroutine;
    timer_.run = &SleepAwaiter::wake;
    timer_.deadline = length_.after(Runtime::Clock::now());
    home_ = Ref<ExecutorCore<Runtime>>::share(executor);
    try {
      // *this may be gone as soon as the timer is added.
      if (!executor->add_timer(timer_)) {
        TimerService<Runtime>::instance().add(timer_, executor);
      }
    } catch (...) {
      home_ = {};
      throw;
    }
  }
  void await_resume() noexcept { home_ = {}; }

 private:
  struct Timer : TimerNode<Runtime> {
    std::coroutine_handle<> coroutine;
  };

  static void wake(Continuation& node, Turn turn) noexcept {
    auto& timer = static_cast<Timer&>(node);
    if (turn == Turn::homeless) {  // the loop was destroyed: the timer thread takes over
      try {
        TimerService<Runtime>::instance().add(timer, nullptr);
        return;
      } catch (...) {  // no memory, no thread: the sleep ends early rather than never
      }
    }
    timer.coroutine.resume();
  }

  Duration length_;
  Timer timer_;
  Ref<ExecutorCore<Runtime>> home_;
};

}  // namespace detail

/// Awaitable on a loop, a queue or a user's own executor: the coroutine continues there after `length`, at once for 0.
/// It holds no thread meanwhile; all timers except those of loops share one thread per process.
/// Throws: std::invalid_argument for a negative length or NaN; when awaited, std::logic_error if there is no loop,
/// queue or executor, std::bad_alloc, std::system_error.
/// Thread safety: Thread-safe.
template <class Runtime = StdRuntime>
[[nodiscard("co_await it: calling sleep_for alone does not wait")]] auto sleep_for(Duration length) {
  detail::check_duration(length, "length");
  return detail::SleepAwaiter<Runtime>(length);
}

}  // namespace toto::inline v0_1

#endif  // TOTO_SLEEP_FOR_HPP
