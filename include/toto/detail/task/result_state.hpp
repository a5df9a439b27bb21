// SPDX-License-Identifier: MIT
//
// ResultState<R>: a task's state with room for its result. HandleAwaiter: how a coroutine waits for that, and takes it.
// Read next: ../queue/home.hpp.

#ifndef TOTO_DETAIL_TASK_RESULT_STATE_HPP
#define TOTO_DETAIL_TASK_RESULT_STATE_HPP

#include <coroutine>
#include <exception>
#include <utility>

#include "../../errors.hpp"
#include "../../executor.hpp"
#include "../executor/whereabouts.hpp"
#include "../ground/annotations.hpp"
#include "../ground/result.hpp"
#include "../queue/home.hpp"
#include "join.hpp"
#include "supervisor.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

[[noreturn]] TOTO_COLD inline void throw_no_task() {
  throw NoState("toto: this TaskHandle has no task: default-constructed, moved from, or its result taken");
}

/// A state with room for a result of type R.
template <class R, class Runtime>
class ResultState : public TaskState<Runtime> {
 public:
  using TaskState<Runtime>::TaskState;

  /// Moves the result out or throws how the task ended. It is over, and the caller is the only consumer.
  R take() {
    if (result_.outcome() == Outcome::cancelled && this->supervised && this->supervisor()->too_late()) [[unlikely]] {
      detail::throw_cancelled(this->core().name(), "was cancelled because it had not begun in time (start_by)");
    }
    return result_.take(this->core().name());
  }

  Outcome outcome() const noexcept final { return result_.outcome(); }
  std::exception_ptr failure() const noexcept final { return result_.failure(); }

  /// The same as take() for the coroutine that awaited it.
  R take_resumed() {
    if (this->supervised) [[unlikely]] {
      this->supervisor()->resumed();
    }
    return take();
  }

  /// take(), and the end of the handle: frees the block.
  R consume() {
    const Freed after{*this};
    return take();
  }

  /// take_resumed(), and the end of the handle: frees the block.
  R consume_resumed() {
    const Freed after{*this};
    return take_resumed();
  }

 protected:
  ~ResultState() = default;

  Result<R> result_;

 private:
  struct Freed {
    ResultState& state;
    ~Freed() { state.free(); }
  };
};

/// Awaits one task. Takes the handle's place from the co_await on; if it is destroyed while suspended, it drops the
/// task.
template <class T, class Runtime>
class HandleAwaiter {
 public:
  explicit HandleAwaiter(ResultState<T, Runtime>* state) noexcept : state_(state) {}
  HandleAwaiter(HandleAwaiter&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  HandleAwaiter& operator=(HandleAwaiter&&) = delete;
  ~HandleAwaiter() {
    if (state_ != nullptr) {
      state_->drop();
    }
  }

  /// For each handle that is awaited: not a call, however much has been compiled before.
  TOTO_ALWAYS_INLINE bool await_ready() const {
    if (state_ == nullptr) {
      throw_no_task();
    }
    return state_->ready();
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) noexcept {
    // After this the coroutine may run on another thread, and *this be gone.
    return state_->await(coroutine, Home<Runtime>::current(&state_->core()));
  }
  T await_resume() { return std::exchange(state_, nullptr)->consume_resumed(); }

 protected:
  ResultState<T, Runtime>* state() const noexcept { return state_; }

 private:
  ResultState<T, Runtime>* state_;
};

/// The same for a coroutine that is to continue on `executor`, or, if that is null, wherever the task ends. A
/// coroutine that has an owner, and comes home by this, is resumed by a join, which checks whether it may be.
template <class T, class Runtime>
class MovingHandleAwaiter : public HandleAwaiter<T, Runtime> {
 public:
  using Executor = Ref<ExecutorCore<Runtime>>;

  MovingHandleAwaiter(ResultState<T, Runtime>* state, Executor executor) noexcept
      : HandleAwaiter<T, Runtime>(state), executor_(std::move(executor)) {}

  bool await_ready() const { return HandleAwaiter<T, Runtime>::await_ready() && is_there(); }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    ResultState<T, Runtime>& state = *this->state();
    if (journey_.begin(coroutine, executor_.get())) [[unlikely]] {
      come_home(coroutine, state);
      return true;
    }
    const bool must_move = !is_there();
    Home<Runtime> home(executor_);
    // After this the coroutine may run on another thread, and *this be gone: only locals from here.
    return must_move ? state.await_elsewhere(coroutine, std::move(home)) : state.await(coroutine, std::move(home));
  }
  T await_resume() {
    journey_.end<Runtime>();
    return HandleAwaiter<T, Runtime>::await_resume();
  }

 private:
  /// After this the coroutine may be gone.
  /// Throws: std::bad_alloc.
  template <class Promise>
  void come_home(std::coroutine_handle<Promise> coroutine, TaskState<Runtime>& state) {
    JoinOfTask<Runtime>& join = way_home_.adopt(new JoinOfTask<Runtime>());
    join.arm(coroutine, Home<Runtime>(executor_), true);
    static_cast<void>(join.started());  // false: it is not yet notified
    join.observe(state);
  }
  /// Whether the coroutine is already where it is to continue, and need not move if the task is over.
  bool is_there() const noexcept {
    return !executor_ || detail::is_same<Runtime>(executor_.get(), ThreadContext<Runtime>::current().executor);
  }

  const Executor executor_;
  Journey journey_;
  JoinOwner<JoinOfTask<Runtime>> way_home_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_RESULT_STATE_HPP
