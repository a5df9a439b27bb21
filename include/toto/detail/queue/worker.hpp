// SPDX-License-Identifier: MIT
//
// Worker: what a queue knows of one of its threads. The objects are kept for the life of the queue and used for one
// thread after another, so that a late wake-up is at worst spurious. Read next: crew.hpp, worker_loop.hpp.

#ifndef TOTO_DETAIL_QUEUE_WORKER_HPP
#define TOTO_DETAIL_QUEUE_WORKER_HPP

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "../executor/continuation.hpp"
#include "../ground/annotations.hpp"
#include "../ground/spin.hpp"
#include "queued_task.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class BlockedThread;
template <class Runtime>
class QueueCore;

/// What a worker has done since it was last at the queue's mutex, in one word, so that a reader never sees half an
/// update: tasks completed and failed, and tasks that it ran without queueing them, which count as submitted and begun;
/// 20 bits each. Only the worker writes it, and empties it under the mutex.
struct Tally {
  static constexpr unsigned kBits = 20;
  static constexpr std::uint64_t kCompleted = 1;
  static constexpr std::uint64_t kFailed = kCompleted << kBits;
  static constexpr std::uint64_t kUnqueued = kFailed << kBits;
  static constexpr std::uint64_t kMostUnqueued = std::uint64_t{1} << (kBits - 2);

  explicit constexpr Tally(std::uint64_t word) noexcept
      : completed(field(word, kCompleted)), failed(field(word, kFailed)), unqueued(field(word, kUnqueued)) {}

  std::uint64_t completed;
  std::uint64_t failed;
  std::uint64_t unqueued;

 private:
  static constexpr std::uint64_t field(std::uint64_t word, std::uint64_t unit) noexcept {
    return word / unit % (std::uint64_t{1} << kBits);
  }
};

template <class Runtime>
class Worker {
 public:
  explicit Worker(QueueCore<Runtime>& core_of_worker) noexcept : core(core_of_worker) {}

  QueueCore<Runtime>& core;
  std::size_t number = 0;  // from 1; constant once it has a thread

  // Used by the worker's own thread only.
  /// The coroutine that awaited the task just finished, and lives on this queue or nowhere: resumed next, right here.
  std::coroutine_handle<> resume_next;
  /// A task that this worker runs next, without queueing it: see QueueCore::keep_next().
  QueuedTask<Runtime>* task_next = nullptr;
  /// What belongs to this thread and comes before anything queued: coroutine tasks that have just ended, and
  /// coroutines without a home whose task ended here.
  ContinuationList local;
  /// In run_local(): the task that this thread is in the middle of may still destroy the coroutines of its queue, so
  /// what ends now does not set `resume_next`.
  bool in_run_local = false;
  /// The coroutine that resume_on_top() is running; null otherwise, also in one that was posted to this queue.
  std::coroutine_handle<> on_top;
  /// References to the core that states destroyed on this thread gave back: handed over at the mutex.
  std::size_t returned_references = 0;
  /// Ran something since it last rested: the idle time starts anew.
  bool worked = true;
  /// The plain task that it is in the middle of; null in closures and coroutines. The WaitGraph reads it while the
  /// worker is blocked.
  const QueuedTask<Runtime>* running = nullptr;

  // Written by the worker's own thread, read by anybody.
  typename Runtime::template Atomic<std::uint64_t> tally{0};
  /// Runs a coroutine task or a continuation, rather than a plain task.
  typename Runtime::template Atomic<bool> in_coroutine{false};

  // Guarded by the queue's mutex.
  typename Runtime::Thread thread;
  typename Runtime::Clock::time_point idle_since{};
  /// The next worker in the stack of idle ones, or in the list of unused ones.
  Worker* next = nullptr;
  /// The next of all workers the queue ever had at the same time.
  Worker* next_of_all = nullptr;
  bool idle = false;
  /// This worker is the one that Crew::searching() speaks of.
  bool searcher = false;
  /// Its thread is known to exist.
  bool secured = false;
  /// Its last thread is still notifying the observer of its end: the next one waits before it does so of its beginning.
  bool telling = false;
  /// Its place in the WaitGraph, while it is blocked without a limit of time. Written under the graph's mutex too.
  BlockedThread<Runtime>* blocked_on = nullptr;

  typename Runtime::Parker parker;
  /// Whoever woke it last was a worker of the same queue. A hint.
  typename Runtime::template Atomic<bool> woken_by_worker{false};
  SpinBudget<Runtime> spins;

  void count(std::uint64_t what) noexcept {
    // The only writer is this thread; relaxed: the numbers order nothing.
    tally.store(tally.load(std::memory_order_relaxed) + what, std::memory_order_relaxed);
  }

  /// From the worker's loop, not from the middle of anything.
  void resume_on_top(std::coroutine_handle<> coroutine) noexcept {
    in_coroutine.store(true, std::memory_order_relaxed);
    on_top = coroutine;
    coroutine.resume();
    on_top = nullptr;
    in_coroutine.store(false, std::memory_order_relaxed);
  }
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WORKER_HPP
