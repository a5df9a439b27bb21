// SPDX-License-Identifier: MIT
//
// spawn(executor, task): starts a coroutine on a queue, a loop or a user's own executor. Read next: task_scope.hpp, for
// coroutines that must not outlive what they refer to.

#ifndef TOTO_SPAWN_HPP
#define TOTO_SPAWN_HPP

#include <type_traits>
#include <utility>

#include "detail/task/started_task.hpp"
#include "detail/task/submission.hpp"
#include "executor.hpp"
#include "runtime.hpp"
#include "task.hpp"

namespace toto::inline v0_1 {

/// Starts the coroutine on `executor`, behind what waits there, and runs it to its end. Its result is discarded.
///
/// On a queue it is a task like any other: the queue's destructor waits for it. A loop owns it, as after
/// EventLoop::spawn. On a user's own executor it has no owner: use a TaskScope for coroutines that must not outlive an
/// object, such as a window. The coroutine's exception goes to the queue's on_error, or propagates out of the loop's
/// run(); on a user's own executor, it is passed to the executor's `on_error(std::exception_ptr)`, on its thread.
/// Without such a member, a line goes to stderr.
/// Lifetime: a user's own executor must outlive the coroutine.
/// Throws: std::invalid_argument for an empty task or an empty reference; std::bad_alloc; for a queue also what
/// add_task throws. In each case the task is destroyed. A loop that has ended destroys it, too.
/// Thread safety: Thread-safe.
template <class Runtime = StdRuntime, class T>
void spawn(std::type_identity_t<BasicExecutorRef<Runtime>> executor, Task<T> task) {
  detail::check_not_empty(task);
  const auto& core = detail::Access::core(executor);
  detail::check_executor(core.get());
  if (auto* const queue = core->queue()) {
    detail::submit_call<void>(*queue, {}, detail::Control<Runtime>(), false,
                              [task = std::move(task)]() mutable { return std::move(task); });
  } else {
    detail::spawn_on<Runtime>(*core, std::move(task));
  }
}

}  // namespace toto::inline v0_1

#endif  // TOTO_SPAWN_HPP
