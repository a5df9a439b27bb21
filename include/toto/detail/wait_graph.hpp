// SPDX-License-Identifier: MIT
//
// WaitGraph: which workers are blocked on tasks of which queues, and whether such a wait could never end. BlockedWorker: a
// worker's place in it, while it waits.
//
// A wait is certain never to end if every queue that can be reached from it, from a blocked worker to the queue whose task
// it waits for, has no worker left that is not blocked, and may start no more: each of those tasks needs one of these
// workers to end. What may come from outside, a cancellation or a program's own thread, is not counted.

#ifndef TOTO_DETAIL_WAIT_GRAPH_HPP
#define TOTO_DETAIL_WAIT_GRAPH_HPP

#include <cstdint>
#include <string>

#include "../errors.hpp"
#include "fork.hpp"
#include "lock.hpp"
#include "queue_core.hpp"

namespace toto::inline v0::detail {

/// Its mutex is taken before those of queues.
template <class Runtime>
class WaitGraph final : private ForkAware<Runtime> {
 public:
  using Core = QueueCore<Runtime>;
  using Worker = detail::Worker<Runtime>;

  static WaitGraph& instance() { return Runtime::template global<WaitGraph>(); }

  WaitGraph() : ForkAware<Runtime>(ForkRank::waits) { this->watch_forks(); }

  /// The worker, which is the calling thread, is about to block.
  /// Throws: DeadlockError if that could never end; std::bad_alloc; then it is not entered.
  void enter(Worker& worker, Core& queue, const QueuedTask<Runtime>& task) {
    const Lock lock(mutex_);
    set(worker, &queue, &task);
    if (never_ends_locked(worker.core)) {
      try {
        throw DeadlockError(text_locked(worker));
      } catch (...) {
        set(worker, nullptr, nullptr);
        throw;
      }
    }
  }
  void leave(Worker& worker) noexcept {
    const Lock lock(mutex_);
    set(worker, nullptr, nullptr);
  }

 private:
  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool) noexcept override TOTO_RELEASE(mutex_) { mutex_.unlock(); }

  static void set(Worker& worker, Core* queue, const QueuedTask<Runtime>* task) noexcept {
    const Lock lock(worker.core.mutex());
    worker.blocked_on = task;
    worker.blocked_on_queue = queue;
  }

  /// Visits every queue that can be reached, in a list that begins with `first`.
  bool never_ends_locked(Core& first) TOTO_REQUIRES(mutex_) {
    const std::uint64_t visit = ++visits_;
    Core* last = &first;
    first.visited = visit;
    first.next_visited = nullptr;
    for (Core* queue = &first; queue != nullptr; queue = queue->next_visited) {
      // The queues live: what a blocked worker waits for keeps them, and it leaves only with this mutex.
      const bool blocked = queue->all_blocked([&](const Worker& worker) {
        Core* const next = worker.blocked_on_queue;
        if (next != nullptr && next->visited != visit) {
          next->visited = visit;
          next->next_visited = nullptr;
          last->next_visited = next;
          last = next;
        }
      });
      if (!blocked) {
        return false;
      }
    }
    return true;
  }

  std::string text_locked(const Worker& self) TOTO_REQUIRES(mutex_) {
    std::string text = "toto: this wait could never end: " + words(self, " would wait");
    for (const Core* queue = &self.core; queue != nullptr; queue = queue->next_visited) {
      queue->all_blocked([&](const Worker& worker) {
        if (&worker != &self) {
          text += "; " + words(worker, " waits");
        }
      });
    }
    return text + "; no thread is left to run these tasks: co_await the handle, or give the queue more threads";
  }
  static std::string words(const Worker& worker, const char* verb) {
    return "worker " + std::to_string(worker.number) + " of queue '" + worker.core.name() + "'" + verb +
           " for a task of queue '" + worker.blocked_on_queue->name() + "'";
  }

  typename Runtime::Mutex mutex_;
  std::uint64_t visits_ TOTO_GUARDED_BY(mutex_) = 0;
};

template <class Runtime>
class BlockedWorker {
 public:
  /// `worker` may be null: the calling thread is none, or waits for a limited time.
  /// Throws: DeadlockError, std::bad_alloc.
  BlockedWorker(Worker<Runtime>* worker, QueueCore<Runtime>& queue, const QueuedTask<Runtime>& task) : worker_(worker) {
    if (worker_ != nullptr) {
      WaitGraph<Runtime>::instance().enter(*worker_, queue, task);
    }
  }
  BlockedWorker(const BlockedWorker&) = delete;
  BlockedWorker& operator=(const BlockedWorker&) = delete;
  ~BlockedWorker() {
    if (worker_ != nullptr) {
      WaitGraph<Runtime>::instance().leave(*worker_);
    }
  }

 private:
  Worker<Runtime>* const worker_;
};

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_WAIT_GRAPH_HPP
