// SPDX-License-Identifier: MIT
//
// Taking an instance, waiting for one, giving it back, closing. Part of PoolCore, whose invariants P1 to P5 are listed
// in pool_core.hpp; include that.

#ifndef TOTO_DETAIL_POOL_POOL_LENDING_HPP
#define TOTO_DETAIL_POOL_POOL_LENDING_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "../ground/wait_list.hpp"
#include "../queue/wait_graph.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// A thread that is blocked; on that thread's stack.
template <class Runtime>
class PoolCore<Runtime>::ThreadWaiter final : public PoolWaiter<Runtime>, public Awaited<Runtime> {
 public:
  ThreadWaiter(const PoolCore& pool, const Claim& claim_of_thread) noexcept
      : PoolWaiter<Runtime>(claim_of_thread), pool_(pool) {}

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

  bool may_come(const WaitGraph<Runtime>& graph) const override { return pool_.may_serve(*this, graph); }
  std::string words() const override { return "an instance of a pool"; }
  std::string details() const override { return pool_.holders_before(*this); }

 private:
  const PoolCore& pool_;
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
  ThreadWaiter self(*this, claim);
  BlockedThread<Runtime> blocked;
  Lock lock(mutex_);
  if (Instance* const instance = take_locked(claim, spare)) {
    return instance;
  }
  if (deadline <= claim.since) {
    return nullptr;
  }
  if (ThreadContext<Runtime>::current().worker != nullptr) {
    // The holder may be a coroutine task that has ended on this very thread, which would come to it later.
    lock.unlock();
    QueueCore<Runtime>::run_local_here();
    lock.lock();
    if (Instance* const instance = take_locked(claim, spare)) {
      return instance;
    }
  }
  push_waiter_locked(self, again);
  for (;;) {
    if (deadline == (TimePoint::max)() && blocked.matters()) {
      lock.unlock();
      try {
        blocked.enter(self);
        lock.lock();
      } catch (...) {
        lock.lock();
        if (withdraw_locked(self)) {
          throw;
        }  // otherwise it has been served after all
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

/// Counts the instances that may come back. Each transaction ahead in the line that could not run takes one for good.
template <class Runtime>
bool PoolCore<Runtime>::may_serve(const Waiter& waiter, const WaitGraph<Runtime>& graph) const {
  const Lock lock(mutex_);
  if (!waiter.waiting) {
    return true;
  }
  std::size_t coming = 0;
  for (const Instance* held = leased_.front(); held != nullptr; held = held->next) {
    const std::uint64_t thread = held->bound_to.load(std::memory_order_relaxed);
    const bool stays =
        thread != 0 ? graph.is_stuck(graph.find_thread(thread))
                    : held->holder.transaction != nullptr && !held->holder.transaction->may_end_with_instance(graph);
    if (!stays) {
      ++coming;
    }
  }
  for (Waiter* ahead = waiting_.front(); ahead != &waiter && coming > 0; ahead = ahead->next) {
    if (!ahead->may_end_with_instance(graph)) {
      --coming;
    }
  }
  return coming > 0;
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

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_LENDING_HPP
