// SPDX-License-Identifier: MIT
//
// A queue's bound: how many tasks may wait, who waits for room, and what happens to a task for which there is none.
// Workers of a bounded queue claim one task at a time, under the mutex, so that the count is exact. Part of QueueCore,
// whose invariants are listed in queue_core.hpp; include that.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_BOUND_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_BOUND_HPP

#include "../ground/text.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

/// A thread that sleeps until it is told.
template <class Runtime>
class ThreadInLine final : public RoomWaiter<Runtime> {
 public:
  bool tell_locked() noexcept override {
    parker.unpark();
    return true;
  }
  typename Runtime::Parker parker;
};

template <class Runtime>
QueueClosed QueueCore<Runtime>::closed_error() const {
  return QueueClosed(join({"toto: queue '", name_, "' is closed and takes no more tasks"}));
}

template <class Runtime>
std::exception_ptr QueueCore<Runtime>::closed_failure() const noexcept {
  try {
    throw closed_error();
  } catch (...) {  // that, or no memory for it
    return std::current_exception();
  }
}

template <class Runtime>
std::exception_ptr QueueCore<Runtime>::full_failure() const noexcept {
  try {
    throw QueueFull(join({"toto: queue '", name_, "' is full: ", Digits(max_queued_), " task(s) wait for a thread"}));
  } catch (...) {
    return std::current_exception();
  }
}

/// The queue is full. Makes or waits for room, or says why the task is refused. Null: look again.
template <class Runtime>
std::exception_ptr QueueCore<Runtime>::overflow_locked(bool& reserved) {
  switch (overflow_) {
    case Overflow::reject:
      return full_failure();
    case Overflow::discard_oldest:
      if (!discard_oldest_locked(reserved)) {  // all room is booked: beyond the bound, because this never waits
        ++reserved_;
        reserved = true;
      }
      break;
    case Overflow::block:
    case Overflow::caller_runs:  // see prepare_slowly_locked()
      wait_for_room_locked((TimePoint::max)(), reserved);
      break;
  }
  return nullptr;
}

/// Stands in line until there is room, the queue has closed, or the deadline has passed.
template <class Runtime>
void QueueCore<Runtime>::wait_for_room_locked(TimePoint deadline, bool& reserved) {
  if (ThreadContext<Runtime>::current().worker != nullptr) {
    mutex_.unlock();
    run_local_here();
    mutex_.lock();
    reserved = !closed_ && book_room_locked();
    if (closed_ || reserved) {
      return;
    }
  }
  ThreadInLine<Runtime> self;
  self.waiting = true;
  room_waiters_.push_back(self);
  while (self.waiting) {
    if (deadline != (TimePoint::max)() && Clock::now() >= deadline) {
      room_waiters_.remove(self);
      break;
    }
    mutex_.unlock();
    self.parker.park_until(deadline);
    mutex_.lock();
  }
  reserved = self.granted;
}

/// Completes one task with TaskCancelled, of those of the lowest priority the one that has waited longest, and books
/// its room. Ageing does not count: by urgency the newest one would go. False, without having let go of the mutex, if
/// there is none; otherwise the caller looks again.
template <class Runtime>
bool QueueCore<Runtime>::discard_oldest_locked(bool& reserved) {
  ContinuationList tasks;
  Chunk* surplus = nullptr;
  std::size_t dropped = 0;
  if (levels_ && !levels_->empty() && levels_->lowest_priority().priority <= 0) {
    QueuedTask& task = levels_->lowest_priority();
    levels_->remove(task);
    tasks.push_back(task);
  } else if (dropped = empty_slots_locked(tasks, surplus, 1); dropped == 0 && tasks.empty()) {
    take_unslotted_locked(tasks, 1);
  }
  note_due_locked();
  const std::size_t discarded = dropped + tasks.size();
  if (discarded == 0 && surplus == nullptr) {
    return false;
  }
  cancelled_ += discarded;
  reserved_ += discarded;  // before anybody who waits for room can take it
  reserved = discarded > 0;
  ++busy_;  // the queue does not end while one of its tasks is being completed
  mutex_.unlock();
  SlotQueue<Runtime>::free_all(surplus);
  if (!tasks.empty()) {
    static_cast<QueuedTask&>(tasks.pop_front()).discard();
  }
  mutex_.lock();
  --busy_;
  announce_quiet_locked();
  return true;
}

/// Runs a task for which there is no room on the calling thread, as a worker of this queue that nobody else knows. What
/// the thread itself is, a worker of another queue for example, it stays: only the task finds itself on this queue.
template <class Runtime>
void QueueCore<Runtime>::do_run_here(Kind kind, typename Slot::Run run, Slot& filled) {
  struct Guest {
    QueueCore& core;
    Worker worker;
    ThreadContext<Runtime>& thread = ThreadContext<Runtime>::current();
    const GuestTask<Runtime> task;
    const ExecutorScope<Runtime> home;  // of a coroutine that begins here

    explicit Guest(QueueCore& queue) noexcept TOTO_REQUIRES(queue.mutex_)
        : core(queue), worker(queue, 0), task{queue, thread.guest}, home(&queue) {
      thread.guest = &task;
      worker.next_of_all = core.all_;  // so that its tally is seen
      core.all_ = &worker;
      ++core.busy_;
    }
    ~Guest() {
      thread.guest = task.outer;
      core.mutex_.lock();
      core.fold_locked(worker);
      Worker** link = &core.all_;
      while (*link != &worker) {
        link = &(*link)->next_of_all;
      }
      *link = worker.next_of_all;
      --core.busy_;
      core.announce_quiet_locked();
      core.mutex_.unlock();
    }
  } guest(*this);
  filled.run.store(run, std::memory_order_relaxed);
  count_added_locked(kind, false);
  guest.worker.claimed_task = true;
  mutex_.unlock();
  run(filled, guest.worker);
}

template <class Runtime>
bool QueueCore<Runtime>::reserve_until(TimePoint deadline) {
  mutex_.lock();
  bool reserved = !closed_ && book_room_locked();
  // A worker might wait for itself.
  if (!closed_ && !reserved && deadline > Clock::now() && this_worker() == nullptr) {
    wait_for_room_locked(deadline, reserved);
  }
  const bool refused = closed_ && !reserved;
  mutex_.unlock();
  if (refused) {
    throw closed_error();
  }
  return reserved;
}

template <class Runtime>
bool QueueCore<Runtime>::reserve_or_wait(RoomWaiter& waiter) {
  mutex_.lock();
  if (closed_) {
    mutex_.unlock();
    throw closed_error();
  }
  const bool reserved = book_room_locked();
  if (!reserved) {
    waiter.waiting = true;
    room_waiters_.push_back(waiter);
  }
  mutex_.unlock();
  return reserved;
}

template <class Runtime>
bool QueueCore<Runtime>::withdraw(RoomWaiter& waiter) noexcept {
  const Lock lock(mutex_);
  if (std::exchange(waiter.waiting, false)) {
    room_waiters_.remove(waiter);
  }
  return waiter.granted;
}

template <class Runtime>
void QueueCore<Runtime>::reserve_beyond_bound() noexcept {
  const Lock lock(mutex_);
  ++reserved_;
}

template <class Runtime>
void QueueCore<Runtime>::add_beyond_bound(QueuedTask& task) {
  const bool reserved = bounded();
  if (reserved) {
    reserve_beyond_bound();
  }
  try {
    add(task, reserved);
  } catch (...) {
    if (reserved) {
      return_reservation();
    }
    throw;
  }
}

template <class Runtime>
void QueueCore<Runtime>::require_order(const char* what) const {
  if (bounded() && overflow_ == Overflow::caller_runs) {
    refuse_argument({"toto: queue '", name_, "' runs tasks in the caller when it is full (Overflow::caller_runs): ",
                     what, " could not keep its order there"});
  }
}

template <class Runtime>
void QueueCore<Runtime>::return_reservation() noexcept {
  mutex_.lock();
  bool reserved = true;
  return_reservation_locked(reserved);
  unlock_and_tell({});
}

template <class Runtime>
void QueueCore<Runtime>::return_reservation_locked(bool& reserved) noexcept {
  if (std::exchange(reserved, false) && reserved_ > 0) {  // none in the child of a fork
    --reserved_;
  }
}

/// Gives room to those who have waited for it longest; the caller tells them.
template <class Runtime>
LinkedList<RoomWaiter<Runtime>> QueueCore<Runtime>::grant_room_locked() noexcept {
  LinkedList<RoomWaiter> told;
  while (!room_waiters_.empty() && (closed_ || has_room_locked())) {
    RoomWaiter& waiter = room_waiters_.pop_front();
    waiter.waiting = false;
    waiter.granted = !closed_;
    reserved_ += waiter.granted ? 1U : 0U;
    if (!waiter.tell_locked()) {
      told.push_back(waiter);
    }
  }
  return told;
}

/// Ends a critical section in which tasks may have left the queue.
template <class Runtime>
void QueueCore<Runtime>::do_unlock_and_tell(Wake wake) noexcept {
  LinkedList<RoomWaiter> told;
  if (!room_waiters_.empty()) {
    told = grant_room_locked();
  }
  mutex_.unlock();
  deliver(wake);
  while (!told.empty()) {
    told.pop_front().proceed();
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_BOUND_HPP
