// SPDX-License-Identifier: MIT
//
// Adding to a queue, handing continuations over to it, the order in which they are taken, and choosing who shall come.
// Part of QueueCore, whose invariants are listed in queue_core.hpp; include that.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_ADDING_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_ADDING_HPP

#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
TOTO_ALWAYS_INLINE bool QueueCore<Runtime>::prepare_locked(Kind kind, bool& reserved) {
  if (closed_ || secured_ == 0 || bounded() || !slots_.has_room()) [[unlikely]] {
    return prepare_slowly_locked(kind, reserved);
  }
  return true;
}

template <class Runtime>
template <class Fill>
void QueueCore<Runtime>::publish(Kind kind, typename Slot::Run run, Fill fill, bool reserved) {
  Slot& slot = slots_.next();
  fill(slot);
  slots_.publish(slot, run);
  count_added_locked(kind, reserved);
  unlock_and_wake();
}

template <class Runtime>
void QueueCore<Runtime>::run_queued(Slot& slot, Worker& worker) {
  QueuedTask* const task = filling(slot).task;
  task->slot.store(nullptr, std::memory_order_relaxed);
  task->run_on(worker);
}

/// cancel() was about to take the task when its slot was claimed. It decides in the critical section that it is in.
template <class Runtime>
void QueueCore<Runtime>::run_undecided(Slot& slot, Worker& worker) {
  worker.core.mutex_.lock();
  const typename Slot::Run decided = slot.run.load(std::memory_order_relaxed);
  worker.core.mutex_.unlock();
  decided(slot, worker);
}

template <class Runtime>
void QueueCore<Runtime>::add(QueuedTask& task, bool reserved) {
  if (thread_count_ == 1 && !reserved) {
    if (Worker* const self = this_worker(); self != nullptr && keep(*self, task)) {
      return;
    }
  }
  mutex_.lock();
  const bool queued = prepare_locked(Kind::task, reserved);
  const auto fill = [filling = Filling{&task, slots_.end()}](Slot& slot) {
    std::memcpy(slot.closure, &filling, sizeof(filling));
  };
  const auto fill_and_note_slot = [&task, &fill](Slot& slot) {
    fill(slot);
    task.slot.store(&slot, std::memory_order_relaxed);  // guarded by the mutex
  };
  // From here on nothing fails: a refused task has not touched its lane.
  if (Lane<Runtime>* const lane = task.lane.get()) {
    lane->come_through(forks_);
    if (lane->admitted < lane->limit) {
      ++lane->admitted;
    } else if (queued) {
      if (lane->waiting.empty()) {
        lanes_.push_back(*lane);
      }
      task.place = QueuedTask::Place::lane;
      lane->waiting.push_back(task);
      count_added_locked(Kind::task, reserved);
      mutex_.unlock();
      return;
    } else {
      task.lane = {};  // the caller runs it beyond the lane's bound: it will have no turn to pass on
    }
  }
  if (!queued) {
    Slot slot;
    fill(slot);
    run_here(Kind::task, &run_queued, slot);
  } else if (task.priority == 0 && !ages()) {
    task.place = QueuedTask::Place::slot;
    publish(Kind::task, &run_queued, fill_and_note_slot, reserved);
  } else {
    task.run = &run_task_node;
    levels_->push(task);
    note_due_locked();
    count_added_locked(Kind::task, reserved);
    unlock_and_wake();
  }
}

template <class Runtime>
void QueueCore<Runtime>::count_added_locked(Kind kind, bool reserved) noexcept {
  ++(kind == Kind::hop ? hops_ : submitted_);
  if (kind == Kind::task) {
    take_reference_locked();
  }
  return_reservation_locked(reserved);
}

template <class Runtime>
void QueueCore<Runtime>::allow_priorities() {
  {
    const Lock lock(mutex_);
    if (levels_) {
      return;
    }
  }
  auto levels = std::make_unique<PriorityLevels<Runtime>>(ageing_);
  const Lock lock(mutex_);
  if (!levels_) {
    levels_ = std::move(levels);
  }
}

template <class Runtime>
void QueueCore<Runtime>::leave_lane(QueuedTask& task) noexcept {
  const Ref<Lane<Runtime>> lane = std::move(task.lane);
  mutex_.lock();
  lane->come_through(forks_, 1);
  if (lane->waiting.empty()) {
    if (lane->admitted > 0) {  // else a coroutine has forked in its turn, and the child has not counted that
      --lane->admitted;
    }
    mutex_.unlock();
    return;
  }
  auto& next = static_cast<QueuedTask&>(lane->waiting.pop_front());
  if (lane->waiting.empty()) {
    lanes_.remove(*lane);
  }
  next.run = &run_task_node;
  if (next.priority != 0 || ages()) {
    levels_->push(next);
  } else {
    next.place = QueuedTask::Place::node;
    next.ticket = slots_.end();
    nodes_.push_back(next);
    ++node_tasks_;
  }
  note_due_locked();
  unlock_and_wake();
}

template <class Runtime>
void QueueCore<Runtime>::run_hop_node(Continuation& node, Turn) noexcept {
  static_cast<Hop&>(node).coroutine.resume();
}

template <class Runtime>
void QueueCore<Runtime>::add(Hop& hop) {
  hop.run = &run_hop_node;
  // A worker returns to its loop at once from the coroutine that it has resumed there.
  if (Worker* const self = this_worker();
      self != nullptr && (thread_count_ == 1 || self->on_top == hop.coroutine) && keep(*self, hop)) {
    return;
  }
  add(Kind::hop, &run_hop, [&](Slot& slot) {
    Hop* const pointer = &hop;
    std::memcpy(slot.closure, &pointer, sizeof(pointer));
    hop.slot = &slot;
  });
}

template <class Runtime>
void QueueCore<Runtime>::run_hop(Slot& slot, Worker& worker) {
  Hop* hop;
  std::memcpy(&hop, slot.closure, sizeof(hop));
  hop->slot = nullptr;  // its own: nobody else looks while it begins to run
  worker.count(Tally::kHops);
  resume_on_top(worker, hop->coroutine);
}

template <class Runtime>
bool QueueCore<Runtime>::do_prepare_slowly_locked(Kind kind, bool& reserved) {
  const bool given = reserved;
  std::exception_ptr failure;
  while (!failure) {
    if (refuses_locked(kind)) {
      failure = closed_failure();
    } else if (!slots_.has_room()) {
      const std::uint32_t size = slots_.size_wanted();
      mutex_.unlock();
      Chunk* const chunk = Chunk::make(size);
      mutex_.lock();
      if (chunk != nullptr) {
        slots_.add_spare(chunk);
      } else {
        failure = std::make_exception_ptr(std::bad_alloc());
      }
    } else if (secured_ == 0) {
      failure = secure_first_worker(kind);
    } else if (kind == Kind::hop || reserved || has_room_now_locked()) {
      return true;
    } else if (overflow_ == Overflow::caller_runs) {
      return false;
    } else if (overflow_ == Overflow::block && this_worker() != nullptr) {
      return true;  // it would wait for itself
    } else {
      failure = (this->*parts_.overflow_locked)(reserved);
    }
  }
  if (!given) {
    return_reservation_locked(reserved);
  }
  unlock_and_tell({});
  std::rethrow_exception(failure);
}

template <class Runtime>
std::exception_ptr QueueCore<Runtime>::secure_first_worker(Kind kind) {
  Runtime::point("no worker is secured");
  ++promised_;  // keeps the new worker from leaving before this adder has published
  std::exception_ptr failure;
  if (searching_ || live_ == thread_count_) {  // somebody is starting one
    // What ends this wait has to change what prepare_slowly_locked() does next: it comes back here otherwise.
    changed_.wait(mutex_, [this, kind]() TOTO_REQUIRES(mutex_) {
      return secured_ > 0 || refuses_locked(kind) || !(searching_ || live_ == thread_count_);
    });
  } else {
    searching_ = true;
    const Wake wake = count_start_locked();
    mutex_.unlock();
    failure = start(wake.worker, true);
    mutex_.lock();
  }
  if (--promised_ == 0) {
    // Those that stayed for the promise sleep without a limit: they look at their deadlines again.
    for (Worker* worker = idle_; worker != nullptr; worker = worker->next) {
      worker->parker.unpark();
    }
  }
  return secured_ == 0 ? failure : nullptr;
}

template <class Runtime>
bool QueueCore<Runtime>::post_node(Continuation& node, bool first) noexcept {
  mutex_.lock();
  if (ended_) {
    mutex_.unlock();
    return false;
  }
  if (first) {
    node.ticket = 0;
    nodes_.push_front(node);
    note_due_locked();
  } else {
    push_node_locked(node);
  }
  unlock_and_wake();
  return true;
}

template <class Runtime>
void QueueCore<Runtime>::push_node_locked(Continuation& node) noexcept {
  node.ticket = slots_.end();
  nodes_.push_back(node);
  note_due_locked();
}

/// Who shall come is chosen by announce(): to start a thread may fail, and that needs the timers, whose mutex the
/// caller may hold.
template <class Runtime>
bool QueueCore<Runtime>::post_silently(Continuation& node, std::uint64_t&) noexcept {
  const Lock lock(mutex_);
  if (!ended_) {
    push_node_locked(node);
  }
  return !ended_;
}

template <class Runtime>
void QueueCore<Runtime>::announce(std::uint64_t) noexcept {
  mutex_.lock();
  if (has_work_locked()) {
    unlock_and_wake();
  } else {
    mutex_.unlock();
  }
}

/// The node that comes before the oldest slot, if there is one: what was posted to the front, an urgent task, a
/// continuation, a task from a lane; or, if there is nothing else, a task of low priority.
template <class Runtime>
Continuation* QueueCore<Runtime>::pop_next_locked(Worker& self) noexcept {
  Continuation* node = nullptr;
  const bool ahead = !nodes_.empty() && nodes_.front()->ticket == 0;  // posted to the front
  if (levels_ && !levels_->empty() && !ahead) {
    const bool last = nodes_.empty() && slots_.begin() == slots_.end();
    if (QueuedTask* const task = last ? levels_->find() : levels_->find(1)) {
      levels_->remove(*task);
      node = task;
    }
  }
  if (node == nullptr) {
    if (nodes_.empty() || nodes_.front()->ticket > slots_.begin()) {
      return nullptr;
    }
    node = &nodes_.pop_front();
    if (node->run == &run_task_node) {
      static_cast<QueuedTask&>(*node).place = QueuedTask::Place::nowhere;
      --node_tasks_;
    }
  }
  self.claimed_task = node->run == &run_task_node;
  note_due_locked();
  return node;
}

template <class Runtime>
void QueueCore<Runtime>::note_due_locked() noexcept {
  const bool one_by_one = bounded() || (levels_ && !levels_->empty());
  const std::uint64_t none = closed_ ? kNoneDueClosed : kNoneDue;
  due_.store(one_by_one ? 0 : nodes_.empty() ? none : nodes_.front()->ticket, std::memory_order_relaxed);
}

template <class Runtime>
void QueueCore<Runtime>::take_reference_locked() noexcept {
  if (credit_ == 0) {
    this->retain(kCredit);
    credit_ = kCredit;
  }
  --credit_;
}

template <class Runtime>
bool QueueCore<Runtime>::has_work_locked() const noexcept {
  return !nodes_.empty() || slots_.begin() != slots_.end() || (levels_ && !levels_->empty());
}

/// Chooses who shall come: nobody if somebody is on the way, the most recently idle worker, or a new one. The caller
/// delivers the choice after it has let go of the mutex. Until then it keeps this core: a task that destroys its queue
/// may be over, and its worker gone, before the one who added it has come that far.
template <class Runtime>
typename QueueCore<Runtime>::Wake QueueCore<Runtime>::pick_locked() noexcept {
  if (nobody_to_wake_locked()) {
    return {};
  }
  searching_ = true;
  this->retain();
  if (Worker* const worker = idle_) {
    remove_idle_locked(*worker);
    worker->signalled = true;
    worker->searcher = true;
    if constexpr (Runtime::spins) {
      worker->woken_by_worker.store(this_worker() != nullptr, std::memory_order_relaxed);
    }
    return {worker, false, this};
  }
  Wake wake = count_start_locked();
  wake.core = this;
  return wake;
}

/// Counts a worker that the caller is about to start.
template <class Runtime>
typename QueueCore<Runtime>::Wake QueueCore<Runtime>::count_start_locked() noexcept {
  ++live_;
  return {std::exchange(unused_, unused_ != nullptr ? unused_->next : nullptr), true};
}

/// Lets go of the mutex, and wakes or starts whoever pick_locked() chooses: nobody, at nearly all tasks of a burst.
template <class Runtime>
inline void QueueCore<Runtime>::unlock_and_wake() noexcept {
  if (nobody_to_wake_locked()) {
    mutex_.unlock();
  } else {
    lets_go();
    base().do_unlock_and_wake();
  }
}

template <class Runtime>
void QueueCore<Runtime>::do_unlock_and_wake() noexcept {
  const Wake wake = pick_locked();
  mutex_.unlock();
  deliver(wake);
}

template <class Runtime>
void QueueCore<Runtime>::coroutine_began(Worker& self) noexcept {
  const Lock lock(mutex_);
  ++open_coroutines_;
  ++begun_;
  self.claimed_task = false;  // it is counted now
}

template <class Runtime>
void QueueCore<Runtime>::coroutine_ended(bool failed) noexcept {
  const Lock lock(mutex_);
  --open_coroutines_;
  ++(failed ? failed_ : completed_);
  announce_quiet_locked();
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_ADDING_HPP
