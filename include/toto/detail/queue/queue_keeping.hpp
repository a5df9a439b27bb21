// SPDX-License-Identifier: MIT
//
// A worker keeps a task, or a hop, for itself instead of queueing it, if it would be the next to claim it anyway: then
// neither the mutex nor a slot is needed. Part of QueueCore, whose invariants are listed in queue_core.hpp; include
// that.
//
// Nobody can tell what is kept from what is in the slot that would have been filled next. It is next in order, because
// nothing is queued and whatever comes later comes behind it, except what goes to the front, before which it is queued.
// It is this worker that comes to it, at once: the queue has no other (thread_count 1), or this one is about to return
// from the coroutine that waits for it. And it can be taken away like a queued one: who cancels or withdraws it, and
// who queues it for others because this worker stops or ends, exchange the same word as the worker.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_KEEPING_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_KEEPING_HPP

#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

/// Keeps the task if nothing is queued and nothing forbids it; false: it has to be added. On the worker's thread. The
/// caller knows that no other worker could begin with it sooner.
template <class Runtime>
bool QueueCore<Runtime>::keep(Worker& self, QueuedTask& task) noexcept {
  if (task.lane || task.priority != 0 || ages() ||
      Tally(self.tally.load(std::memory_order_relaxed)).kept == Tally::kMostKept || !has_next_turn(self, task)) {
    return false;
  }
  if (self.returned_references == 0) {
    this->retain(kCredit);
    self.returned_references = kCredit;
  }
  --self.returned_references;  // the task's
  task.run = &run_task_node;
  self.count(Tally::kKept);
  self.kept.store(&task, std::memory_order_release);  // pairs with take_kept_locked()
  return true;
}

template <class Runtime>
bool QueueCore<Runtime>::keep(Worker& self, Hop& hop) noexcept {
  if (!has_next_turn(self, hop)) {
    return false;
  }
  self.kept.store(&hop, std::memory_order_release);  // pairs with take_kept_locked()
  return true;
}

/// Whether what is added now would be the next that this worker claims. Then the node has its ticket, in case it has to
/// be queued: behind what goes to the front, before what comes later.
template <class Runtime>
inline bool QueueCore<Runtime>::has_next_turn(const Worker& self,
                                              Continuation& node) const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
  const Chunk* const chunk = self.chunk;
  if (chunk == nullptr || self.kept.load(std::memory_order_relaxed) != nullptr) {
    return false;
  }
  // Relaxed: what was queued or closed before this call, in whatever thread, is seen by coherence; what comes at the
  // same time may as well come later. Claimed slots first: they are at most those filled.
  const std::uint64_t claimed = chunk->base + chunk->claimed.load(std::memory_order_relaxed);
  node.ticket = claimed - 1;
  return due_.load(std::memory_order_relaxed) == kNoneDue && slots_.end() == claimed;
}

/// Runs what this worker has kept, unless something has to come before it.
template <class Runtime>
void QueueCore<Runtime>::run_kept(Worker& self) {
  if (due_.load(std::memory_order_relaxed) == 0) [[unlikely]] {
    const Lock lock(mutex_);
    queue_kept_locked(self);
  } else if (Continuation* const node = self.kept.exchange(nullptr, std::memory_order_relaxed)) {
    run_node(self, *node);
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

/// Takes it away from the worker that keeps it; false if none does, or it has begun.
template <class Runtime>
bool QueueCore<Runtime>::take_kept_locked(Continuation& node) noexcept {
  for (Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    Continuation* seen = &node;
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
  if (Continuation* const node = worker.kept.exchange(nullptr, std::memory_order_acquire)) {
    if (node->run == &run_task_node) {
      static_cast<QueuedTask*>(node)->place = QueuedTask::Place::node;
      ++node_tasks_;
    }
    nodes_.insert_by_ticket(*node);
    note_due_locked();
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_KEEPING_HPP
