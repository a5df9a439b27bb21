// SPDX-License-Identifier: MIT
//
// QueueObserver: is told what becomes of the tasks and threads of a queue, for traces, metrics and watchdogs. A queue
// without one pays nothing for it. Read next: trace.hpp, which writes what it is told to a file.

#ifndef TOTO_OBSERVER_HPP
#define TOTO_OBSERVER_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "duration.hpp"

namespace toto::inline v0_1 {

/// A task as an observer sees it. The texts are valid during the call.
struct TaskEvent {
  std::string_view queue;  ///< the name of its queue
  std::uint64_t task = 0;  ///< a number that no other task of the process has
  std::string_view what;   ///< the type of the callable, as the compiler writes it
  std::size_t thread = 0;  ///< the number of the worker on which it happens, from 1; 0: on another thread
};

/// How a task ended.
enum class TaskEnd { completed, failed, cancelled };

namespace detail {
inline std::string_view text_of(TaskEnd end) noexcept {
  return end == TaskEnd::completed ? "completed" : end == TaskEnd::failed ? "failed" : "cancelled";
}
}  // namespace detail

/// Override what is of interest.
///
/// Each member is called on the thread on which it happens, without any lock of the library; it may be called by
/// several threads at a time, and delays what it is told of. It must not throw, destroy the queue or wait for its
/// tasks.
/// Lifetime: has to outlive every queue that was made with it; and if a task destroys its own queue, the last
/// thread_ended().
class QueueObserver {
 public:
  /// A task is about to be accepted. If it is refused after all, task_finished follows with TaskEnd::cancelled.
  virtual void task_queued(const TaskEvent& /*event*/) noexcept {}
  /// A worker begins to run it.
  virtual void task_started(const TaskEvent& /*event*/) noexcept {}
  /// A coroutine task leaves the worker that began it: it has suspended for the first time, or has come to its end. It
  /// may be over already. Not for plain tasks.
  virtual void task_suspended(const TaskEvent& /*event*/) noexcept {}
  /// It is over, and its captures are gone. A coroutine task is over when the coroutine has ended.
  virtual void task_finished(const TaskEvent& /*event*/, TaskEnd /*end*/) noexcept {}
  /// The coroutine that awaited the task goes on, on this thread.
  virtual void awaiter_resumed(const TaskEvent& /*event*/) noexcept {}
  /// A thread of the queue begins. The number is the worker's, from 1; it is used again after the thread has ended.
  virtual void thread_started(std::string_view /*queue*/, std::size_t /*number*/) noexcept {}
  /// It is about to end.
  virtual void thread_ended(std::string_view /*queue*/, std::size_t /*number*/) noexcept {}
  /// The watchdog: tasks are queued, and none has begun for as long as QueueOptions::watchdog says.
  virtual void queue_starving(std::string_view /*queue*/, std::size_t /*queued*/, Duration /*since*/) noexcept {}

 protected:
  ~QueueObserver() = default;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_OBSERVER_HPP
