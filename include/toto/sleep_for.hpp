// SPDX-License-Identifier: MIT
//
// sleep_for(d): suspends a coroutine for a length of time without holding a thread.

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
  SleepAwaiter(const SleepAwaiter&) = delete;
  SleepAwaiter& operator=(const SleepAwaiter&) = delete;
  ~SleepAwaiter() {
    if (home_) {
      detail::remove_timer(*home_, timer_);
    }
  }

  static bool await_ready() noexcept { return false; }
  template <class Promise>
  TOTO_NOINLINE void await_suspend(std::coroutine_handle<Promise> coroutine) {
    ExecutorCore<Runtime>* const executor = ThreadContext<Runtime>::current().executor;
    if (executor == nullptr) {
      throw std::logic_error("toto: sleep_for needs a loop or a queue to come back to; await it on one");
    }
    timer_.coroutine = coroutine;
    timer_.run = &SleepAwaiter::wake;
    timer_.deadline = length_.after(Runtime::Clock::now());
    home_ = Ref<ExecutorCore<Runtime>>::share(executor);
    try {
      detail::add_timer(*executor, timer_);  // *this may be gone after this line
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
    if (turn == Turn::homeless) {  // the loop was destroyed: the timer's own thread takes over
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

/// To be awaited on a loop, a queue or an executor of the program's own: continues there after `length`, at once for 0.
/// Holds no thread meanwhile; all timers but those of loops share one thread for the whole process.
/// Throws: std::invalid_argument for a negative length or NaN; when awaited, std::logic_error where there is none of
/// them, std::bad_alloc, std::system_error.
template <class Runtime = StdRuntime>
[[nodiscard("co_await it: calling sleep_for alone does not wait")]] auto sleep_for(Duration length) {
  detail::check_duration(length, "length");
  return detail::SleepAwaiter<Runtime>(length);
}

}  // namespace toto::inline v0_1

#endif  // TOTO_SLEEP_FOR_HPP
