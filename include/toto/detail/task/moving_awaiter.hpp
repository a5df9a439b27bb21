// SPDX-License-Identifier: MIT
//
// MovingHandleAwaiter: awaits one task, after which the coroutine continues on an executor of its choice: what
// handle.resume_on() and resume_inline() return. Read next: ../executor/whereabouts.hpp.

#ifndef TOTO_DETAIL_TASK_MOVING_AWAITER_HPP
#define TOTO_DETAIL_TASK_MOVING_AWAITER_HPP

#include <coroutine>
#include <utility>

#include "../executor/executor_core.hpp"
#include "../executor/whereabouts.hpp"
#include "../ground/annotations.hpp"
#include "../ground/ref.hpp"
#include "../queue/home.hpp"
#include "join.hpp"
#include "result_state.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// `executor`: null, wherever the task ends. A coroutine that has an owner, and comes home by this, is resumed by a
/// join, which checks whether it may be.
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

#endif  // TOTO_DETAIL_TASK_MOVING_AWAITER_HPP
