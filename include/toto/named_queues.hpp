// SPDX-License-Identifier: MIT
//
// NamedQueues: the queues that the whole process shares by name; the static part of BasicTaskQueue. They are made on
// demand and never destroyed. They are closed and drained when the process exits, and when the shared library that they
// belong to is unloaded. Read next: task_queue.hpp.

#ifndef TOTO_NAMED_QUEUES_HPP
#define TOTO_NAMED_QUEUES_HPP

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detail/executor/timer.hpp"
#include "detail/ground/annotations.hpp"
#include "detail/ground/fork.hpp"
#include "detail/ground/lean_std.hpp"
#include "detail/ground/lock.hpp"
#include "detail/queue/queue_end.hpp"
#include "duration.hpp"
#include "options.hpp"

namespace toto::inline v0_1 {

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
    // Built before it is stored, and without the mutex: a fork takes this mutex after that of the list of everything
    // that takes part in forks, to which a queue adds itself. If another thread was faster, this one is dropped; it has
    // no thread yet.
    auto made = std::make_unique<Queue>(options);
    Registry& registry = Registry::instance();
    const detail::Lock lock(registry.mutex);
    const auto [place, found] = registry.look_up_locked(options.name);
    if (found != nullptr) {
      return *found;
    }
    Queue& queue = *made;
    registry.queues.insert(registry.queues.begin() + place, std::move(made));
    if (registry.drained) {
      queue.close();  // the process is ending: nothing would wait for its tasks
    }
    if (!std::exchange(registry.drains_at_exit, true)) {
      Runtime::at_exit([] { drain_at_exit(); });
    }
    return queue;
  }

  /// Returns the named queue, or null.
  static Queue* find(std::string_view name) noexcept {
    try {
      Registry& registry = Registry::instance();
      const detail::Lock lock(registry.mutex);
      return registry.look_up_locked(name).queue;
    } catch (...) {
      return nullptr;  // no memory for the registry itself: there is no queue yet
    }
  }

  /// Returns the named queues, including closed ones, in no particular order.
  /// Throws: std::bad_alloc.
  static std::vector<Queue*> named() {
    Registry& registry = Registry::instance();
    const detail::Lock lock(registry.mutex);
    std::vector<Queue*> queues;
    queues.reserve(registry.queues.size());
    for (const auto& queue : registry.queues) {
      queues.push_back(queue.get());
    }
    return queues;
  }

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
    const auto deadline = limit.after(Runtime::Clock::now());
    const std::vector<Queue*> queues = named();
    for (Queue* const queue : queues) {
      queue->close();
    }
    bool done = true;
    for (Queue* const queue : queues) {
      auto& core = *queue->core_;
      // A task of this queue is calling this function, so the queue cannot be waited for.
      done = core.this_worker() == nullptr && detail::QueueEnd(core).finish_until(deadline) && done;
    }
    detail::TimerService<Runtime>::instance().rest_until(deadline);
    return done;
  }

  /// Sets how long the end of the process waits for the named queues: 10 seconds by default. Unloading a shared library
  /// with its own registry waits until the queues are drained, however long that takes.
  /// Throws: std::invalid_argument for a negative limit or NaN; std::bad_alloc.
  static void set_exit_limit(Duration limit) {
    detail::check_duration(limit, "limit");
    Registry& registry = Registry::instance();
    const detail::Lock lock(registry.mutex);
    registry.exit_limit = limit;
  }

 protected:
  NamedQueues() = default;
  ~NamedQueues() = default;

 private:
  /// Where the queue of that name is or will be; and the queue itself, or null.
  struct Place {
    std::ptrdiff_t index;
    Queue* queue;
  };

  struct Registry final : private detail::ForkAware<Runtime> {
    Registry() : detail::ForkAware<Runtime>(detail::ForkRank::registry) {}

    static Registry& instance() {
      Registry& registry = Runtime::template global<Registry>();
      registry.watch_forks();
      return registry;
    }

    void before_fork() noexcept override TOTO_ACQUIRE(mutex) { mutex.lock(); }
    void after_fork(bool) noexcept override TOTO_RELEASE(mutex) { mutex.unlock(); }

    Place look_up_locked(std::string_view name) const noexcept TOTO_REQUIRES(mutex) {
      std::size_t first = 0;
      for (std::size_t last = queues.size(); first != last;) {
        const std::size_t middle = first + (last - first) / 2;
        if (queues[middle]->name() < name) {
          first = middle + 1;
        } else {
          last = middle;
        }
      }
      const bool found = first != queues.size() && queues[first]->name() == name;
      return {static_cast<std::ptrdiff_t>(first), found ? queues[first].get() : nullptr};
    }

    typename Runtime::Mutex mutex;
    std::vector<std::unique_ptr<Queue>> queues TOTO_GUARDED_BY(mutex);  // by name
    Duration exit_limit TOTO_GUARDED_BY(mutex) = std::chrono::seconds(10);
    bool drains_at_exit TOTO_GUARDED_BY(mutex) = false;
    bool drained TOTO_GUARDED_BY(mutex) = false;
  };

  static void drain_at_exit() noexcept {
    Registry& registry = Registry::instance();
    Duration limit;
    {
      const detail::Lock lock(registry.mutex);
      limit = registry.exit_limit;
      registry.drained = true;
    }
    bool done = false;
    do {
      try {
        for (Queue* const queue : named()) {
          detail::QueueEnd(*queue->core_).lose_this_thread();
        }
        done = shutdown_instances(limit);
        if (!done) {
          std::fprintf(stderr,
                       Runtime::unloading()
                           ? "toto: unloading a library waits until its named queues have run what they accepted; call "
                             "TaskQueue::shutdown_instances() in it first\n"
                           : "toto: the process exits although a named queue is still busy; wait for it with "
                             "TaskQueue::shutdown_instances() at the end of main\n");
        }
      } catch (...) {
        std::fprintf(stderr, "toto: no memory to drain the named queues at exit\n");
      }
      limit = Duration::never();
    } while (!done && Runtime::unloading());  // their threads would return to code that is gone
  }
};

}  // namespace toto::inline v0_1

#endif  // TOTO_NAMED_QUEUES_HPP
