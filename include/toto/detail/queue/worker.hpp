// SPDX-License-Identifier: MIT
//
// Worker: what a queue knows of one of its threads. The objects are kept for the life of the queue and used for one
// thread after another, so that a late wake-up meets at worst a spurious one. QueuedTask: a task that is more than a
// closure in a slot: it has a handle, a result, or captures that need destroying. Read next: queue_core.hpp.

#ifndef TOTO_DETAIL_QUEUE_WORKER_HPP
#define TOTO_DETAIL_QUEUE_WORKER_HPP

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "../executor/continuation.hpp"
#include "../ground/annotations.hpp"
#include "../ground/spin.hpp"
#include "lane.hpp"
#include "slot_queue.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class BlockedThread;
template <class Runtime>
struct PackedClosure;
template <class Runtime>
class QueueCore;
template <class Runtime>
class WaitGraph;

/// As a Continuation it stands in a list of tasks, while it waits in a lane or has come out of one; afterwards its node
/// serves the coroutine that awaits it.
template <class Runtime>
class QueuedTask : public Continuation {
 public:
  QueuedTask(const QueuedTask&) = delete;
  QueuedTask& operator=(const QueuedTask&) = delete;

  /// Runs the task on a worker. Lets nothing through but a forced unwind (pthread_exit, pthread_cancel).
  virtual void run_on(Worker<Runtime>& worker) = 0;

  /// The task was taken out of its queue and will never run: destroys its captures and completes it.
  virtual void discard() noexcept = 0;

  /// It has ended: whoever waits for it is being told.
  virtual bool ready() const noexcept = 0;

  /// Where it is queued, if in a slot; null once it has begun: in between it may be claimed, which the chunk tells. Set
  /// and tested under the queue's mutex; cleared by the worker without it, while it holds the chunk, so the slot cannot
  /// have been given to another task.
  typename Runtime::template Atomic<Slot<Runtime>*> slot{nullptr};

  /// The lane whose bound it counts against, or none.
  Ref<Lane<Runtime>> lane;

  // Last, and small: what derives from this has its own word in the same eight bytes.

  /// Which of the queue's structures holds it; still slot for one that was claimed without the mutex, and nowhere for
  /// one that a worker keeps. Guarded by it.
  enum class Place : unsigned char { nowhere, slot, lane, node, level } place = Place::nowhere;

  /// More than 0: more urgent than the others. Constant from the adding on.
  signed char priority = 0;

  /// Has a supervisor that wants to know of its beginning, its end and its awaiter's going on.
  bool supervised = false;

  /// The callable and its arguments are there. Used by whoever runs, discards or frees it.
  bool bound = true;

 protected:
  QueuedTask() = default;
  ~QueuedTask() = default;
};

/// What a worker has done since it was last at the queue's mutex, in one word, so that a reader never sees half an
/// update: plain tasks begun, completed and failed, hops (`co_await schedule()`), and tasks that it has kept for
/// itself, which count as submitted; 12 bits each. Only the worker writes it, and empties it under the mutex: at the
/// latest after a chunk and as many kept tasks as it may, so no field overflows.
struct Tally {
  static constexpr unsigned kBits = 12;
  static constexpr std::uint64_t kBegun = 1;
  static constexpr std::uint64_t kCompleted = kBegun << kBits;
  static constexpr std::uint64_t kFailed = kCompleted << kBits;
  static constexpr std::uint64_t kHops = kFailed << kBits;
  static constexpr std::uint64_t kKept = kHops << kBits;
  static constexpr std::uint64_t kMostKept = 2048;

  explicit constexpr Tally(std::uint64_t word) noexcept
      : begun(field(word, kBegun)),
        completed(field(word, kCompleted)),
        failed(field(word, kFailed)),
        hops(field(word, kHops)),
        kept(field(word, kKept)) {}

  std::uint64_t begun;
  std::uint64_t completed;
  std::uint64_t failed;
  std::uint64_t hops;
  std::uint64_t kept;

 private:
  static constexpr std::uint64_t field(std::uint64_t word, std::uint64_t unit) noexcept {
    return word / unit % (std::uint64_t{1} << kBits);
  }
};

template <class Runtime>
class Worker {
 public:
  Worker(QueueCore<Runtime>& core_of_worker, std::size_t number_of_worker) noexcept
      : core(core_of_worker), number(number_of_worker) {}

  QueueCore<Runtime>& core;
  const std::size_t number;  // from 1
  /// Not a thread of the queue, but an adder that runs its own task: see run_here().
  bool is_guest() const noexcept { return number == 0; }

  // Used by the worker's own thread only.
  /// The coroutine that awaited the task just finished and lives on this queue: continues next, right here.
  std::coroutine_handle<> resume_next;
  /// Work that belongs to this thread and comes before anything queued: coroutine tasks that have just ended.
  ContinuationList local;
  /// In run_local(): the task that this thread is in the middle of may still destroy the coroutines of its queue, so
  /// what ends now does not set `resume_next`.
  bool in_run_local = false;
  /// References to the core that states destroyed on this thread gave back: handed over at the mutex, or given to a
  /// task that the worker keeps.
  std::size_t returned_references = 0;
  /// Ran something since it last rested: the idle time starts anew.
  bool worked = true;
  /// The chunk that it holds while it drains it; null otherwise.
  const Chunk<Runtime>* chunk = nullptr;
  /// The coroutine that this thread has resumed from its loop and not from the middle of anything; null otherwise.
  std::coroutine_handle<> on_top;
  /// The plain task that it is in the middle of; null in closures and coroutines. The WaitGraph reads it while the
  /// worker is blocked.
  const QueuedTask<Runtime>* running = nullptr;

  /// A task or a hop that it has kept for itself instead of queueing it: queue_keeping.hpp. Whoever exchanges this has
  /// it.
  typename Runtime::template Atomic<Continuation*> kept{nullptr};

  // Written by the worker's own thread, read by anybody.
  typename Runtime::template Atomic<std::uint64_t> tally{0};
  /// Runs a coroutine task or a continuation, rather than a plain task.
  typename Runtime::template Atomic<bool> in_coroutine{false};

  // Guarded by the queue's mutex.
  typename Runtime::Thread thread;
  typename Runtime::Clock::time_point idle_since{};
  /// The next worker in the stack of idle ones, in the list of unused ones; see `idle`.
  Worker* next = nullptr;
  /// The next of all workers the queue ever had at the same time.
  Worker* next_of_all = nullptr;
  bool idle = false;
  /// Popped from the idle stack by somebody who has sent, or is about to send, a wake-up.
  bool signalled = false;
  /// Its place in the WaitGraph, while it is blocked without a limit of time. Written under the graph's mutex too.
  BlockedThread<Runtime>* blocked_on = nullptr;
  /// This worker is the one that the queue's `searching_` speaks of.
  bool searcher = false;
  /// Has claimed a task at its last visit to the mutex, which counts as begun although `tally` may not yet show it.
  bool claimed_task = false;
  /// Its last thread is still telling the observer of its end: the next one waits before it tells of its beginning.
  bool telling = false;
  /// Its thread is known to exist; counted in `secured_`.
  bool secured = false;

  typename Runtime::Parker parker;
  /// Whoever sent the last wake-up was a worker of the same queue. A hint.
  typename Runtime::template Atomic<bool> woken_by_worker{false};
  /// Used by the worker's own thread only.
  SpinBudget<Runtime> spins;
  Backoff<Runtime> backoff;

  /// The tasks it has begun, or claimed, since its last visit to the mutex. Requires that mutex.
  std::uint64_t begun(const Tally& seen) const noexcept { return seen.begun == 0 && claimed_task ? 1 : seen.begun; }

  void count(std::uint64_t what) noexcept {
    // The only writer is this thread; relaxed: the numbers order nothing.
    tally.store(tally.load(std::memory_order_relaxed) + what, std::memory_order_relaxed);
  }
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WORKER_HPP
