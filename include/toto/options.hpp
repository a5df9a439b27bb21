// SPDX-License-Identifier: MIT
//
// How a queue is set up. Options are aggregates of trivially destructible members, so that a temporary of them is safe
// inside a co_await expression on GCC 12, which destroys other aggregates twice.

#ifndef TOTO_OPTIONS_HPP
#define TOTO_OPTIONS_HPP

#include <cstddef>
#include <limits>
#include <string_view>
#include <type_traits>

#include "detail/ground/text.hpp"
#include "duration.hpp"
#include "observer.hpp"

namespace toto::inline v0_1 {

/// What close() does with tasks that are queued and have not begun.
enum class Pending {
  run,     ///< run them all
  cancel,  ///< complete them with TaskCancelled
};

/// What adding a task does if the queue already holds max_queued tasks.
enum class Overflow {
  block,           ///< waits for room; the queue's own threads never wait: their tasks may exceed the bound
  reject,          ///< throws QueueFull
  discard_oldest,  ///< accepts the new task and completes another with TaskCancelled: the one that has waited longest
                   ///< among those of the lowest priority (ageing does not count), and one that waits in a view with a
                   ///< limit only if there are no others; if all room is reserved by Admissions, exceeds the bound
};

/// How a TaskQueue is set up: `TaskQueue queue({.thread_count = 4, .name = "db"});`
/// Thread safety: One thread at a time.
struct QueueOptions {
  /// How many tasks may run at a time, 1 to 1,000,000. No thread is started before it is needed.
  std::size_t thread_count = 1;
  /// A thread without work for this long ends. 0: at once. Duration::never(): not at all.
  Duration idle_timeout = std::chrono::seconds(60);
  /// Not empty. Copied by the queue's constructor. The name is for reports and threads; it does not register the queue:
  /// only TaskQueue::instance() makes a queue that can be found by name.
  std::string_view name = "TaskQueue";
  /// How many tasks may wait for a thread, 1 or more. Continuations of coroutines do not count.
  std::size_t max_queued = (std::numeric_limits<std::size_t>::max)();
  /// What adding to a full queue does.
  Overflow overflow = Overflow::block;
  /// A task that has waited this long counts as one level more urgent; after twice this long, as two levels; and so on.
  /// Must be positive. With ageing, continuations go ahead of tasks of priority 0 instead of sharing their line.
  /// Duration::never(): a task keeps its priority, and less urgent tasks wait as long as there are others.
  Duration ageing = Duration::never();
  /// Notified of task and thread events; may be null. Must outlive the queue.
  QueueObserver* observer = nullptr;
  /// If tasks are queued and none has begun for this long, the observer is notified, or, without one, a line goes to
  /// stderr. This is repeated after each further such period. Must be positive. Duration::never(): no watchdog.
  Duration watchdog = Duration::never();
  /// Keeps a list of all tasks that have not ended, with their names and ages, for dump(), and measures how long tasks
  /// wait and run, for stats(). Costs an allocation, three clock readings and three more lock acquisitions for each
  /// task.
  bool track_tasks = false;
  /// The queue's threads block asynchronous signals, so handlers never run on them and no system call of a task is
  /// interrupted; programs that tasks start inherit the blocked signals. Otherwise a thread has the signal mask of the
  /// thread that added the task for which it was started, as a std::thread would. POSIX only.
  bool block_signals = false;
};
static_assert(std::is_trivially_destructible_v<QueueOptions>);

namespace detail {

inline QueueOptions with_name(QueueOptions options, std::string_view name) noexcept {
  options.name = name;
  return options;
}

}  // namespace detail

/// How a task is queued: `queue.with({.priority = 1}).add_task(fn)`.
/// Thread safety: One thread at a time.
struct TaskOptions {
  /// -8 to 7. A higher number is more urgent and begins first; tasks of one priority begin in the order they were
  /// added.
  int priority = 0;
  /// If the task has not begun within this time, it never will: it completes with TaskCancelled.
  Duration start_by = Duration::never();
  /// The task's name in on_error, dump(), observers and traces; if empty, they show the type of its callable. Not
  /// copied: must be a literal, or a string that outlives the task.
  std::string_view name = {};
};
static_assert(std::is_trivially_destructible_v<TaskOptions>);

namespace detail {

inline constexpr std::size_t kMostThreads = 1'000'000;

inline void check_not_nan(Duration value, const char* parameter) {
  if (value.is_nan()) {
    refuse_argument({"toto: ", parameter, " is NaN; it must be a number"});
  }
}

inline void check_duration(Duration value, const char* parameter) {
  check_not_nan(value, parameter);
  if (value.is_negative()) {
    refuse_argument(
        {"toto: ", parameter, " is negative (", Digits(value.nanoseconds().count()), " ns); it must be 0 or more"});
  }
}

/// `or_else`: what else is allowed, in words.
TOTO_COLD inline void check_positive(Duration value, const char* parameter, std::string_view or_else = {}) {
  check_duration(value, parameter);
  if (value == Duration()) {
    refuse_argument({"toto: ", parameter, " is 0; it must be positive", or_else});
  }
}

inline void check_name(std::string_view value, const char* parameter) {
  if (value.empty()) {
    refuse_argument({"toto: ", parameter, " is empty (\"\"); pass a name"});
  }
}

TOTO_COLD inline void check_threads(std::size_t value, const char* parameter) {
  if (value == 0 || value > kMostThreads) {
    refuse_argument({"toto: ", parameter, " is ", Digits(value), "; it must be from 1 to ", Digits(kMostThreads)});
  }
}

TOTO_COLD inline void check_pending(Pending value) {
  if (value != Pending::run && value != Pending::cancel) {
    refuse_argument(
        {"toto: pending is ", Digits(static_cast<int>(value)), "; it must be Pending::run or Pending::cancel"});
  }
}

TOTO_COLD inline void check_options(const QueueOptions& options) {
  check_threads(options.thread_count, "thread_count");
  check_duration(options.idle_timeout, "idle_timeout");
  check_name(options.name, "name");
  if (options.max_queued == 0) {
    refuse_argument({"toto: max_queued is 0; it must be 1 or more"});
  }
  if (options.overflow < Overflow::block || options.overflow > Overflow::discard_oldest) {
    refuse_argument({"toto: overflow is ", Digits(static_cast<int>(options.overflow)),
                     "; it must be Overflow::block, reject or discard_oldest"});
  }
  check_positive(options.ageing, "ageing", ", or Duration::never()");
  check_positive(options.watchdog, "watchdog", ", or Duration::never()");
}

inline void check_options(const TaskOptions& options) {
  if (options.priority < -8 || options.priority > 7) {
    refuse_argument({"toto: priority is ", Digits(options.priority), "; it must be from -8 to 7"});
  }
  check_duration(options.start_by, "start_by");
}

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_OPTIONS_HPP
