// SPDX-License-Identifier: MIT
//
// WaitGraph: the threads that are blocked without a time limit, and whether such a wait could never end. Awaited: what
// such a thread waits for. BlockedThread: the thread's place in the graph, on its stack.
//
// In it are workers, and other threads as long as they hold instances of pools: no one waits for any other thread. A
// thread of the graph can continue if what it waits for can happen; and that can happen if a thread outside the graph,
// or a thread that can continue, may bring it about. Repeating this rule finds all threads that can continue; the
// others never will. Each thread that blocks checks whether it would be one of the others. The last thread to block
// finds out, so no thread before it is stuck. What may come from outside (a cancellation, a closing, a thread of the
// program) is not considered. Read next: queue_core.hpp, ../task/task_state.hpp and ../task/permits.hpp, which say what
// a task and an instance need.

#ifndef TOTO_DETAIL_QUEUE_WAIT_GRAPH_HPP
#define TOTO_DETAIL_QUEUE_WAIT_GRAPH_HPP

#include <cstdint>
#include <string>
#include <utility>

#include "../../errors.hpp"
#include "../ground/fork.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/text.hpp"
#include "../ground/this_thread.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class WaitGraph;

template <class Runtime>
class Awaited {
 public:
  /// Whether it may come, or has: false if that takes a thread of which the graph says that it is stuck. Requires the
  /// graph's mutex, and takes those of queues and pools.
  virtual bool may_come(const WaitGraph<Runtime>& graph) const = 0;
  /// "a task of queue 'db'". Takes no mutex.
  virtual std::string words() const = 0;
  /// Further details, to be appended to that. Takes the mutexes of queues and pools.
  virtual std::string details() const { return {}; }

 protected:
  ~Awaited() = default;
};

/// The graph's mutex guards it while it is entered.
template <class Runtime>
class BlockedThread {
 public:
  BlockedThread() noexcept : worker_(ThreadContext<Runtime>::current().worker) {}
  BlockedThread(const BlockedThread&) = delete;
  BlockedThread& operator=(const BlockedThread&) = delete;
  /// Not under the mutex of a queue or a pool.
  ~BlockedThread() {
    if (awaited_ != nullptr) {
      WaitGraph<Runtime>::instance().leave(*this);
    }
  }

  /// Somebody may wait for the calling thread: it is a worker, or holds instances.
  bool matters() const noexcept { return worker_ != nullptr || ThisThread<Runtime>::get().bound > 0; }

  /// The calling thread is about to wait for this without a limit of time. May be repeated, to look again.
  /// Throws: DeadlockError if it could never come; std::bad_alloc. Then the thread is not in the graph.
  void enter(const Awaited<Runtime>& awaited) {
    if (matters()) {
      WaitGraph<Runtime>::instance().enter(*this, awaited);
    }
  }

  // Guarded by the graph's mutex; used by LinkedList.
  BlockedThread* next = nullptr;
  BlockedThread* previous = nullptr;

  const Awaited<Runtime>& awaited() const noexcept { return *awaited_; }

 private:
  friend WaitGraph<Runtime>;

  std::string words() const {
    return worker_ == nullptr
               ? detail::join({"thread ", Digits(thread_)})
               : detail::join({"worker ", Digits(worker_->number), " of queue '", worker_->core.name(), "'"});
  }

  Worker<Runtime>* const worker_;              // null: not a worker
  std::uint64_t thread_ = 0;                   // its number; 0: it has none, and holds no instance
  const Awaited<Runtime>* awaited_ = nullptr;  // null: it is not in the graph
  bool stuck_ = true;                          // unless the graph, when it looked, has found out that it may go on
};

/// Its mutex is taken before those of pools and queues.
template <class Runtime>
class WaitGraph final : private ForkAware<Runtime> {
 public:
  using Blocked = BlockedThread<Runtime>;

  static WaitGraph& instance() {
    WaitGraph& graph = Runtime::template global<WaitGraph>();
    graph.watch_forks();
    return graph;
  }

  WaitGraph() : ForkAware<Runtime>(ForkRank::waits) {}

  void enter(Blocked& self, const Awaited<Runtime>& awaited) {
    const Lock lock(mutex_);
    self.thread_ = ThisThread<Runtime>::get().number;
    if (std::exchange(self.awaited_, &awaited) == nullptr) {
      set(self, &self);
    } else {
      threads_.remove(self);
    }
    threads_.push_front(self);
    try {
      while (is_stuck_locked(self)) {
        const std::string text = text_locked();
        if (!text.empty()) {
          throw DeadlockError(text);
        }
      }
    } catch (...) {
      remove_locked(self);
      throw;
    }
  }
  void leave(Blocked& self) noexcept {
    const Lock lock(mutex_);
    remove_locked(self);
  }

  // For Awaited::may_come(), which is called under the mutex.

  /// Null for a thread that is not in the graph, and may do anything.
  bool is_stuck(const Blocked* thread) const noexcept { return thread != nullptr && thread->stuck_; }
  /// The thread with this number, if it is here.
  Blocked* find_thread(std::uint64_t number) const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
    Blocked* found = threads_.front();
    while (found != nullptr && found->thread_ != number) {
      found = found->next;
    }
    return found;
  }
  /// The worker that is in the middle of this task, if it is here.
  Blocked* find_runner(const QueuedTask<Runtime>& task) const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
    Blocked* found = threads_.front();
    while (found != nullptr && (found->worker_ == nullptr || found->worker_->running != &task)) {
      found = found->next;
    }
    return found;
  }

 private:
  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {
      threads_ = {};  // the forking thread is not blocked
    }
    mutex_.unlock();
  }

  /// Its queue's mutex guards that too, for whoever asks what its workers do.
  static void set(Blocked& self, Blocked* value) noexcept {
    if (self.worker_ != nullptr) {
      const Lock lock(self.worker_->core.mutex());
      self.worker_->blocked_on = value;
    }
  }
  void remove_locked(Blocked& self) noexcept TOTO_REQUIRES(mutex_) {
    set(self, nullptr);
    threads_.remove(self);
    self.awaited_ = nullptr;
  }

  /// Finds all threads that may go on, or, if the first one is found at once, that one. None of them leaves meanwhile:
  /// that takes the mutex.
  bool is_stuck_locked(const Blocked& self) TOTO_REQUIRES(mutex_) {
    for (Blocked* thread = threads_.front(); thread != nullptr; thread = thread->next) {
      thread->stuck_ = true;
    }
    for (bool found = true; found;) {
      found = false;
      for (Blocked* thread = threads_.front(); thread != nullptr && self.stuck_; thread = thread->next) {
        if (thread->stuck_ && thread->awaited_->may_come(*this)) {
          thread->stuck_ = false;
          found = true;
        }
      }
    }
    return self.stuck_;
  }

  /// Those that are stuck, in words. Empty if one of them may go on after all: what it waits for has come from outside,
  /// while the graph looked.
  std::string text_locked() const TOTO_REQUIRES(mutex_) {
    std::string text = "toto: this wait could never end";
    const char* before = ": ";
    const char* waits = " would wait for ";
    for (const Blocked* thread = threads_.front(); thread != nullptr; thread = thread->next) {
      if (!thread->stuck_) {
        continue;
      }
      if (thread->awaited_->may_come(*this)) {
        return {};
      }
      detail::append(text, {before, thread->words(), waits, thread->awaited_->words(), thread->awaited_->details()});
      before = "; ";
      waits = " waits for ";
    }
    text += "; none of them can continue: co_await instead of blocking, or add threads or instances";
    return text;
  }

  typename Runtime::Mutex mutex_;
  LinkedList<Blocked> threads_ TOTO_GUARDED_BY(mutex_);  // the last to come first
};

// Which workers of a queue are left to run a task, as far as the graph knows. Under the graph's mutex.

/// Whether a worker may take this task, or continue with it.
template <class Runtime>
TOTO_COLD bool may_run(const QueueCore<Runtime>& core, const QueuedTask<Runtime>& task,
                       const WaitGraph<Runtime>& graph) {
  const Lock lock(core.mutex());
  const Crew<Runtime>& crew = core.crew();
  // Another thread may be on the way, or be completing a task from outside.
  bool found = crew.live() != core.thread_count() || crew.secured() != crew.live() || crew.busy() != crew.live() ||
               core.ledger().completing();
  const Lane<Runtime>* const lane = Order<Runtime>::lane_of_waiting(task);
  std::size_t held = 0;  // turns in the lane, by stuck workers
  for (const Worker<Runtime>* worker = crew.all(); worker != nullptr; worker = worker->next_of_all) {
    if (!worker->secured) {
      continue;
    }
    if (!graph.is_stuck(worker->blocked_on)) {
      found = true;
    } else if (lane != nullptr && worker->running != nullptr && worker->running->lane.get() == lane) {
      ++held;
    }
  }
  return found && (lane == nullptr || held < lane->admitted);
}

/// Whether a task would not be added any more, if it has not been.
template <class Runtime>
bool would_refuse(const QueueCore<Runtime>& core, const QueuedTask<Runtime>& task) {
  const Lock lock(core.mutex());
  return core.ledger().closed() && !Order<Runtime>::is_queued(task);
}

/// Why no worker comes to it, if it waits in a lane: in words, to be put behind others.
template <class Runtime>
TOTO_COLD std::string lane_words(const QueueCore<Runtime>& core, const QueuedTask<Runtime>& task) {
  const Lock lock(core.mutex());
  const Lane<Runtime>* const lane = Order<Runtime>::lane_of_waiting(task);
  if (lane == nullptr) {
    return {};
  }
  constexpr const char* kWords = ", which waits for its turn";
  return lane->name.empty() ? detail::join({kWords}) : detail::join({kWords, " in the view '", lane->name, "'"});
}

/// The wait for a queue that has nothing left to do.
template <class Runtime>
class AwaitedIdle final : public Awaited<Runtime> {
 public:
  explicit AwaitedIdle(QueueCore<Runtime>& queue) noexcept : queue_(queue) {}

  /// Whether everything there is to do may be done.
  TOTO_COLD bool may_come(const WaitGraph<Runtime>& graph) const override {
    const Lock lock(queue_.mutex());
    for (const Worker<Runtime>* worker = queue_.crew().all(); worker != nullptr; worker = worker->next_of_all) {
      if (worker->secured && graph.is_stuck(worker->blocked_on)) {
        return queue_.quiet_locked();
      }
    }
    return true;
  }
  std::string words() const override { return detail::join({"queue '", queue_.name(), "' to be idle"}); }

 private:
  QueueCore<Runtime>& queue_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WAIT_GRAPH_HPP
