// SPDX-License-Identifier: MIT
//
// TaskHandle<T>: what yield_task returns, the eager result of one task. A coroutine can await it, a thread can block on
// it, or it can be dropped; the task runs in any case. Read next: task_queue.hpp.

#ifndef TOTO_TASK_HANDLE_HPP
#define TOTO_TASK_HANDLE_HPP

#include <type_traits>
#include <utility>

#include "detail/ground/lean_std.hpp"
#include "detail/ground/temporaries.hpp"
#include "detail/task/blocking.hpp"
#include "detail/task/moving_awaiter.hpp"
#include "detail/task/result_state.hpp"
#include "detail/task/timeout_awaiter.hpp"
#include "duration.hpp"
#include "executor.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

/// The result of one task that was added to a queue. Move-only; the task is already queued or running.
///
/// T is void, an lvalue reference, or a value that can be moved or copied and is not const. Dropping the handle
/// detaches the task: it still runs, its result is destroyed, and a failure goes to the queue's on_error. A handle may
/// outlive its queue. If the destructor of T throws, the program ends.
/// Thread safety: One thread at a time, except ready, wait, wait_for, wait_until and cancel, which are thread-safe
/// against each other and against the task, but not against moving, awaiting or destroying the handle.
template <class T = void, class Runtime = StdRuntime>
class [[nodiscard(
    "dropping the handle detaches the task; say std::move(handle).detach(), or use add_task")]] TaskHandle {
 public:
  using value_type = T;
  static_assert(detail::require_result<T>());

  /// An empty handle, to assign to.
  TaskHandle() noexcept = default;
  TaskHandle(TaskHandle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  TaskHandle& operator=(TaskHandle&& other) noexcept {
    TaskHandle moved(std::move(other));
    std::swap(state_, moved.state_);
    return *this;
  }
  ~TaskHandle() {
    if (state_ != nullptr) {
      state_->drop();
    }
  }

  /// Returns the task's result, or throws what the task threw. Takes the task out of the handle, so it can be awaited
  /// only once.
  ///
  /// Does not suspend if the task has ended. Otherwise the coroutine is resumed once.
  /// Throws: what the task threw; TaskCancelled; NoState if the handle is empty.
  /// Resumes on: the home of the coroutine (on the very worker that finished the task, if that worker belongs to the
  /// same queue); without a home, on that worker, or, if no worker finished the task, on a worker of the task's queue.
  auto operator co_await() noexcept { return detail::HandleAwaiter<T, Runtime>(std::exchange(state_, nullptr)); }

  /// Await this instead: the coroutine continues on `executor`, even if the task has already ended.
  auto resume_on(BasicExecutorRef<Runtime> executor) && { return relocate<false>(detail::Access::core(executor)); }
  void resume_on(BasicExecutorRef<Runtime> executor) & = delete;  // say std::move(handle).resume_on(...)

  /// Await this instead: the coroutine continues on the worker that finishes the task, without a hop.
  auto resume_inline() && { return relocate<false>({}); }
  void resume_inline() & = delete;  // say std::move(handle).resume_inline()

  /// Await this instead: waits for at most `limit`. After that, a task that has not begun is cancelled; a running task
  /// is detached and continues.
  /// Throws: std::invalid_argument for NaN; when awaited, TimedOut, std::bad_alloc, std::system_error, and as co_await.
  /// Resumes on: as co_await. The captures of a task that is cancelled are destroyed on the timer thread.
  auto(timeout)(Duration limit) && { return limited<false>(limit); }  // in brackets: <curses.h> has such a macro
  void(timeout)(Duration limit) & = delete;                           // say std::move(handle).timeout(...)

  /// Waits for the task and returns its result, which is moved out, or copied if it cannot be moved. The handle is
  /// empty afterwards.
  ///
  /// Blocks: until the task has ended.
  /// Throws: what the task threw; TaskCancelled; NoState; DeadlockError, on a worker or on a thread that holds
  /// instances of a pool, if the task could never end because it needs this thread; the handle then keeps its task.
  T get() {
    wait();
    return std::exchange(state_, nullptr)->consume();
  }

  /// Blocks: until the task has ended.
  /// Throws: NoState, DeadlockError (see get).
  void wait() const { state().wait_until((TimePoint::max)()); }

  /// Returns true if the task has ended, false after `limit`; 0 or less does not wait.
  /// Blocks: for at most `limit`.
  /// Throws: NoState; std::invalid_argument for NaN.
  bool wait_for(Duration limit) const {
    detail::check_not_nan(limit, "limit");
    if (limit == Duration() || limit.is_negative()) {
      return state().ready();
    }
    return state().wait_until(limit.after(Runtime::Clock::now()));
  }

  /// The same with a time point of any clock and unit; one that cannot be represented means never. A clock other than
  /// the steady clock is read once, now.
  template <class Clock, class Length>
  bool wait_until(std::chrono::time_point<Clock, Length> deadline) const {
    if constexpr (std::is_same_v<std::chrono::time_point<Clock, Length>, TimePoint>) {
      return state().wait_until(deadline);
    } else {
      const Duration left = detail::time_between(Clock::now(), deadline);
      detail::check_not_nan(left, "deadline");
      return wait_for(left);
    }
  }

  /// Returns whether the task has ended. False for an empty handle.
  bool ready() const noexcept { return state_ != nullptr && state_->ready(); }

  /// Returns whether the handle has a task: false once its result was taken, and if the handle is empty or moved from.
  bool valid() const noexcept { return state_ != nullptr; }

  /// Cancels the task. Returns true if it will never run; its captures are destroyed, and anyone waiting for it gets
  /// TaskCancelled. Returns false if the task has ended or is running; a running task is asked to stop through its
  /// StopToken, if it takes one, and still has a result.
  bool cancel() noexcept { return state_ != nullptr && state_->cancel(); }

  /// Detaches the task; it still runs. The same as destroying the handle, but explicit.
  void detach() && noexcept { *this = TaskHandle(); }
  void detach() & = delete;  // say std::move(handle).detach()

 protected:
  using State = detail::ResultState<T, Runtime>;
  using TimePoint = typename Runtime::Clock::time_point;

  explicit TaskHandle(State* state) noexcept : state_(state) {}

  /// `executor`: null, wherever the task ends.
  template <bool kTemporary>
  auto relocate(detail::Ref<detail::ExecutorCore<Runtime>> executor) noexcept {
    using Awaiter = detail::MovingHandleAwaiter<T, Runtime>;
    return detail::Awaitable<Awaiter, kTemporary>(Awaiter(std::exchange(state_, nullptr), std::move(executor)));
  }

  template <bool kTemporary>
  auto limited(Duration limit) {
    detail::check_not_nan(limit, "limit");
    using Awaiter = detail::TimeoutAwaiter<T, Runtime>;
    return detail::Awaitable<Awaiter, kTemporary>(Awaiter(std::exchange(state_, nullptr), limit));
  }

 private:
  friend detail::Access;

  State& state() const {
    if (state_ == nullptr) {
      detail::throw_no_task();
    }
    return *state_;
  }

  State* state_ = nullptr;
};

namespace detail {

/// A handle made from a callable or arguments that the compiler would destroy twice if this were awaited in the same
/// expression; see temporaries.hpp.
template <class T, class Runtime>
class [[nodiscard(
    "dropping the handle detaches the task; say std::move(handle).detach(), or use add_task")]] UnstoredHandle
    : public TaskHandle<T, Runtime> {
 public:
  static constexpr bool kMustBeStored = true;
  using TaskHandle<T, Runtime>::TaskHandle;

  auto operator co_await() & noexcept { return static_cast<TaskHandle<T, Runtime>&>(*this).operator co_await(); }
  template <class Self = UnstoredHandle>
  auto operator co_await() && noexcept {
    static_assert(!std::is_same_v<Self, UnstoredHandle>, TOTO_STORE_THE_HANDLE_FIRST);
    return static_cast<TaskHandle<T, Runtime>&>(*this).operator co_await();
  }
  auto resume_on(BasicExecutorRef<Runtime> executor) && {
    return this->template relocate<true>(detail::Access::core(executor));
  }
  auto resume_inline() && { return this->template relocate<true>({}); }
  auto(timeout)(Duration limit) && { return this->template limited<true>(limit); }
};

/// The handle to an R that was made from these callables and arguments, deduced as for forwarding references.
template <class R, class Runtime, class... Given>
using HandleFrom =
    std::conditional_t<(kDestroyedTwice<Given> || ...), UnstoredHandle<R, Runtime>, TaskHandle<R, Runtime>>;

template <class T>
struct IsHandle : std::false_type {};
template <class T, class Runtime>
struct IsHandle<TaskHandle<T, Runtime>> : std::true_type {};
template <class T, class Runtime>
struct IsHandle<UnstoredHandle<T, Runtime>> : std::true_type {};

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_TASK_HANDLE_HPP
