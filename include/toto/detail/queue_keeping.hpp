// SPDX-License-Identifier: MIT
//
// A worker keeps a task for itself instead of queueing it, if it would be the next to claim it anyway: then neither the
// mutex nor a slot is needed. Part of QueueCore, whose invariants are listed in queue_core.hpp; include that.
//
// Nobody can tell a kept task from one in the slot that would have been filled next. It is next in order, because
// nothing is queued and whatever comes later comes behind it, except what goes to the front, before which it is queued.
// It is this worker that comes to it, at once: the queue has no other (thread_count 1), or this one is about to return
// from the coroutine that waits for it. And it can be taken away like a queued one: who cancels it, and who queues it
// for others because this worker stops or ends, exchange the same word as the worker.

#ifndef TOTO_DETAIL_QUEUE_KEEPING_HPP
#define TOTO_DETAIL_QUEUE_KEEPING_HPP

#include "queue_core.hpp"

namespace toto::inline v0::detail {

/// Keeps the task if nothing is queued and nothing forbids it; false: it has to be added. On the worker's thread. The
/// caller knows that no other worker could begin with it sooner.
template <class Runtime>
bool QueueCore<Runtime>::keep(Worker& self, QueuedTask& task) noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
  const Chunk* const chunk = self.chunk;
  if (chunk == nullptr || self.kept.load(std::memory_order_relaxed) != nullptr || task.lane || task.priority != 0 ||
      ages() || Tally(self.tally.load(std::memory_order_relaxed)).kept == Tally::kMostKept) {
    return false;
  }
  // Relaxed: what was queued or closed before this call, in whatever thread, is seen by coherence; what comes at the
  // same time may as well come later. Claimed slots first: they are at most those filled.
  const std::uint64_t claimed = chunk->base + chunk->claimed.load(std::memory_order_relaxed);
  if (due_.load(std::memory_order_relaxed) != kNoneDue || slots_.end() != claimed) {
    return false;
  }
  if (self.returned_references == 0) {
    this->retain(kCredit);
    self.returned_references = kCredit;
  }
  --self.returned_references;  // the task's
  task.ticket = claimed - 1;   // if it has to be queued: behind what goes to the front, before what comes later
  self.count(Tally::kKept);
  self.kept.store(&task, std::memory_order_release);  // pairs with take_kept_locked()
  return true;
}

/// Runs what this worker has kept, unless something has to come before it.
template <class Runtime>
void QueueCore<Runtime>::run_kept(Worker& self) {
  if (due_.load(std::memory_order_relaxed) == 0) [[unlikely]] {
    const Lock lock(mutex_);
    queue_kept_locked(self);
  } else if (QueuedTask* const task = self.kept.exchange(nullptr, std::memory_order_relaxed)) {
    task->run_on(self);
  }
}

template <class Runtime>
bool QueueCore<Runtime>::is_kept_locked(const QueuedTask& task) const noexcept {
  for (const Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    if (worker->kept.load(std::memory_order_relaxed) == &task) {
      return true;
    }
  }
  return false;
}

/// Takes a task away from the worker that keeps it; false if none does, or it has begun.
template <class Runtime>
bool QueueCore<Runtime>::take_kept_locked(QueuedTask& task) noexcept {
  for (Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    QueuedTask* seen = &task;
    // Acquire: pairs with the release in keep().
    if (worker->kept.compare_exchange_strong(seen, nullptr, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

/// Queues what the worker keeps where it would stand now, for whoever comes. The caller wakes somebody if need be.
template <class Runtime>
void QueueCore<Runtime>::queue_kept_locked(Worker& worker) noexcept {
  if (QueuedTask* const task = worker.kept.exchange(nullptr, std::memory_order_acquire)) {
    task->run = &run_task_node;
    task->place = QueuedTask::Place::node;
    nodes_.insert_by_ticket(*task);
    ++node_tasks_;
    note_due_locked();
  }
}

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_QUEUE_KEEPING_HPP
