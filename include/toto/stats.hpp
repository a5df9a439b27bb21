// SPDX-License-Identifier: MIT
//
// QueueStats: consistent counts of a queue's tasks and threads, and how long tasks wait and run. TaskInfo: what an
// error handler learns about the task that failed.

#ifndef TOTO_STATS_HPP
#define TOTO_STATS_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detail/ground/lean_std.hpp"
#include "version.hpp"

namespace toto::inline v0_1 {

/// How long tasks wait and run. Measured with QueueOptions::track_tasks; otherwise all are 0.
struct QueueTimes {
  std::chrono::nanoseconds oldest_queued{0};    ///< how long the oldest of the queued tasks has waited
  std::chrono::nanoseconds queued{0};           ///< time in the queue, the sum over all tasks that have begun
  std::chrono::nanoseconds longest_queued{0};   ///< the longest of these
  std::chrono::nanoseconds running{0};          ///< time from beginning to end, suspensions included,
                                                ///< the sum over all tasks that have begun and ended
  std::chrono::nanoseconds longest_running{0};  ///< the longest of these

  friend bool operator==(const QueueTimes&, const QueueTimes&) = default;
};

/// A queue at one moment, taken under its lock: submitted == completed + failed + cancelled + queued + running +
/// suspended.
struct QueueStats {
  std::uint64_t submitted = 0;  ///< tasks accepted since the queue was made
  std::uint64_t completed = 0;  ///< ended with a value
  std::uint64_t failed = 0;     ///< ended with an exception
  std::uint64_t cancelled = 0;  ///< cancelled before they began
  std::uint64_t queued = 0;     ///< waiting for a thread
  std::uint64_t running = 0;    ///< on a thread now
  std::uint64_t suspended = 0;  ///< coroutine tasks that wait for something and hold no thread

  std::uint64_t continuations = 0;  ///< coroutines waiting to resume here; they are not tasks
  std::uint64_t threads = 0;        ///< alive, busy or idle
  std::uint64_t idle = 0;           ///< of these, waiting for work
  std::uint64_t threads_started = 0;

  QueueTimes times;  ///< taken a moment before the counts

  friend bool operator==(const QueueStats&, const QueueStats&) = default;
};

/// The failed task, as an error handler sees it. The strings are valid only during the call.
struct TaskInfo {
  std::string_view queue;    ///< the name of its queue
  std::string_view name;     ///< TaskOptions::name, or the type of the callable as the compiler writes it; empty: not a
                             ///< task but a hook or a timer failed
  std::uint64_t number = 0;  ///< unique in the process, as an observer sees it; 0: the task has no number
  std::size_t worker = 0;    ///< the number of the worker that reports it, from 1; 0: another thread
};

}  // namespace toto::inline v0_1

#endif  // TOTO_STATS_HPP
