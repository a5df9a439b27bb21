// SPDX-License-Identifier: MIT
//
// NamedQueues: the queues that the whole process shares by name; the static part of BasicTaskQueue. They are made on
// demand and never destroyed. When the process exits they are closed and drained; so they are when the shared library
// that they belong to is unloaded. Read next: task_queue.hpp.

#ifndef TOTO_NAMED_QUEUES_HPP
#define TOTO_NAMED_QUEUES_HPP

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detail/executor/timers_at_hand.hpp"
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
  class Registry final : private detail::ForkAware<Runtime> {
   public:
    Registry() : detail::ForkAware<Runtime>(detail::ForkRank::registry) { this->watch_forks(); }

    static Registry& instance() { return Runtime::template global<Registry>(); }

    /// The queue of that name; made from `options`, which were checked, if there is none.
    /// Throws: std::bad_alloc; then nothing was stored.
    Queue& find_or_make(const QueueOptions& options) {
      // Built before it is stored, and without the mutex: a fork takes this mutex after that of the list of everything
      // that takes part in forks, to which a queue adds itself. If another thread was faster, this one is dropped; it has
      // no thread yet.
      auto made = std::make_unique<Queue>(options);
      const std::size_t hash = std::hash<std::string_view>()(options.name);
      const detail::Lock lock(mutex_);
      const std::size_t place = place_locked(hash, options.name);
      if (Queue* const found = queue_at_locked(place, hash)) {
        return *found;
      }
      Queue& queue = *made;
      queues_.insert(queues_.begin() + static_cast<std::ptrdiff_t>(place), Entry{hash, nullptr})->queue =
          std::move(made);
      if (drained_) {
        queue.close();  // the process is ending: nothing would wait for its tasks
      }
      if (!drains_at_exit_) {
        Runtime::at_exit([] { instance().drain_at_exit(); });
        drains_at_exit_ = true;
      }
      return queue;
    }

    Queue* find(std::string_view name) noexcept {
      const std::size_t hash = std::hash<std::string_view>()(name);
      const detail::Lock lock(mutex_);
      return queue_at_locked(place_locked(hash, name), hash);
    }

    /// Closes every queue, and waits until all are done or the time is up. Then ends the timer thread, if no timer is
    /// left.
    bool shutdown(Duration limit) {
      const auto deadline = limit.after(Runtime::Clock::now());
      const std::vector<Queue*> queues = all();
      for (Queue* const queue : queues) {
        queue->close();
      }
      bool done = true;
      for (Queue* const queue : queues) {
        auto& core = *queue->core_;
        // A task of this queue is calling this function, so the queue cannot be waited for.
        done = core.this_worker() == nullptr && detail::QueueEnd(core).finish_until(deadline) && done;
      }
      if (auto* const timers = detail::TimersAtHand<Runtime>::instance().service()) {
        timers->rest_until(deadline);
      }
      return done;
    }

    /// Throws: std::bad_alloc.
    std::vector<Queue*> all() {
      const detail::Lock lock(mutex_);
      std::vector<Queue*> queues;
      queues.reserve(queues_.size());
      for (const Entry& entry : queues_) {
        queues.push_back(entry.queue.get());
      }
      return queues;
    }

    void set_exit_limit(Duration limit) {
      const detail::Lock lock(mutex_);
      exit_limit_ = limit;
    }

   private:
    void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
    void after_fork(bool) noexcept override TOTO_RELEASE(mutex_) { mutex_.unlock(); }

    struct Entry {
      std::size_t hash;  // of the name
      std::unique_ptr<Queue> queue;
    };

    /// Where the queue of that name is, or is to be.
    std::size_t place_locked(std::size_t hash, std::string_view name) const noexcept TOTO_REQUIRES(mutex_) {
      std::size_t first = 0;
      for (std::size_t last = queues_.size(); first != last;) {
        const std::size_t middle = first + (last - first) / 2;
        if (queues_[middle].hash < hash) {
          first = middle + 1;
        } else {
          last = middle;
        }
      }
      while (first != queues_.size() && queues_[first].hash == hash && queues_[first].queue->name() != name) {
        ++first;
      }
      return first;
    }
    /// The queue that place_locked() has found, or null.
    Queue* queue_at_locked(std::size_t place, std::size_t hash) const noexcept TOTO_REQUIRES(mutex_) {
      return place != queues_.size() && queues_[place].hash == hash ? queues_[place].queue.get() : nullptr;
    }

    void drain_at_exit() noexcept {
      Duration limit;
      {
        const detail::Lock lock(mutex_);
        limit = exit_limit_;
        drained_ = true;
      }
      bool done = false;
      do {
        try {
          for (Queue* const queue : all()) {
            detail::QueueEnd(*queue->core_).lose_this_thread();
          }
          done = shutdown(limit);
          if (!done) {
            std::fprintf(
                stderr,
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

    typename Runtime::Mutex mutex_;
    /// Sorted by hash, for a binary search in few cache lines: queues are looked up far more often than made.
    std::vector<Entry> queues_ TOTO_GUARDED_BY(mutex_);
    Duration exit_limit_ TOTO_GUARDED_BY(mutex_) = std::chrono::seconds(10);
    bool drains_at_exit_ TOTO_GUARDED_BY(mutex_) = false;
    bool drained_ TOTO_GUARDED_BY(mutex_) = false;
  };
};

}  // namespace toto::inline v0_1

#endif  // TOTO_NAMED_QUEUES_HPP
