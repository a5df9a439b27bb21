// SPDX-License-Identifier: MIT
//
// Closing, draining, joining and observing a queue. Part of QueueCore; include queue_core.hpp.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_ENDING_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_ENDING_HPP

#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
QueueCore<Runtime>::~QueueCore() {
  this->ignore_forks();
  while (Worker* const worker = all_) {
    all_ = worker->next_of_all;
    delete worker;
  }
}

template <class Runtime>
void QueueCore<Runtime>::close() {
  mutex_.lock();
  closed_ = true;
  note_due_locked();
  if (over_locked()) {
    rouse_idle_locked();
  }
  announce_quiet_locked();
  changed_.notify_all();
  unlock_and_tell({});  // nobody gets room any more
}

/// Nothing is queued, running or suspended.
template <class Runtime>
bool QueueCore<Runtime>::quiet_locked() const noexcept {
  return busy_ == 0 && open_coroutines_ == 0 && !has_work_locked();
}

template <class Runtime>
void QueueCore<Runtime>::announce_quiet_locked() noexcept {
  if (!quiet_locked()) {
    return;
  }
  if (closed_) {
    rouse_idle_locked();
    ended_ = live_ == 0;
  }
  changed_.notify_all();
}

template <class Runtime>
bool QueueCore<Runtime>::finish_until(TimePoint deadline) {
  run_local_here();
  std::unique_ptr<WatchdogBase> watchdog;  // of a named queue: destroyed without the mutex
  const Lock lock(mutex_);
  while (!ended_) {
    const bool stranded = live_ == 0 && has_work_locked();
    if (deadline != TimePoint::max() && Clock::now() >= deadline) {
      return false;
    }
    if (!stranded) {
      changed_.wait_until(mutex_, deadline,
                          [this]() TOTO_REQUIRES(mutex_) { return ended_ || (live_ == 0 && has_work_locked()); });
      continue;
    }
    // Continuations wait for a thread that could not be started when they were posted: try again.
    unlock_and_wake();
    mutex_.lock();
    const TimePoint retry = Clock::now() + kRetry;
    changed_.wait_until(mutex_, retry < deadline ? retry : deadline,
                        [this]() TOTO_REQUIRES(mutex_) { return live_ > 0 || !has_work_locked(); });
  }
  if (ThreadContext<Runtime>::current().left == this && exited_.joinable()) {
    exited_.detach();  // a thread-local of a worker that has left destroys the queue: perhaps that very thread
  }
  while (joining_ || exited_.joinable()) {
    if (joining_) {
      changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return !joining_; });
      continue;
    }
    joining_ = true;
    Thread last = std::move(exited_);
    mutex_.unlock();
    last.join();
    mutex_.lock();
    joining_ = false;
    changed_.notify_all();
  }
  watchdog = std::move(watchdog_);
  return true;
}

template <class Runtime>
void QueueCore<Runtime>::finish() {
  watchdog_.reset();
  if (this_worker() == nullptr) {
    finish_until(TimePoint::max());
  }
  mutex_.lock();
  ownerless_ = true;  // references are given back from now on, and idle workers go even if coroutine tasks are open
  if (!ended_) {
    // One of the queue's own tasks destroys it: the other workers run what they can and go; this one runs what is
    // left after the task, on this shared state, as a thread of its own.
    rouse_idle_locked();
    changed_.wait(mutex_, [this]() TOTO_REQUIRES(mutex_) { return live_ == 1; });
    orphaned_ = true;
    if (exited_.joinable()) {
      Thread last = std::move(exited_);
      mutex_.unlock();
      last.join();
      mutex_.lock();
    }
  }
  const std::size_t credit = std::exchange(credit_, 0);
  mutex_.unlock();
  if (credit > 0) {
    this->release(credit);  // never the last: the caller owns one
  }
}

template <class Runtime>
void QueueCore<Runtime>::lose_this_thread() noexcept {
  Worker* const self = this_worker();
  if (self == nullptr) {
    return;
  }
  ThreadContext<Runtime>::current() = {};
  mutex_.lock();
  fold_locked(*self);
  queue_kept_locked(*self);
  --live_;
  --secured_;
  --busy_;
  self->secured = false;
  if (self->in_coroutine.load(std::memory_order_relaxed) && open_coroutines_ > 0) {
    --open_coroutines_;  // the coroutine task on this thread never ends
    ++failed_;
  }
  const Wake next = has_work_locked() ? pick_locked() : Wake{};
  mutex_.unlock();
  deliver(next);
}

/// In the child of a fork the queue is empty and has no threads, but for the forking one if that is a worker. What the
/// lost threads and tasks owned is left alone: nobody knows in what state it is.
template <class Runtime>
void QueueCore<Runtime>::after_fork(bool in_child) noexcept {
  if (in_child) {
    Worker* const self = this_worker();
    const std::size_t mine = self != nullptr ? 1 : 0;
    slots_.forget();
    nodes_ = {};
    adopted_ = {};
    lanes_ = {};
    ++forks_;
    if (self != nullptr && self->running != nullptr && self->running->lane) {
      self->running->lane->come_through(forks_, 1);
    }
    node_tasks_ = 0;
    if (levels_) {
      levels_->forget();
    }
    reserved_ = 0;
    while (!room_waiters_.empty()) {  // threads that are not there; coroutines find their queue as good as closed
      room_waiters_.pop_front().waiting = false;
    }
    note_due_locked();
    live_ = secured_ = busy_ = mine;
    promised_ = leaving_ = 0;
    searching_ = joining_ = retrying_ = false;
    idle_ = unused_ = nullptr;
    all_ = self;
    if (self != nullptr) {
      self->next_of_all = nullptr;
      self->kept.store(nullptr, std::memory_order_relaxed);
    }
    if (exited_.joinable()) {
      static_cast<void>(new (std::nothrow) Thread(std::move(exited_)));  // of the parent: not to be joined
    }
    changed_ = {};
    open_coroutines_ = self != nullptr && self->in_coroutine.load(std::memory_order_relaxed) ? 1 : 0;
    completed_ = failed_ = cancelled_ = hops_ = 0;
    begun_ = open_coroutines_;
    const Tally tally(self != nullptr ? self->tally.load(std::memory_order_relaxed) : 0);
    submitted_ = begun_ + tally.begun - tally.kept;
    ended_ = closed_ && mine == 0;
  }
  mutex_.unlock();
}

template <class Runtime>
bool QueueCore<Runtime>::wait_idle_until(TimePoint deadline) {
  const Lock lock(mutex_);
  return changed_.wait_until(mutex_, deadline, [this]() TOTO_REQUIRES(mutex_) { return quiet_locked(); });
}

template <class Runtime>
typename QueueCore<Runtime>::Counts QueueCore<Runtime>::counts_locked() const noexcept {
  Counts counts{submitted_, begun_};
  for (const Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    const Tally tally(worker->tally.load(std::memory_order_relaxed));
    counts.submitted += tally.kept;
    counts.begun += worker->begun(tally);
  }
  return counts;
}

template <class Runtime>
std::uint64_t QueueCore<Runtime>::queued_tasks_locked() const noexcept {
  // A worker's tally only grows while the mutex is held, and only by tasks that are counted as submitted: never
  // negative.
  const Counts counts = counts_locked();
  return counts.submitted - cancelled_ - counts.begun;
}

template <class Runtime>
std::size_t QueueCore<Runtime>::size() const {
  const Lock lock(mutex_);
  std::uint64_t hops = hops_;
  for (const Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    hops -= Tally(worker->tally.load(std::memory_order_relaxed)).hops;
  }
  return static_cast<std::size_t>(live_ + queued_tasks_locked() + nodes_.size() - node_tasks_ + hops);
}

template <class Runtime>
QueueStats QueueCore<Runtime>::stats() const {
  const Lock lock(mutex_);
  QueueStats stats;
  stats.submitted = submitted_;
  stats.completed = completed_;
  stats.failed = failed_;
  stats.cancelled = cancelled_;
  stats.continuations = nodes_.size() - node_tasks_ + hops_;
  stats.threads = live_;
  stats.threads_started = threads_started_;
  std::uint64_t begun = begun_;
  std::uint64_t coroutines = 0;  // on a thread now
  for (const Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    // Each worker's word is read once: its numbers agree with each other.
    const Tally tally(worker->tally.load(std::memory_order_relaxed));
    begun += worker->begun(tally);
    stats.completed += tally.completed;
    stats.failed += tally.failed;
    stats.continuations -= tally.hops;
    stats.submitted += tally.kept;
    stats.running += worker->begun(tally) - tally.completed - tally.failed;
    coroutines += worker->in_coroutine.load(std::memory_order_relaxed) ? 1U : 0U;
    stats.idle += worker->idle ? 1U : 0U;
  }
  stats.queued = stats.submitted - cancelled_ - begun;
  const std::uint64_t open = open_coroutines_;
  stats.suspended = open > coroutines ? open - coroutines : 0;
  stats.running += open - stats.suspended;
  return stats;
}

template <class Runtime>
void QueueCore<Runtime>::return_reference() noexcept {
  if (Worker* const worker = this_worker()) {
    ++worker->returned_references;  // no atomic operation; handed over at the worker's next visit to the mutex
  } else {
    this->release();
  }
}

template <class Runtime>
void QueueCore<Runtime>::on_error(Ref<ErrorHook> hook) noexcept {
  const Lock lock(mutex_);
  std::swap(hook_, hook);  // the former one is destroyed after the lock
}

template <class Runtime>
void QueueCore<Runtime>::report_unseen(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const TaskCancelled&) {
  } catch (const QueueClosed&) {
  } catch (const TimedOut&) {
  } catch (...) {
    report(failure);
  }
}

template <class Runtime>
void QueueCore<Runtime>::do_report(const std::exception_ptr& failure) noexcept {
  Ref<ErrorHook> hook;
  {
    const Lock lock(mutex_);
    hook = hook_;
  }
  try {
    if (hook) {
      hook->tell(failure, TaskInfo{name_});
      return;
    }
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    if (!hook) {
      std::fprintf(stderr, "toto: a task on queue '%s' failed: %s\n", name_.c_str(), error.what());
    }
  } catch (...) {
    if (!hook) {
      std::fprintf(stderr, "toto: a task on queue '%s' failed with an exception that is not a std::exception\n",
                   name_.c_str());
    }
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_ENDING_HPP
