// SPDX-License-Identifier: MIT
//
// TaskState<R>: a task's state with room for its result. Read next: call_state.hpp.

#ifndef TOTO_DETAIL_TASK_RESULT_STATE_HPP
#define TOTO_DETAIL_TASK_RESULT_STATE_HPP

#include <exception>

#include "../../errors.hpp"
#include "../ground/result.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

[[noreturn]] TOTO_COLD inline void throw_no_task() {
  throw NoState("toto: this TaskHandle has no task: default-constructed, moved from, or its result taken");
}

/// A state with room for a result of type R.
template <class R, class Runtime>
class TaskState : public TaskStateBase<Runtime> {
 public:
  using TaskStateBase<Runtime>::TaskStateBase;

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
  ~TaskState() = default;

  Result<R> result_;

 private:
  struct Freed {
    TaskState& state;
    ~Freed() { state.free(); }
  };
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_RESULT_STATE_HPP
