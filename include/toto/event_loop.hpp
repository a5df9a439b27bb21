// SPDX-License-Identifier: MIT
//
// EventLoop: runs coroutines, posted functions and timers on one thread, in order. Coroutines that suspend on the loop
// come back to it. A program that already has a loop uses ExecutorRef instead. Read next: sync_wait.hpp.

#ifndef TOTO_EVENT_LOOP_HPP
#define TOTO_EVENT_LOOP_HPP

#include <stdexcept>
#include <type_traits>
#include <utility>

#include "detail/ground/callable.hpp"
#include "detail/loop/loop_core.hpp"
#include "detail/loop/loop_timer.hpp"
#include "detail/task/awaitable.hpp"
#include "duration.hpp"
#include "executor.hpp"
#include "options.hpp"
#include "sleep_for.hpp"
#include "task.hpp"
#include "timer.hpp"

namespace toto::inline v0_1 {

/// An event loop for one thread: the one that calls run() or run_sync().
///
/// Lifetime: the destructor destroys the coroutines that the loop started and that wait on it, and drops posted
/// functions. A coroutine that is away, because it moved to a queue or another executor, is not touched: it continues
/// without a home, and is destroyed when it ends. Any other coroutine that would come back continues as if it had no
/// home: on the worker that finishes the task it waits for; on a worker of that task's queue if the task has already
/// ended; or, after sleep_for, or if there is no such queue or it has ended, on the timer thread. The destructor itself
/// resumes the coroutine only if the timer thread cannot be started, or after a call() on a queue that has ended.
/// Called from something that the loop runs, the destructor returns at once, and run() does the rest before it returns.
/// On another thread it makes run() return, and blocks until it has.
/// Thread safety: One thread at a time, except post, spawn, call_later, post_after, post_every and stop, which are
/// thread-safe.
template <class Runtime = StdRuntime>
class BasicEventLoop {
 public:
  BasicEventLoop() : core_(detail::Ref<Core>::adopt(new Core(this))) {}
  BasicEventLoop(const BasicEventLoop&) = delete;
  BasicEventLoop& operator=(const BasicEventLoop&) = delete;
  ~BasicEventLoop() { core_->finish(); }

  /// Runs what is posted, due and spawned until stop(), or until nothing is left: no posted function, no timer, no
  /// spawned coroutine that has not ended. May be called again.
  /// Blocks: until then.
  /// Throws: what a posted function or a spawned coroutine threw; everything else waits for the next run().
  /// std::logic_error if the loop is already running.
  void run() { core_->run_all(); }

  /// Makes run() return after the function or coroutine that it is running now; posted functions stay until the loop
  /// runs again. A request made while the loop is not running ends the next run: run() then returns at once, or
  /// run_sync() throws Error. Thread-safe.
  void stop() noexcept { core_->stop(); }

  /// Runs the loop until `awaitable` is done, and returns its result or throws what it threw.
  /// Blocks: until then.
  /// Throws: also what run() throws, and toto::Error if the loop is stopped or destroyed first. In that case the
  /// awaitable has begun, and the coroutine that awaits it here is destroyed, unless it is away. If the loop was
  /// already running, nothing has begun.
  template <class Awaitable>
  detail::AwaitResult<Awaitable> run_sync(Awaitable&& awaitable) {
    using A = std::remove_cvref_t<Awaitable>;
    if constexpr (detail::IsTask<A>::value && std::is_rvalue_reference_v<Awaitable&&>) {
      return core_->run_one(static_cast<Task<typename A::value_type>&&>(awaitable));
    } else {
      return core_->run_one(detail::await_one<std::remove_reference_t<Awaitable>&>(awaitable));
    }
  }

  /// Calls `fn()` on the loop's thread, after everything posted before. If `fn` returns a Task, the Task runs to its
  /// end as if it had been spawned, and `fn` is kept until then; call_later and the timers do the same. Thread-safe.
  /// Throws: std::invalid_argument for a null callable; std::bad_alloc.
  template <class F>
  void post(F&& fn) {
    require_callable<F>();
    detail::check_callable(fn);
    core_->post_function(std::forward<F>(fn));
  }

  /// Calls `fn()` on the loop's thread after `delay`, which must be 0 or more. Thread-safe.
  /// Throws: std::invalid_argument for a negative delay or NaN, or a null callable; std::bad_alloc.
  template <class F>
  void call_later(Duration delay, F&& fn) {
    post_after(delay, std::forward<F>(fn)).detach();
  }

  /// The same, but returns a timer that can stop the call, from any thread, and does so when it is destroyed.
  template <class F>
  BasicTimer<Runtime> post_after(Duration delay, F&& fn) {
    return start(delay, Duration::never(), std::forward<F>(fn));
  }

  /// The same after each `period`, which must be positive, until the timer is stopped or destroyed. Ticks are skipped
  /// while the loop is busy or not running, or the Task of a call has not ended; later ticks stay on schedule.
  template <class F>
  BasicTimer<Runtime> post_every(Duration period, F&& fn) {
    return start(period, period, std::forward<F>(fn));
  }

  /// Starts the coroutine on the loop's thread. The loop owns the coroutine. Its exception propagates out of run(); its
  /// result is discarded. Thread-safe.
  /// Throws: std::invalid_argument for an empty task; std::bad_alloc.
  template <class T>
  void spawn(Task<T> task) {
    detail::check_not_empty(task);
    detail::spawn_on<Runtime>(*core_, std::move(task));
  }

  /// Returns this loop as a place to continue on: `std::move(handle).resume_on(loop)`.
  BasicExecutorRef<Runtime> executor() noexcept {
    return detail::Access::make<BasicExecutorRef<Runtime>>(detail::Ref<detail::ExecutorCore<Runtime>>(core_));
  }

  /// Returns the loop that is running on the calling thread, or null.
  static BasicEventLoop* current() noexcept {
    auto* const executor = detail::ThreadContext<Runtime>::current().executor;
    return executor == nullptr ? nullptr : static_cast<BasicEventLoop*>(executor->event_loop());
  }

 private:
  using Core = detail::LoopCore<Runtime>;

  template <class F>
  static consteval void require_callable() {
    static_assert(std::is_invocable_v<std::decay_t<F>&>,
                  "toto: a loop calls fn without arguments; capture them in a lambda");
  }

  template <class F>
  BasicTimer<Runtime> start(Duration first, Duration period, F&& fn) {
    require_callable<F>();
    detail::check_times(first, period);
    detail::check_callable(fn);
    return detail::TimerAccess::start<Runtime>(new detail::LoopTimer<Runtime, std::decay_t<F>>(
        *core_, first.after(Runtime::Clock::now()), period, std::forward<F>(fn)));
  }

  detail::Ref<Core> core_;
};

using EventLoop = BasicEventLoop<StdRuntime>;

}  // namespace toto::inline v0_1

#endif  // TOTO_EVENT_LOOP_HPP
