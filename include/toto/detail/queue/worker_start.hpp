// SPDX-License-Identifier: MIT
//
// Waking or starting a worker, and what becomes of it if the system has no thread to give. Part of QueueCore, whose
// invariants are listed in queue_core.hpp; include that.

#ifndef TOTO_DETAIL_QUEUE_WORKER_START_HPP
#define TOTO_DETAIL_QUEUE_WORKER_START_HPP

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "../ground/text.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

/// What the system shows as the thread's name: the queue's, shortened where needed so that the number stays.
TOTO_COLD inline std::string thread_name(std::string_view queue, std::size_t number) {
  constexpr std::size_t kShown = 15;  // Linux shows no more
  const Digits digits(number);
  const std::size_t size = std::string_view(digits).size();
  return join({queue.substr(0, kShown > size ? kShown - size - 1 : 0), "-", digits});
}

/// Starts the thread of a worker that pick_locked() has counted. Returns null, or the failure after taking everything
/// back. `worker` may be null: then it is made.
template <class Runtime>
std::exception_ptr QueueCore<Runtime>::start(Worker* worker, bool searches) noexcept {
  std::exception_ptr failure;
  try {
    if (worker == nullptr) {
      worker = new_worker();
    }
    Thread thread(
        thread_name(name_, worker->number),
        [core = Ref<QueueCore>::share(this), worker, searches] { core->work(*worker, searches); }, blocks_signals_);
    store_thread(*worker, std::move(thread));
    return nullptr;
  } catch (...) {
    failure = std::current_exception();
  }
  mutex_.lock();
  if (worker != nullptr) {
    worker->next = unused_;
    unused_ = worker;
  }
  --live_;
  if (searches) {
    searching_ = false;
  }
  // Tasks that were added meanwhile relied on this worker: an idle one takes its place.
  const Wake instead = idle_ != nullptr && has_work_locked() ? pick_locked() : Wake{};
  announce_quiet_locked();
  changed_.notify_all();
  mutex_.unlock();
  deliver(instead);
  return failure;
}

template <class Runtime>
typename QueueCore<Runtime>::Worker* QueueCore<Runtime>::new_worker() {
  std::size_t number;
  {
    const Lock lock(mutex_);
    number = ++worker_objects_;
  }
  Worker* const worker = new Worker(*this, number);
  const Lock lock(mutex_);
  worker->next_of_all = all_;
  all_ = worker;
  return worker;
}

/// Keeps a thread that was just started, so that it can be joined.
template <class Runtime>
void QueueCore<Runtime>::store_thread(Worker& worker, Thread thread) noexcept {
  const Lock lock(mutex_);
  ++threads_started_;
  worker.thread = std::move(thread);
  secure_locked(worker);
  if (worker.idle) {
    worker.parker.unpark();  // it may leave now
  }
  changed_.notify_all();
}

template <class Runtime>
void QueueCore<Runtime>::secure_locked(Worker& worker) noexcept {
  if (!std::exchange(worker.secured, true)) {
    ++secured_;
    changed_.notify_all();
  }
}

template <class Runtime>
void QueueCore<Runtime>::deliver(Wake wake) noexcept {
  if (wake.core == nullptr) {
    return;  // by now the core of whoever calls this may be gone
  }
  const Ref<QueueCore> core = Ref<QueueCore>::adopt(wake.core);
  if (!wake.start) {
    wake.worker->parker.unpark();
  } else if (core->start(wake.worker, true)) {
    core->adopt_stranded();
    core->try_again_later();
  }
}

/// No thread can be started and none lives: if the calling thread is a worker, of whatever queue, then it runs the
/// continuations that wait here, after what it is doing now. Until then they stay in a list of this core, where
/// withdraw() finds them. Without memory they are left to try_again_later().
template <class Runtime>
void QueueCore<Runtime>::adopt_stranded() noexcept {
  struct Adoption : Continuation {
    Ref<QueueCore> core;
  };
  Worker* const worker = ThreadContext<Runtime>::current().worker;
  std::unique_ptr<Adoption> adoption(worker != nullptr ? new (std::nothrow) Adoption : nullptr);
  if (adoption == nullptr) {
    return;
  }
  adoption->run = [](Continuation& node, Turn) noexcept {
    const std::unique_ptr<Adoption> self(&static_cast<Adoption&>(node));
    self->core->run_adopted();
  };
  adoption->core = Ref<QueueCore>::share(this);
  const Lock lock(mutex_);
  if (live_ > 0 || nodes_.empty() || nodes_.front()->run == &run_task_node) {
    return;
  }
  do {
    Continuation& node = nodes_.pop_front();
    node.ticket = kAdopted;
    adopted_.push_back(node);
  } while (!nodes_.empty() && nodes_.front()->run != &run_task_node);
  worker->local.push_back(*adoption.release());
  note_due_locked();
  announce_quiet_locked();
}

/// By whichever of the workers that have adopted something comes first.
template <class Runtime>
void QueueCore<Runtime>::run_adopted() noexcept {
  mutex_.lock();
  while (!adopted_.empty()) {
    Continuation& node = adopted_.pop_front();
    mutex_.unlock();
    node.run(node, Turn::on_executor);
    mutex_.lock();
  }
  mutex_.unlock();
}

/// Something waits that was accepted, no thread lives, and the system has none to give: the thread of the timers tries
/// again, until there is one, or nothing waits any more. Where there have been no timers yet, they would need a thread,
/// too.
template <class Runtime>
void QueueCore<Runtime>::try_again_later() noexcept {
  {
    const Lock lock(mutex_);
    if (live_ > 0 || !has_work_locked() || std::exchange(retrying_, true)) {
      return;
    }
  }
  retry_.core = this;
  retry_.run = [](Continuation& node, Turn turn) noexcept {
    const Ref<QueueCore> core = Ref<QueueCore>::adopt(static_cast<Retry&>(node).core);
    if (turn == Turn::on_executor) {
      core->try_again();
    }
  };
  retry_.deadline = Clock::now() + kRetry;
  this->retain();  // for the timer
  try {
    if (auto* const timers = TimersAtHand<Runtime>::instance().service()) {
      timers->add(retry_, nullptr);
      return;
    }
  } catch (...) {  // no thread for timers either
  }
  this->release();  // never the last: the caller owns one
  {
    const Lock lock(mutex_);
    retrying_ = false;
  }
  try_again_here();
}

/// On the thread of the timers.
template <class Runtime>
void QueueCore<Runtime>::try_again() noexcept {
  mutex_.lock();
  retrying_ = false;
  const Wake wake = live_ == 0 && has_work_locked() ? pick_locked() : Wake{};
  mutex_.unlock();
  deliver(wake);
}

/// Tries a few times more, for a quarter of a second at the most. After that it is left to the next who comes by.
template <class Runtime>
void QueueCore<Runtime>::try_again_here() noexcept {
  typename Runtime::Parker pause;
  for (int milliseconds = 1; milliseconds <= 128; milliseconds *= 2) {
    mutex_.lock();
    const bool stranded = live_ == 0 && has_work_locked();
    const Wake wake = stranded ? pick_locked() : Wake{};
    mutex_.unlock();
    if (!wake.start) {
      return;
    }
    const Ref<QueueCore> kept = Ref<QueueCore>::adopt(this);
    if (!start(wake.worker, true)) {
      return;
    }
    pause.park_until(Clock::now() + std::chrono::milliseconds(milliseconds));
  }
}

template <class Runtime>
void QueueCore<Runtime>::start_one() {
  mutex_.lock();
  if (closed_) {
    mutex_.unlock();
    throw QueueClosed(join({"toto: queue '", name_, "' is closed and starts no more threads"}));
  }
  if (live_ == thread_count_) {
    mutex_.unlock();
    return;
  }
  const Wake wake = count_start_locked();
  mutex_.unlock();
  if (const std::exception_ptr failure = start(wake.worker, false)) {
    std::rethrow_exception(failure);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WORKER_START_HPP
