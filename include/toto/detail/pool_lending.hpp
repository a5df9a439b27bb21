// SPDX-License-Identifier: MIT
//
// Taking an instance, waiting for one, giving it back, closing. Part of PoolCore, whose invariants P1 to P5 are listed
// in pool_core.hpp; include that.

#ifndef TOTO_DETAIL_POOL_LENDING_HPP
#define TOTO_DETAIL_POOL_LENDING_HPP

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "pool_core.hpp"
#include "this_thread.hpp"
#include "wait_list.hpp"

namespace toto::inline v0::detail {

/// A thread that is blocked; on that thread's stack.
template <class Runtime>
class PoolCore<Runtime>::ThreadWaiter final : public PoolWaiter<Runtime> {
 public:
  using PoolWaiter<Runtime>::PoolWaiter;

  bool tell_locked() noexcept override {
    sleep.notify_all();
    return true;
  }
  Instance* proceed() noexcept override { return this->instance; }  // never: told is enough
  void refuse() noexcept override {}
  void look_again_locked() noexcept override {
    look_again = true;
    sleep.notify_all();
  }

  // Guarded by the pool's mutex.
  WaitList<Runtime> sleep;
  bool look_again = false;
};

/// Lets go of the mutex on the way, if it has to make room.
template <class Runtime>
PooledInstance<Runtime>* PoolCore<Runtime>::take_locked(const Claim& claim, std::unique_ptr<Instance>& spare) {
  for (;;) {
    if (closed_) {
      throw closed_error_locked();
    }
    Instance* found = nullptr;
    if (!free_.empty()) {
      // In turn; but if instances retire, one does the work for which one is enough.
      found = retires() ? &free_.pop_back() : &free_.pop_front();
    } else if (places_ == capacity_) {
      return nullptr;
    } else if (spare) {
      found = spare.release();
      ++places_;
    }
    if (found != nullptr) {
      lease_locked(*found, claim);
      return found;
    }
    mutex_.unlock();  // and look again: meanwhile somebody else may have been here
    try {
      spare = factory_->new_place();
    } catch (...) {
      mutex_.lock();
      throw;
    }
    mutex_.lock();
  }
}

template <class Runtime>
PooledInstance<Runtime>* PoolCore<Runtime>::take_until(const Claim& claim, TimePoint deadline, bool again) {
  std::unique_ptr<Instance> spare;
  Lock lock(mutex_);
  if (Instance* const instance = take_locked(claim, spare)) {
    return instance;
  }
  if (deadline <= claim.since) {
    return nullptr;
  }
  if (Worker<Runtime>* const worker = ThreadContext<Runtime>::current().worker) {
    // The holder may be a coroutine task that has ended on this very thread, which would come to it later.
    lock.unlock();
    worker->core.run_local(*worker);
    lock.lock();
    if (Instance* const instance = take_locked(claim, spare)) {
      return instance;
    }
  }
  ThreadWaiter self(claim);
  push_waiter_locked(self, again);
  for (;;) {
    if (deadline == TimePoint::max()) {
      try {
        refuse_deadlock_locked(claim);
      } catch (...) {
        withdraw_locked(self);
        throw;
      }
    }
    self.sleep.wait_until(mutex_, deadline,
                          [&self]() TOTO_REQUIRES(mutex_) { return !self.waiting || self.look_again; });
    if (self.instance != nullptr) {
      return self.instance;  // also if the time is up as well
    }
    if (!self.waiting) {
      throw closed_error_locked();
    }
    if (!std::exchange(self.look_again, false)) {
      withdraw_locked(self);
      return nullptr;
    }
  }
}

/// Every instance is leased and the calling thread is about to wait for one for as long as it takes.
/// Throws: DeadlockError if it holds all of them itself.
template <class Runtime>
void PoolCore<Runtime>::refuse_deadlock_locked(const Claim& claim) const {
  for (const Instance* held = leased_.front(); held != nullptr; held = held->next) {
    if (held->bound_to.load(std::memory_order_relaxed) != claim.thread) {
      return;
    }
  }
  for (const Instance* held = leased_.front(); held != nullptr; held = held->next) {
    if (held->lease != nullptr && !Runtime::on_this_stack(held->lease)) {
      return;  // in a coroutine, which may go on elsewhere
    }
  }
  throw DeadlockError("toto: this wait could never end: the thread that waits for an instance holds all " +
                      std::to_string(leased_.size()) + " of the pool itself" + holders_locked("; ") +
                      "; give one back first, or co_await pool.lease()");
}

template <class Runtime>
void PoolCore<Runtime>::give_back(Instance& returned) noexcept {
  for (Instance* instance = &returned; instance != nullptr;) {
    Waiter* waiter = nullptr;
    {
      const Lock lock(mutex_);
      instance->unbind();
      leased_.remove(*instance);
      if (!closed_ && waiting_.empty() && instance->object != nullptr) {
        if (retires()) {
          instance->free_since = Clock::now();
        }
        free_.push_back(*instance);
        if (!watch_locked()) {
          return;
        }
        instance = nullptr;
      } else if (!closed_ && !waiting_.empty()) {
        waiter = &waiting_.pop_front();
        waiter->waiting = false;
        waiter->instance = instance;
        waiter->claim.since = Clock::now();
        lease_locked(*instance, waiter->claim);
        if (waiter->tell_locked()) {
          return;
        }
      } else {
        --places_;
        if (instance->object != nullptr) {
          lose_locked(Loss::closed);
        }
      }
    }
    if (instance == nullptr) {
      start_watch();
      return;
    }
    if (waiter == nullptr) {
      delete instance;  // of a closed pool, or a vacant place that nobody is after
      return;
    }
    instance = waiter->proceed();  // no recursion, however many waiters cannot use it
  }
}

template <class Runtime>
void PoolCore<Runtime>::close() noexcept {
  LinkedList<Instance> unused;
  LinkedList<Waiter> to_refuse;
  bool watching = false;
  {
    const Lock lock(mutex_);
    places_ -= free_.size();
    lose_locked(Loss::closed, free_.size());
    std::swap(unused, free_);
    close_locked(to_refuse);
    watching = watching_;
  }
  if (watching) {
    stop_watch();
  }
  destroy_all(unused);
  refuse_all(to_refuse);
}

template <class Runtime>
void PoolCore<Runtime>::close_locked(LinkedList<Waiter>& to_refuse) noexcept {
  closed_ = true;
  while (!waiting_.empty()) {
    Waiter& waiter = waiting_.pop_front();
    waiter.waiting = false;
    if (!waiter.tell_locked()) {
      to_refuse.push_back(waiter);
    }
  }
}

template <class Runtime>
void PoolCore<Runtime>::refuse_all(LinkedList<Waiter>& waiters) noexcept {
  while (!waiters.empty()) {
    waiters.pop_front().refuse();
  }
}

template <class Runtime>
void PoolCore<Runtime>::continue_somewhere(Continuation& node) noexcept {
  try {
    if (default_queue().post_front(node)) {
      return;
    }
  } catch (...) {  // no memory for the queue itself
  }
  node.run(node, Turn::on_executor);  // nobody else is left to do it
}

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_POOL_LENDING_HPP
