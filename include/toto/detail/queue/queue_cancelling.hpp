// SPDX-License-Identifier: MIT
//
// Taking tasks and continuations out of a queue before they begin. Part of QueueCore, whose invariants I1 to I9 are
// listed in queue_core.hpp; include that.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_CANCELLING_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_CANCELLING_HPP

#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
void QueueCore<Runtime>::remove_node_locked(Continuation& node) noexcept {
  (node.ticket == kAdopted ? adopted_ : nodes_).remove(node);
  note_due_locked();
}

template <class Runtime>
bool QueueCore<Runtime>::withdraw(Continuation& node) noexcept {
  const Lock lock(mutex_);
  remove_node_locked(node);
  announce_quiet_locked();
  return true;
}

template <class Runtime>
void QueueCore<Runtime>::withdraw(Hop& hop) noexcept {
  const Lock lock(mutex_);
  if (hop.slot != nullptr) {
    hop.slot->run.store(&run_nothing, std::memory_order_relaxed);
    --hops_;
  } else if (!take_kept_locked(hop)) {
    remove_node_locked(hop);
  }
  announce_quiet_locked();
}

template <class Runtime>
bool QueueCore<Runtime>::cancel(QueuedTask& task, bool* mark) noexcept {
  {
    const Lock lock(mutex_);
    switch (task.place) {
      case QueuedTask::Place::nowhere:
        if (!take_kept_locked(task)) {
          return false;
        }
        break;
      case QueuedTask::Place::slot: {
        Slot* const slot = task.slot.load(std::memory_order_relaxed);
        auto seen = &run_queued;
        if (slot == nullptr || !slot->run.compare_exchange_strong(seen, &run_undecided, std::memory_order_seq_cst)) {
          return false;
        }
        // That says little yet: `run` stays what it is while the task runs. But the worker claims, then looks at `run`,
        // and here it is the other way round. So whoever claims from now on sees `run_undecided`, and waits for this
        // critical section; and who did not see it is seen here.
        if (slots_.is_claimed(filling(*slot).ticket)) {
          seen = &run_undecided;  // not if the task is over meanwhile, and the slot empty
          slot->run.compare_exchange_strong(seen, &run_queued, std::memory_order_relaxed);
          return false;
        }
        slot->run.store(&run_nothing, std::memory_order_relaxed);
        task.slot.store(nullptr, std::memory_order_relaxed);
        break;
      }
      case QueuedTask::Place::lane:
        task.lane->waiting.remove(task);
        if (task.lane->waiting.empty()) {
          lanes_.remove(*task.lane);
        }
        task.lane = {};  // it had no turn to pass on
        break;
      case QueuedTask::Place::node:
        nodes_.remove(task);
        --node_tasks_;
        note_due_locked();
        break;
      case QueuedTask::Place::level:
        levels_->remove(task);
        note_due_locked();
        break;
    }
    task.place = QueuedTask::Place::nowhere;
    ++cancelled_;
    ++busy_;  // the queue does not end while one of its tasks is being completed
  }
  if (mark != nullptr) {
    *mark = true;
  }
  task.discard();
  mutex_.lock();
  --busy_;
  announce_quiet_locked();
  unlock_and_tell({});
  return true;
}

/// Takes `most` tasks, or all, out of the slots that are filled now, as a worker would claim them: closures are
/// dropped, other tasks collected, hops kept.
template <class Runtime>
std::size_t QueueCore<Runtime>::empty_slots_locked(ContinuationList& tasks, Chunk*& surplus,
                                                   std::size_t most) noexcept {
  std::size_t dropped = 0;
  while (dropped + tasks.size() < most) {
    Chunk* const chunk = slots_.front(surplus);
    if (chunk == nullptr) {
      break;
    }
    std::uint32_t index = chunk->claimed.load(std::memory_order_relaxed);
    if (index == chunk->size) {
      continue;
    }
    Slot& slot = chunk->slot_array()[index];
    const typename Slot::Run run = slot.run.load(std::memory_order_acquire);
    // Null: a worker has claimed the last filled slot since front() looked.
    if (run == nullptr || !chunk->claimed.compare_exchange_strong(index, index + 1, std::memory_order_relaxed)) {
      continue;
    }
    slot.run.store(nullptr, std::memory_order_relaxed);
    if (run == &run_queued) {
      QueuedTask* const task = filling(slot).task;
      task->slot.store(nullptr, std::memory_order_relaxed);
      task->place = QueuedTask::Place::nowhere;
      tasks.push_back(*task);
    } else if (run == &run_hop) {  // not a task: it keeps its place among the continuations
      Hop* hop;
      std::memcpy(&hop, slot.closure, sizeof(hop));
      hop->slot = nullptr;
      hop->ticket = chunk->base + index;
      --hops_;
      nodes_.insert_by_ticket(*hop);
    } else if (run != &run_nothing) {
      ++dropped;
    }
  }
  return dropped;
}

/// Takes `most` tasks, or all, that are queued outside the slots: those that have come out of lanes, those with
/// priorities, those that wait in lanes.
template <class Runtime>
void QueueCore<Runtime>::take_unslotted_locked(ContinuationList& tasks, std::size_t most) noexcept {
  const auto take = [&tasks](QueuedTask& task) {
    task.place = QueuedTask::Place::nowhere;
    tasks.push_back(task);
  };
  for (Continuation* node = nodes_.front(); node != nullptr && tasks.size() < most;) {
    Continuation* const next = node->next;
    if (node->run == &run_task_node) {
      nodes_.remove(*node);
      --node_tasks_;
      take(static_cast<QueuedTask&>(*node));
    }
    node = next;
  }
  while (levels_ && !levels_->empty() && tasks.size() < most) {
    QueuedTask& task = levels_->lowest_priority();
    levels_->remove(task);
    take(task);
  }
  while (!lanes_.empty() && tasks.size() < most) {
    auto& lane = static_cast<Lane<Runtime>&>(*lanes_.front());
    auto& task = static_cast<QueuedTask&>(lane.waiting.pop_front());
    if (lane.waiting.empty()) {
      lanes_.remove(lane);
    }
    take(task);
    // It had no turn to pass on. The lane lives: one of its tasks is running, or stands before this one in `tasks`.
    task.lane = {};
  }
}

template <class Runtime>
std::size_t QueueCore<Runtime>::cancel_queued() {
  ContinuationList tasks;
  Chunk* surplus = nullptr;
  mutex_.lock();
  for (Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    queue_kept_locked(*worker);
  }
  const std::size_t dropped = empty_slots_locked(tasks, surplus, kUnbounded);
  take_unslotted_locked(tasks, kUnbounded);
  note_due_locked();
  const std::size_t cancelled = dropped + tasks.size();
  cancelled_ += cancelled;
  ++busy_;  // the queue does not end while its tasks are being completed
  mutex_.unlock();
  SlotQueue<Runtime>::free_all(surplus);
  while (!tasks.empty()) {
    static_cast<QueuedTask&>(tasks.pop_front()).discard();
  }
  mutex_.lock();
  --busy_;
  const Wake wake = has_work_locked() ? pick_locked() : Wake{};
  announce_quiet_locked();
  unlock_and_tell(wake);
  return cancelled;
}

template <class Runtime>
void QueueCore<Runtime>::count_unrun(Worker& self) noexcept {
  const Lock lock(mutex_);
  ++cancelled_;
  self.claimed_task = false;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_CANCELLING_HPP
