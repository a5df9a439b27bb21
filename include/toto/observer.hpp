// SPDX-License-Identifier: MIT
//
// QueueObserver: notified of task and thread events of a queue, for traces, metrics and watchdogs. Without an observer,
// a queue pays nothing. Read next: trace.hpp, which writes the events to a file.

#ifndef TOTO_OBSERVER_HPP
#define TOTO_OBSERVER_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "duration.hpp"

namespace toto::inline v0_1 {

/// A task as an observer sees it. The strings are valid only during the call.
struct TaskEvent {
  std::string_view queue;  ///< the name of its queue
  std::uint64_t task = 0;  ///< a number that is unique in the process
  std::string_view what;   ///< TaskOptions::name, or the type of the callable as the compiler writes it
  std::size_t thread = 0;  ///< the number of the worker on which it happens, from 1; 0: on another thread
};

/// How a task ended.
enum class TaskEnd { completed, failed, cancelled };

namespace detail {
inline std::string_view text_of(TaskEnd end) noexcept {
  return end == TaskEnd::completed ? "completed" : end == TaskEnd::failed ? "failed" : "cancelled";
}
}  // namespace detail

/// Override the events that interest you.
///
/// Each member is called on the thread on which the event happens, without any lock of the library, possibly by several
/// threads at a time, and delays that thread. It must not throw, destroy the queue or wait for its tasks.
/// Lifetime: must outlive every queue that was made with it and, if a task destroys its own queue, the last
/// thread_ended().
/// Thread safety: Thread-safe. Your overrides must be, too.
class QueueObserver {
 public:
  /// A task is about to be accepted. If it is refused after all, task_finished follows with TaskEnd::cancelled.
  virtual void task_queued(const TaskEvent& /*event*/) noexcept {}
  /// A worker begins to run the task.
  virtual void task_started(const TaskEvent& /*event*/) noexcept {}
  /// A coroutine task leaves the worker that began it: it has suspended for the first time, or has ended. By then,
  /// task_finished may already have been called. Not called for plain tasks.
  virtual void task_suspended(const TaskEvent& /*event*/) noexcept {}
  /// The task has ended, and its captures are destroyed. A coroutine task ends with its coroutine.
  virtual void task_finished(const TaskEvent& /*event*/, TaskEnd /*end*/) noexcept {}
  /// The coroutine that awaited the task resumes, on this thread.
  virtual void awaiter_resumed(const TaskEvent& /*event*/) noexcept {}
  /// A thread of the queue begins. The number is the worker's, from 1; it is reused after the thread has ended.
  virtual void thread_started(std::string_view /*queue*/, std::size_t /*number*/) noexcept {}
  /// The thread is about to end.
  virtual void thread_ended(std::string_view /*queue*/, std::size_t /*number*/) noexcept {}
  /// The watchdog: tasks are queued, and none has begun for the time given by QueueOptions::watchdog.
  virtual void queue_starving(std::string_view /*queue*/, std::size_t /*queued*/, Duration /*since*/) noexcept {}

 protected:
  ~QueueObserver() = default;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_OBSERVER_HPP
