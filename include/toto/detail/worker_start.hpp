// SPDX-License-Identifier: MIT
//
// Starting a worker, and what becomes of it if the system has no thread to give. Part of QueueCore, whose invariants I1
// to I9 are listed in queue_core.hpp; include that.

#ifndef TOTO_DETAIL_WORKER_START_HPP
#define TOTO_DETAIL_WORKER_START_HPP

#include <string>
#include <string_view>

#include "queue_core.hpp"
#include "text.hpp"

namespace toto::inline v0::detail {

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
    Thread thread(thread_name(name_, worker->number),
                  [core = Ref<QueueCore>::share(this), worker, searches] { core->work(*worker, searches); });
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
void QueueCore<Runtime>::start_one() {
  mutex_.lock();
  if (closed_) {
    mutex_.unlock();
    throw QueueClosed("toto: queue '" + name_ + "' is closed and starts no more threads");
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

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_WORKER_START_HPP
