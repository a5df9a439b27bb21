// SPDX-License-Identifier: MIT
//
// Registry: the named queues of a process, made on demand and never destroyed. When the process exits they are closed
// and drained; so they are when the shared library that they belong to is unloaded.

#ifndef TOTO_DETAIL_QUEUE_REGISTRY_HPP
#define TOTO_DETAIL_QUEUE_REGISTRY_HPP

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "../../duration.hpp"
#include "../../options.hpp"
#include "../executor/timer.hpp"
#include "../ground/annotations.hpp"
#include "../ground/fork.hpp"
#include "../ground/lock.hpp"
#include "queue_end.hpp"

namespace toto::inline v0_1::detail {

/// Queue is BasicTaskQueue<Runtime>; Access knows how to reach its core.
template <class Runtime, class Queue, class Access>
class Registry final : private ForkAware<Runtime> {
 public:
  using TimePoint = typename Runtime::Clock::time_point;

  Registry() : ForkAware<Runtime>(ForkRank::registry) { this->watch_forks(); }

  static Registry& instance() { return Runtime::template global<Registry>(); }

  /// The queue of that name; made from `options`, which were checked, if there is none.
  /// Throws: std::bad_alloc; then nothing was stored.
  Queue& find_or_make(const QueueOptions& options) {
    // Built before it is stored, and without the mutex: a fork takes this mutex after that of the list of everything
    // that takes part in forks, to which a queue adds itself. If another thread was faster, this one is dropped; it has
    // no thread yet.
    auto made = std::make_unique<Queue>(options);
    const std::size_t hash = std::hash<std::string_view>()(options.name);
    const Lock lock(mutex_);
    const std::size_t place = place_locked(hash, options.name);
    if (Queue* const found = queue_at_locked(place, hash)) {
      return *found;
    }
    Queue& queue = *made;
    queues_.insert(queues_.begin() + static_cast<std::ptrdiff_t>(place), Entry{hash, nullptr})->queue = std::move(made);
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
    const Lock lock(mutex_);
    return queue_at_locked(place_locked(hash, name), hash);
  }

  /// Closes every queue, and waits until all are done or the time is up. Then ends the timer thread, if no timer is
  /// left.
  bool shutdown(Duration limit) {
    const TimePoint deadline = limit.after(Runtime::Clock::now());
    const std::vector<Queue*> queues = all();
    for (Queue* const queue : queues) {
      queue->close();
    }
    bool done = true;
    for (Queue* const queue : queues) {
      auto& core = Access::core(*queue);
      // A task of this queue is calling this function, so the queue cannot be waited for.
      done = core.this_worker() == nullptr && QueueEnd(core).finish_until(deadline) && done;
    }
    TimerService<Runtime>::instance().rest_until(deadline);
    return done;
  }

  /// Throws: std::bad_alloc.
  std::vector<Queue*> all() {
    const Lock lock(mutex_);
    std::vector<Queue*> queues;
    queues.reserve(queues_.size());
    for (const Entry& entry : queues_) {
      queues.push_back(entry.queue.get());
    }
    return queues;
  }

  void set_exit_limit(Duration limit) {
    const Lock lock(mutex_);
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
      const Lock lock(mutex_);
      limit = exit_limit_;
      drained_ = true;
    }
    bool done = false;
    do {
      try {
        for (Queue* const queue : all()) {
          QueueEnd(Access::core(*queue)).lose_this_thread();
        }
        done = shutdown(limit);
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

  typename Runtime::Mutex mutex_;
  /// Sorted by hash, for a binary search in few cache lines: queues are looked up far more often than made.
  std::vector<Entry> queues_ TOTO_GUARDED_BY(mutex_);
  Duration exit_limit_ TOTO_GUARDED_BY(mutex_) = std::chrono::seconds(10);
  bool drains_at_exit_ TOTO_GUARDED_BY(mutex_) = false;
  bool drained_ TOTO_GUARDED_BY(mutex_) = false;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_REGISTRY_HPP
