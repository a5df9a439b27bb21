// SPDX-License-Identifier: MIT
//
// The life of a worker: started, taking what is queued, resting, leaving. Part of QueueCore, whose invariants are
// listed in queue_core.hpp; include that.

#ifndef TOTO_DETAIL_QUEUE_WORKER_LOOP_HPP
#define TOTO_DETAIL_QUEUE_WORKER_LOOP_HPP

#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

/// The whole of a worker's thread.
template <class Runtime>
void QueueCore<Runtime>::work(Worker& self, bool searches) {
  ThreadContext<Runtime>::current() = {this, &self, nullptr};
  if (observer_ != nullptr) {
    mutex_.lock();
    changed_.wait(mutex_, [&self] { return !self.telling; });
    mutex_.unlock();
    observer_->thread_started(name_, self.number);
  }
  mutex_.lock();
  secure_locked(self);
  // Where the system is slow to end threads, new ones do not pile up behind them.
  changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return leaving_ <= thread_count_; });
  if (searches) {
    searching_ = false;  // its starter set it in this worker's name (I3)
  }
  ++busy_;
  self.worked = true;
  Chunk* surplus = nullptr;
  for (;;) {
    fold_locked(self);
    if (Continuation* const node = pop_next_locked(self)) {
      do_unlock_and_tell(has_work_locked() ? pick_locked() : Wake{});
      try {
        run_node(self, *node);
        settle(self);
      } catch (...) {  // a forced unwind, as below
        mutex_.lock();
        lose(self);
        throw;
      }
      mutex_.lock();
    } else if (Chunk* const chunk = slots_.front(surplus)) {
      slots_.hold(*chunk);
      Slot* const first = claim_locked(self, *chunk);  // before it is decided whether another worker is needed
      self.chunk = chunk;
      do_unlock_and_tell(has_work_locked() ? pick_locked() : Wake{});
      try {
        drain(self, *chunk, first);
      } catch (...) {  // a forced unwind (pthread_exit in a task): the thread ends, the queue goes on without it
        mutex_.lock();
        slots_.let_go(*chunk, surplus);
        lose(self);
        slots_.free_all(surplus);
        throw;
      }
      mutex_.lock();
      self.chunk = nullptr;
      slots_.let_go(*chunk, surplus);
    } else if (!rest(self)) {
      break;
    }
    if (surplus != nullptr) {
      mutex_.unlock();
      slots_.free_all(std::exchange(surplus, nullptr));
      mutex_.lock();
    }
  }
  leave(self);
  SlotQueue<Runtime>::free_all(surplus);
}

/// Claims the next slot of a held chunk, if it stands before `due`, or, if that is null, before what may have been
/// posted meanwhile. Null if none is left, none is filled, or none stands there.
template <class Runtime>
typename QueueCore<Runtime>::Slot* QueueCore<Runtime>::claim(Chunk& chunk, const std::uint64_t* due) noexcept {
  for (;;) {
    std::uint32_t index = chunk.claimed.load(std::memory_order_relaxed);
    if (index == chunk.size) {
      return nullptr;
    }
    Slot& slot = chunk.slots()[index];
    // Acquire: pairs with publish(), so that due_ is read no older than when the slot was filled.
    const typename Slot::Run run = slot.run.load(std::memory_order_acquire);
    if (run == nullptr || (due != nullptr ? *due : due_.load(std::memory_order_relaxed)) <= chunk.base + index) {
      return nullptr;
    }
    // Sequentially consistent, as the next look at the slot's function: see cancel().
    if (chunk.claimed.compare_exchange_weak(index, index + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) {
      return &slot;
    }
  }
}

/// The same under the mutex. A task that is claimed here has begun for all who look: it cannot be cancelled any more.
template <class Runtime>
typename QueueCore<Runtime>::Slot* QueueCore<Runtime>::claim_locked(Worker& self, Chunk& chunk) noexcept {
  const std::uint64_t due = nodes_.empty() ? kNoneDue : nodes_.front()->ticket;
  Slot* const slot = claim(chunk, &due);
  if (slot != nullptr) {
    const typename Slot::Run run = slot->run.load(std::memory_order_relaxed);
    self.claimed_task = run != &run_hop && run != &run_nothing;
    if (run == &run_queued) {
      filling(*slot).task->place = QueuedTask::Place::nowhere;
    }
  }
  return slot;
}

/// Runs a claimed slot, and then as many as it can claim. Without the mutex.
template <class Runtime>
void QueueCore<Runtime>::drain(Worker& self, Chunk& chunk, Slot* first) {
  struct Running {
    Slot& slot;
    // The chunk is not recycled before this worker lets go of it under the mutex: relaxed.
    ~Running() { slot.run.store(nullptr, std::memory_order_relaxed); }
  };
  for (Slot* slot = first; slot != nullptr; slot = claim(chunk)) {
    self.worked = true;
    {
      const Running running{*slot};
      slot->run.load(std::memory_order_seq_cst)(*slot, self);
    }
    settle(self);
  }
}

template <class Runtime>
void QueueCore<Runtime>::run_node(Worker& self, Continuation& node) {
  self.worked = true;
  if (node.run == &run_task_node) {
    static_cast<QueuedTask&>(node).run_on(self);
  } else if (node.run == &run_hop_node) {
    resume_on_top(self, static_cast<Hop&>(node).coroutine);
  } else {
    self.in_coroutine.store(true, std::memory_order_relaxed);
    node.run(node, Turn::on_executor);
    self.in_coroutine.store(false, std::memory_order_relaxed);
  }
}

/// Does what belongs to this thread before it looks at the queue again: the continuation of the task that has just
/// ended, coroutine tasks that have just ended, and what it has kept. Lets through a forced unwind of that.
template <class Runtime>
inline void QueueCore<Runtime>::settle(Worker& self) {
  for (;;) {
    if (self.resume_next || !self.local.empty()) {
      settle_one(self);
    } else if (self.kept.load(std::memory_order_relaxed) != nullptr) {
      run_kept(self);
    } else {
      return;
    }
  }
}

template <class Runtime>
void QueueCore<Runtime>::settle_one(Worker& self) noexcept {
  if (self.resume_next) {
    resume_on_top(self, std::exchange(self.resume_next, nullptr));
  } else {
    Continuation& node = self.local.pop_front();
    node.run(node, Turn::on_executor);
  }
}

/// From the worker's loop, not from the middle of anything.
template <class Runtime>
inline void QueueCore<Runtime>::resume_on_top(Worker& self, std::coroutine_handle<> coroutine) noexcept {
  self.in_coroutine.store(true, std::memory_order_relaxed);
  self.on_top = coroutine;
  coroutine.resume();
  self.on_top = nullptr;
  self.in_coroutine.store(false, std::memory_order_relaxed);
}

template <class Runtime>
void QueueCore<Runtime>::do_run_local(Worker& self) noexcept {
  const bool nested = std::exchange(self.in_run_local, true);
  while (!self.local.empty()) {
    Continuation& node = self.local.pop_front();
    node.run(node, Turn::on_executor);
  }
  self.in_run_local = nested;
  if (self.kept.load(std::memory_order_relaxed) != nullptr) {
    mutex_.lock();
    queue_kept_locked(self);
    unlock_and_wake();
  }
}

/// Waits for work. Returns true if there is some, false if the worker shall leave: both decided in the critical section
/// in which it looked (I1). Enters and returns with the mutex held.
template <class Runtime>
bool QueueCore<Runtime>::rest(Worker& self) {
  if (std::exchange(self.worked, false)) {
    self.idle_since = Clock::now();  // a wake-up that finds nothing does not move the deadline
  }
  const TimePoint deadline = idle_timeout_.after(self.idle_since);
  --busy_;
  announce_quiet_locked();
  look_again();
  while (!has_work_locked()) {
    // The thread is stored by its starter, so that it can be joined.
    const bool may_leave = promised_ == 0 && self.thread.joinable();
    if (may_leave && (over_locked() || Clock::now() >= deadline)) {
      if (self.idle) {
        remove_idle_locked(self);
      }
      return false;
    }
    if (!self.idle) {
      push_idle_locked(self);
    }
    const TimePoint until = may_leave ? deadline : TimePoint::max();
    mutex_.unlock();
    self.spins.spin([&self] { return self.parker.has_token(); });
    const bool awake = self.parker.has_token();
    self.parker.park_until(until);
    const bool left_to_waker = leave_it_to_waker(self);
    mutex_.lock();
    const bool found = has_work_locked();
    if (std::exchange(self.signalled, false) && std::exchange(self.searcher, false)) {
      searching_ = false;
    }
    self.spins.paid(awake && found);
    if (found) {
      self.backoff.reset();
    } else if (left_to_waker) {
      self.backoff.grow();
    }
  }
  if (self.idle) {
    remove_idle_locked(self);
  }
  ++busy_;
  return true;
}

/// If another worker has woken this one for a task that it has added itself, it will most likely run it in an instant;
/// to take it from that worker's cache costs more than it gains. But it may be busy for long: so only for a while,
/// which is longer the more often it has run what it has added. Returns whether one has.
template <class Runtime>
bool QueueCore<Runtime>::leave_it_to_waker(Worker& self) noexcept {
  if constexpr (Runtime::spins) {
    if (self.woken_by_worker.load(std::memory_order_relaxed)) {
      self.woken_by_worker.store(false, std::memory_order_relaxed);
      self.backoff.wait();
      return true;
    }
  }
  return false;
}

/// Looks for about a microsecond before sleeping, as the one who is on the way: adders meanwhile need not wake anybody.
/// While tasks come one after another, it lets them: right behind their producer it would only meet him at the mutex.
/// That he pauses is told from the first look that sees no more, or, if more came while the last ones were run, from
/// several in a row. Enters and returns with the mutex held; the caller looks under it once more.
template <class Runtime>
void QueueCore<Runtime>::look_again() TOTO_NO_THREAD_SAFETY_ANALYSIS {
  if constexpr (Runtime::spins) {
    if (searching_ || over_locked() || idle_timeout_ == Duration() || Runtime::processors() < 2) {
      return;
    }
    constexpr int kLooks = 64;
    constexpr int kMostPatience = 16;
    constexpr std::uint64_t kEnough = 32;
    searching_ = true;
    const std::uint64_t begin = slots_.end();
    const int patience = begin > seen_ ? (patience_ < kMostPatience ? 2 * patience_ : patience_) : 1;
    std::uint64_t end = begin;
    int without_more = 0;
    mutex_.unlock();
    for (int look = 0; look < kLooks && due_.load(std::memory_order_relaxed) >= kNoneDueClosed; ++look) {
      Runtime::relax();
      const std::uint64_t now = slots_.end();
      without_more = now == end && now != begin ? without_more + 1 : 0;
      end = now;
      if (without_more == patience || now - begin >= kEnough) {
        break;
      }
    }
    mutex_.lock();
    searching_ = false;
    patience_ = patience;
    seen_ = end != begin ? end : kNoneSeen;
  }
}

/// The end of a worker: it is counted out in the critical section in which it saw the queue empty. Enters with the
/// mutex held, returns without it.
template <class Runtime>
void QueueCore<Runtime>::leave(Worker& self) {
  fold_locked(self);
  ThreadContext<Runtime>::current() = {nullptr, nullptr, this};
  --live_;
  --secured_;
  self.secured = false;
  Thread predecessor;
  if (orphaned_) {
    self.thread.detach();
  } else {
    predecessor = std::move(exited_);
    exited_ = std::move(self.thread);
    ++leaving_;
  }
  self.next = unused_;
  unused_ = &self;
  const Wake next = has_work_locked() ? pick_locked() : Wake{};  // after a forced unwind
  announce_quiet_locked();
  changed_.notify_all();
  self.telling = observer_ != nullptr;
  mutex_.unlock();
  deliver(next);
  if (observer_ != nullptr) {
    observer_->thread_ended(name_, self.number);
    const Lock lock(mutex_);
    self.telling = false;
    changed_.notify_all();
  }
  if (predecessor.joinable()) {
    predecessor.join();
    const Lock lock(mutex_);
    --leaving_;
    changed_.notify_all();
  }
}

/// The thread of a busy worker is being unwound by force.
template <class Runtime>
void QueueCore<Runtime>::lose(Worker& self) noexcept {
  changed_.wait(mutex_, [&self] { return self.thread.joinable(); });
  self.chunk = nullptr;
  queue_kept_locked(self);
  --busy_;
  leave(self);
}

template <class Runtime>
void QueueCore<Runtime>::fold_locked(Worker& self) noexcept {
  const Tally tally(self.tally.load(std::memory_order_relaxed));
  self.tally.store(0, std::memory_order_relaxed);
  self.claimed_task = false;
  submitted_ += tally.kept;
  begun_ += tally.begun;
  completed_ += tally.completed;
  failed_ += tally.failed;
  hops_ -= tally.hops;
  if (const std::size_t references = std::exchange(self.returned_references, 0)) {
    if (ownerless_) {
      this->release(references);  // never the last: the worker's thread owns one
    } else {
      credit_ += references;
    }
  }
}

template <class Runtime>
void QueueCore<Runtime>::push_idle_locked(Worker& worker) noexcept {
  worker.idle = true;
  worker.next = idle_;
  idle_ = &worker;
}

template <class Runtime>
void QueueCore<Runtime>::remove_idle_locked(Worker& worker) noexcept {
  Worker** link = &idle_;
  while (*link != &worker) {
    link = &(*link)->next;
  }
  *link = worker.next;
  worker.next = nullptr;
  worker.idle = false;
}

template <class Runtime>
void QueueCore<Runtime>::rouse_idle_locked() noexcept {
  while (Worker* const worker = idle_) {
    remove_idle_locked(*worker);
    worker->signalled = true;
    worker->parker.unpark();
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WORKER_LOOP_HPP
