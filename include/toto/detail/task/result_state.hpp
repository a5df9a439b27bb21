// SPDX-License-Identifier: MIT
//
// ResultState<R>: a task's state with room for its result. HandleAwaiter: how a coroutine waits for that, and takes it.
// Read next: ../../task_handle.hpp.

#ifndef TOTO_DETAIL_TASK_RESULT_STATE_HPP
#define TOTO_DETAIL_TASK_RESULT_STATE_HPP

#include <coroutine>
#include <exception>
#include <utility>

#include "../../errors.hpp"
#include "../ground/annotations.hpp"
#include "../ground/result.hpp"
#include "../queue/home.hpp"
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

  /// Always inlined, because it is run for each handle that is awaited.
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

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_RESULT_STATE_HPP
