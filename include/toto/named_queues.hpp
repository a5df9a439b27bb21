// SPDX-License-Identifier: MIT
//
// NamedQueues: the queues that the whole process shares by name; the static part of BasicTaskQueue. Read next:
// task_queue.hpp.

#ifndef TOTO_NAMED_QUEUES_HPP
#define TOTO_NAMED_QUEUES_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "detail/ground/fork.hpp"
#include "detail/ground/lean_std.hpp"
#include "detail/queue/queue_report.hpp"
#include "detail/queue/registry.hpp"
#include "duration.hpp"
#include "options.hpp"

namespace toto::inline v0_1 {

namespace detail {

struct QueueAccess;

}  // namespace detail

/// Thread safety: Thread-safe.
template <class Runtime, class Queue>
class NamedQueues {
 public:
  /// Returns the queue of that name, which the whole process shares. If there is none, makes it; only then are the
  /// other arguments used (except the name in the options). The queue lives until the process ends; then it is closed
  /// and drained.
  /// Throws: std::invalid_argument, std::bad_alloc.
  static Queue& instance(std::string_view name, std::size_t thread_count = 1,
                         Duration idle_timeout = std::chrono::seconds(60)) {
    return instance(QueueOptions{thread_count, idle_timeout, name});
  }
  static Queue& instance(std::string_view name, const QueueOptions& options) {
    return instance(detail::with_name(options, name));
  }
  static Queue& instance(const QueueOptions& options) {
    detail::check_name(options.name, "name");
    if (Queue* const found = find(options.name)) {
      return *found;
    }
    detail::check_options(options);
    return Registry::instance().find_or_make(options);
  }

  /// Returns the named queue, or null.
  static Queue* find(std::string_view name) noexcept {
    try {
      return Registry::instance().find(name);
    } catch (...) {
      return nullptr;  // no memory for the registry itself: there is no queue yet
    }
  }

  /// Returns the named queues, including closed ones, in no particular order.
  /// Throws: std::bad_alloc.
  static std::vector<Queue*> named() { return Registry::instance().all(); }

  /// Returns the dump() of each queue, loop and pool of the process; where processes cannot fork, of the named queues
  /// only. Snapshot: may be stale on return.
  /// Throws: std::bad_alloc.
  static std::string dump_all() {
    std::string text;
    if constexpr (Runtime::forks) {
      detail::ForkAware<Runtime>::describe_all(text);
    } else {
      for (const Queue* const queue : named()) {
        text += queue->dump();
      }
    }
    return text;
  }

  /// Closes every named queue and waits until all have run what they accepted. Returns false if some queues are still
  /// busy when the time is up. All stay registered and closed. Then ends the timer thread, unless a timer is pending;
  /// the next timer starts it again. Call it before a shared library that uses queues is unloaded.
  /// Blocks: for at most `limit`. Does not wait for the queue whose task calls this; that queue counts as busy.
  /// Throws: std::invalid_argument for a negative limit or NaN; std::bad_alloc.
  static bool shutdown_instances(Duration limit) {
    detail::check_duration(limit, "limit");
    return Registry::instance().shutdown(limit);
  }

  /// Sets how long the end of the process waits for the named queues: 10 seconds by default. Unloading a shared library
  /// with its own registry waits until the queues are drained, however long that takes.
  /// Throws: std::invalid_argument for a negative limit or NaN; std::bad_alloc.
  static void set_exit_limit(Duration limit) {
    detail::check_duration(limit, "limit");
    Registry::instance().set_exit_limit(limit);
  }

 protected:
  NamedQueues() = default;
  ~NamedQueues() = default;

 private:
  using Registry = detail::Registry<Runtime, Queue, detail::QueueAccess>;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_NAMED_QUEUES_HPP
