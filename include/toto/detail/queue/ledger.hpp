// SPDX-License-Identifier: MIT
//
// Ledger: a queue's counts, the progress of its shutdown, and the references to the queue that its tasks own.
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.I8]):
//  I8  After `ended` nothing is accepted, and everything accepted before has been completed.
//  I12 submitted = completed + failed + cancelled + queued + running + suspended, at every moment: workers' tallies are
//      added by whoever reads, each read once.

#ifndef TOTO_DETAIL_QUEUE_LEDGER_HPP
#define TOTO_DETAIL_QUEUE_LEDGER_HPP

#include <cstddef>
#include <cstdint>
#include <utility>

#include "../../stats.hpp"
#include "worker.hpp"

namespace toto::inline v0_1::detail {

/// Thread safety: Requires the queue's mutex, except closed().
template <class Runtime>
class Ledger {
 public:
  using Worker = detail::Worker<Runtime>;

  // Tasks.

  void count_submitted() noexcept { ++submitted_; }
  void count_begun() noexcept { ++begun_; }
  void count_cancelled(std::size_t tasks = 1) noexcept { cancelled_ += tasks; }
  /// A task was claimed, and then found to be cancelled.
  void count_unrun() noexcept {
    --begun_;
    ++cancelled_;
  }
  void count_coroutine_begun() noexcept { ++open_coroutines_; }
  void count_coroutine_ended(bool failed) noexcept {
    if (open_coroutines_ > 0) {
      --open_coroutines_;
      ++(failed ? failed_ : completed_);
    }
  }
  std::uint64_t open_coroutines() const noexcept { return open_coroutines_; }

  /// Takes over what the worker has done since it was last here.
  void fold(Worker& worker) noexcept {
    const Tally tally(worker.tally.load(std::memory_order_relaxed));
    worker.tally.store(0, std::memory_order_relaxed);
    submitted_ += tally.unqueued;
    begun_ += tally.unqueued;
    completed_ += tally.completed;
    failed_ += tally.failed;
  }

  QueueStats stats(const Worker* workers, std::size_t queued) const noexcept {
    QueueStats stats;
    stats.submitted = submitted_;
    stats.completed = completed_;
    stats.failed = failed_;
    stats.cancelled = cancelled_;
    stats.queued = queued;
    std::uint64_t begun = begun_;
    std::uint64_t coroutines = 0;  // on a thread now
    for (const Worker* worker = workers; worker != nullptr; worker = worker->next_of_all) {
      const Tally tally(worker->tally.load(std::memory_order_relaxed));
      stats.submitted += tally.unqueued;
      begun += tally.unqueued;
      stats.completed += tally.completed;
      stats.failed += tally.failed;
      coroutines += worker->in_coroutine.load(std::memory_order_relaxed) ? 1U : 0U;
      stats.idle += worker->idle ? 1U : 0U;
    }
    stats.suspended = open_coroutines_ > coroutines ? open_coroutines_ - coroutines : 0;
    stats.running = begun - stats.completed - stats.failed - stats.suspended;
    return stats;
  }

  // The end.

  /// Tasks that were taken out of the queue are being completed: it does not end meanwhile.
  void begin_completing() noexcept { ++completing_; }
  void end_completing() noexcept { --completing_; }
  bool completing() const noexcept { return completing_ > 0; }

  void close() noexcept { closed_.store(true, std::memory_order_relaxed); }
  bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }
  void end() noexcept { ended_ = true; }
  bool ended() const noexcept { return ended_; }
  /// References are returned from now on, and idle workers leave even if coroutine tasks are open.
  void lose_owner() noexcept { ownerless_ = true; }
  /// The TaskQueue was destroyed by one of its own tasks, whose thread will not be joined.
  void orphan() noexcept { orphaned_ = true; }
  bool orphaned() const noexcept { return orphaned_; }
  /// Whether idle workers have nothing left to wait for.
  bool over() const noexcept { return closed() && (open_coroutines_ == 0 || ownerless_); }

  /// A thread is joining the last one.
  void set_joining(bool joining) noexcept { joining_ = joining; }
  bool joining() const noexcept { return joining_; }

  // References to the queue that its tasks own, counted wholesale: a task gets one without an atomic operation.

  template <class Core>
  void take_reference(Core& core) noexcept {
    if (credit_ == 0) {
      core.retain(kCredit);
      credit_ = kCredit;
    }
    --credit_;
  }
  /// The same for a task that its worker will run without queueing it.
  template <class Core>
  static void take_reference(Core& core, Worker& worker) noexcept {
    if (worker.returned_references == 0) {
      core.retain(kCredit);
      worker.returned_references = kCredit;
    }
    --worker.returned_references;
  }
  template <class Core>
  void return_references(Core& core, Worker& worker) noexcept {
    const std::size_t references = std::exchange(worker.returned_references, 0);
    if (!ownerless_) {
      credit_ += references;
    } else if (references > 0) {
      core.release(references);  // never the last: the worker's thread owns one
    }
  }
  std::size_t take_credit() noexcept { return std::exchange(credit_, 0); }

  /// In the child of a fork. `self`: the forking thread, which is in the middle of something, if it is a worker.
  void forget(Worker* self) noexcept {
    completed_ = failed_ = cancelled_ = completing_ = 0;
    submitted_ = begun_ = self != nullptr ? 1 : 0;
    open_coroutines_ = self != nullptr && self->in_coroutine.load(std::memory_order_relaxed) ? 1 : 0;
    if (self != nullptr) {
      self->tally.store(0, std::memory_order_relaxed);
    }
    joining_ = false;
    ended_ = closed() && self == nullptr;
  }

 private:
  static constexpr std::size_t kCredit = 1024;

  std::uint64_t submitted_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t open_coroutines_ = 0;
  std::size_t completing_ = 0;
  std::size_t credit_ = 0;
  typename Runtime::template Atomic<bool> closed_{false};
  bool ended_ = false;
  bool joining_ = false;
  bool ownerless_ = false;
  bool orphaned_ = false;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_LEDGER_HPP
