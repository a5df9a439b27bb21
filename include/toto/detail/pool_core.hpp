// SPDX-License-Identifier: MIT
//
// PoolCore: everything an InstancePool is, whatever the type of its instances, in shared state that outlives the pool
// for as long as a lease or a waiter refers to it. One mutex guards the lists of instances and of waiters. This file:
// what it holds, its invariants, observing. Taking, giving back and closing are in pool_lending.hpp.
//
// A vacant place is handed out like an instance: whoever gets it makes the instance in it, by the factory, on its own
// time and without the mutex. So a slow factory keeps nobody else, and one that throws fails one taker, after which the
// place goes to the next.
//
// Invariants (docs/design.md argues them):
//  P1  A place is in exactly one of free_, vacant_ and leased_, or is being deleted; who holds a leased one is
//      the only one to touch the instance, and gives the place back, once.
//  P2  While somebody waits, nothing is free or vacant and no place can be added: a newcomer never overtakes.
//  P3  A waiter that leaves waiting_ gets exactly one place, or is told that the pool has closed, or has left by
//      itself, without either. Which of these is decided under the mutex.
//  P4  Nothing of the user's is called, moved or destroyed under the mutex.

#ifndef TOTO_DETAIL_POOL_CORE_HPP
#define TOTO_DETAIL_POOL_CORE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../errors.hpp"
#include "../pool_options.hpp"
#include "../task_queue.hpp"
#include "fork.hpp"
#include "linked_list.hpp"
#include "lock.hpp"
#include "pool_instance.hpp"
#include "pool_waiter.hpp"
#include "ref.hpp"

namespace toto::inline v0::detail {

template <class Runtime>
class PoolCore final : public RefCounted<Runtime>, private ForkAware<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;
  using Instance = PooledInstance<Runtime>;
  using Instances = std::vector<std::unique_ptr<Instance>>;
  using Factory = InstanceFactory<Runtime>;
  using Claim = detail::Claim<Runtime>;
  using Waiter = PoolWaiter<Runtime>;
  using Queue = BasicTaskQueue<Runtime>;

  /// A pool of these instances, one at least; or, with a factory, of up to `capacity`.
  PoolCore(Instances instances, std::unique_ptr<Factory> factory, std::size_t capacity, const PoolOptions& options)
      : ForkAware<Runtime>(ForkRank::executors),
        default_name_(options.default_queue),
        threads_(capacity),
        factory_(std::move(factory)),
        capacity_(capacity),
        places_(instances.size()),
        instances_(instances.size()),
        made_(instances.size()) {
    ThreadNumbers<Runtime>::instance();
    this->watch_forks();  // may throw: before anything is owned by hand
    for (std::unique_ptr<Instance>& instance : instances) {
      free_.push_back(*instance.release());
    }
  }

  // Taking. What is returned may be a vacant place: furnish() it. Thread-safe; none of them calls anything of the
  // user's.

  /// Null: none is free.
  /// Throws: PoolClosed, std::bad_alloc.
  Instance* try_take(const Claim& claim) {
    std::unique_ptr<Instance> spare;
    const Lock lock(mutex_);
    return take_locked(claim, spare);
  }

  /// Waits, as a thread, in the order of coming. Null: not before the deadline.
  /// Throws: PoolClosed, DeadlockError, std::bad_alloc.
  Instance* take_until(const Claim& claim, TimePoint deadline);

  /// Null: the waiter stands in line; what becomes of it may have happened already.
  /// Throws: PoolClosed, std::bad_alloc; then it does not.
  Instance* take_or_wait(Waiter& waiter) {
    std::unique_ptr<Instance> spare;
    const Lock lock(mutex_);
    Instance* const instance = take_locked(waiter.claim, spare);
    if (instance == nullptr) {
      push_waiter_locked(waiter);
    }
    return instance;
  }

  /// Makes the instance of a vacant place that the caller holds.
  /// Throws: what the factory throws; the caller does not hold the place any more then.
  void furnish(Instance& place) {
    try {
      factory_->make(place);
    } catch (...) {
      give_back(place);
      throw;
    }
    const Lock lock(mutex_);
    ++instances_;
    ++made_;
  }

  /// Takes a waiter out of the line. False: it does not stand in it any more.
  bool withdraw(Waiter& waiter) noexcept {
    const Lock lock(mutex_);
    return withdraw_locked(waiter);
  }
  bool withdraw_locked(Waiter& waiter) noexcept TOTO_REQUIRES(mutex_) {
    if (!std::exchange(waiter.waiting, false)) {
      return false;
    }
    waiting_.remove(waiter);
    return true;
  }

  // Giving back. Thread-safe.

  /// To the oldest waiter, or to the end of the free ones.
  void give_back(Instance& returned) noexcept;

  /// Destroys the instance instead. With a factory its place is given back, vacant; without one the pool is smaller,
  /// and with the last instance it has closed.
  void discard(Instance& broken) noexcept;

  // Ending and observing.

  /// Hands out nothing from now on. Waiters are told; free instances are destroyed now, leased ones as they come back.
  void close() noexcept;

  std::size_t size() const {
    const Lock lock(mutex_);
    return instances_;
  }
  PoolStats stats() const;
  std::string dump() const;

  /// Why nobody gets an instance any more.
  PoolClosed closed_error() const {
    const Lock lock(mutex_);
    return closed_error_locked();
  }

  // Queues.

  /// The named queue; if it has to be made, with a thread for each instance.
  /// Throws: std::bad_alloc.
  QueueCore<Runtime>& queue_named(std::string_view name) const {
    return QueueAccess::core(Queue::instance(QueueOptions{.thread_count = threads_, .name = name}));
  }
  QueueCore<Runtime>& default_queue() {
    QueueCore<Runtime>* queue = default_queue_.load(std::memory_order_acquire);  // pairs with the store below
    if (queue == nullptr) {
      queue = &queue_named(default_name_);
      default_queue_.store(queue, std::memory_order_release);
    }
    return *queue;
  }

  /// Runs a continuation that has no home on a worker of the default queue, ahead of what is queued there.
  void continue_somewhere(Continuation& node) noexcept;

  /// Also guards what waiters keep.
  typename Runtime::Mutex& mutex() const noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

 private:
  class ThreadWaiter;

  ~PoolCore() override {
    this->ignore_forks();
    destroy_all(free_);
    destroy_all(vacant_);
  }

  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {  // what other threads had leased stays leased: nobody knows in what state it is
      for (Waiter* waiter = waiting_.front(); waiter != nullptr;) {
        Waiter* const after = waiter->next;
        if (!waiter->survives_fork()) {
          withdraw_locked(*waiter);
        }
        waiter = after;
      }
    }
    mutex_.unlock();
  }

  Instance* take_locked(const Claim& claim, std::unique_ptr<Instance>& spare) TOTO_REQUIRES(mutex_);
  void lease_locked(Instance& instance, const Claim& claim) noexcept TOTO_REQUIRES(mutex_) {
    instance.holder = claim;
    leased_.push_back(instance);
    ++leases_;
  }
  void push_waiter_locked(Waiter& waiter) noexcept TOTO_REQUIRES(mutex_) {
    waiter.waiting = true;
    waiting_.push_back(waiter);
  }
  void refuse_deadlock_locked(const Claim& claim) const TOTO_REQUIRES(mutex_);
  void close_locked(LinkedList<Waiter>& to_refuse) noexcept TOTO_REQUIRES(mutex_);
  static void refuse_all(LinkedList<Waiter>& waiters) noexcept;
  static void destroy_all(LinkedList<Instance>& instances) noexcept {
    while (!instances.empty()) {
      delete &instances.pop_front();
    }
  }
  PoolClosed closed_error_locked() const TOTO_REQUIRES(mutex_) {
    return PoolClosed(capacity_ == 0 ? "toto: every instance of the pool was discarded, and there is no factory"
                                     : "toto: the pool is closed and hands out no more instances");
  }
  std::string holders_locked(const char* before_each) const TOTO_REQUIRES(mutex_);

  const std::string default_name_;
  const std::size_t threads_;
  const std::unique_ptr<Factory> factory_;  // or none
  typename Runtime::template Atomic<QueueCore<Runtime>*> default_queue_{nullptr};

  mutable typename Runtime::Mutex mutex_;
  LinkedList<Instance> free_ TOTO_GUARDED_BY(mutex_);    // the longest free first
  LinkedList<Instance> vacant_ TOTO_GUARDED_BY(mutex_);  // places without an instance
  LinkedList<Instance> leased_ TOTO_GUARDED_BY(mutex_);  // the longest leased first
  LinkedList<Waiter> waiting_ TOTO_GUARDED_BY(mutex_);   // the oldest first
  bool closed_ TOTO_GUARDED_BY(mutex_) = false;

  std::size_t capacity_ TOTO_GUARDED_BY(mutex_);   // places there may be
  std::size_t places_ TOTO_GUARDED_BY(mutex_);     // that exist
  std::size_t instances_ TOTO_GUARDED_BY(mutex_);  // in them
  std::uint64_t made_ TOTO_GUARDED_BY(mutex_);
  std::uint64_t leases_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t discarded_ TOTO_GUARDED_BY(mutex_) = 0;
};

template <class Runtime>
PoolStats PoolCore<Runtime>::stats() const {
  const Lock lock(mutex_);
  PoolStats stats;
  stats.capacity = capacity_;
  stats.instances = instances_;
  stats.free = free_.size();
  stats.leased = leased_.size();
  stats.waiting = waiting_.size();
  stats.leases = leases_;
  stats.made = made_;
  stats.discarded = discarded_;
  return stats;
}

template <class Runtime>
std::string PoolCore<Runtime>::holders_locked(const char* before_each) const {
  const TimePoint now = Clock::now();
  std::string text;
  for (const Instance* held = leased_.front(); held != nullptr; held = held->next) {
    text += before_each + held->holder.text(now);
  }
  return text;
}

template <class Runtime>
std::string PoolCore<Runtime>::dump() const {
  constexpr std::size_t kMostWaiters = 16;
  const Lock lock(mutex_);
  std::string text = "pool (default queue '" + default_name_ + "'): " + std::to_string(instances_) +
                     " instance(s) of at most " + std::to_string(capacity_) + ", " + std::to_string(free_.size()) +
                     " free, " + std::to_string(leased_.size()) + " leased, " + std::to_string(waiting_.size()) +
                     " waiting" + (closed_ ? ", closed" : "") + holders_locked("\n  held: ");
  const TimePoint now = Clock::now();
  std::size_t shown = 0;
  for (const Waiter* waiter = waiting_.front(); waiter != nullptr && shown < kMostWaiters; ++shown) {
    text += "\n  waiting: " + waiter->claim.text(now);
    waiter = waiter->next;
  }
  if (waiting_.size() > shown) {
    text += "\n  waiting: " + std::to_string(waiting_.size() - shown) + " more";
  }
  return text + '\n';
}

}  // namespace toto::inline v0::detail

#include "pool_lending.hpp"

#endif  // TOTO_DETAIL_POOL_CORE_HPP
