// SPDX-License-Identifier: MIT
//
// Observer: notified of the end of a task, where neither a coroutine nor a thread waits for it directly: when_all and
// its relatives, time limits, Asio. AwaitedTask: the end of a task as what a blocked thread waits for. Read next:
// task_state.hpp.

#ifndef TOTO_DETAIL_TASK_OBSERVER_HPP
#define TOTO_DETAIL_TASK_OBSERVER_HPP

#include <string>

#include "../ground/text.hpp"
#include "../queue/queue_core.hpp"
#include "../queue/wait_graph.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class TaskState;

/// Notified when a task has ended.
template <class Runtime>
class Observer {
 public:
  /// Once for each task observed, on the thread that completed it: `worker` if that is a worker at the end of a task.
  /// `queue` is the task's. Runs no user code.
  virtual void completed(Worker<Runtime>* worker, QueueCore<Runtime>& queue) noexcept = 0;
  /// Instead of completed(), if the handle was dropped before the end.
  virtual void forgotten() noexcept = 0;

 protected:
  ~Observer() = default;
};

/// The wait for the end of a task.
template <class Runtime>
class AwaitedTask final : public Awaited<Runtime> {
 public:
  explicit AwaitedTask(TaskState<Runtime>& state) noexcept : state_(state) {}

  bool may_come(const WaitGraph<Runtime>& graph) const override { return state_.may_end(graph); }
  std::string words() const override { return detail::join({"a task of queue '", state_.core().name(), "'"}); }
  std::string details() const override { return state_.blocking_details(); }

 private:
  TaskState<Runtime>& state_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_OBSERVER_HPP
