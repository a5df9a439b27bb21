// SPDX-License-Identifier: MIT
//
// PoolCore: everything an InstancePool is, whatever the type of its instances, in shared state that outlives the
// pool for as long as a lease or a waiter refers to it. One mutex guards the lists of instances and of waiters.
// Read next: lease_awaiter.hpp, pool_transaction.hpp, ../instance_pool.hpp.
//
// A vacant place is handed out like an instance: whoever gets it makes the instance in it, by the factory, on its
// own time and without the mutex. So a slow factory keeps nobody else, and one that throws fails one taker, after
// which the place goes to the next.
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
#include <exception>
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
#include "ref.hpp"
#include "wait_list.hpp"

namespace toto::inline v0::detail {

/// Somebody who waits for an instance: a thread, a coroutine or a transaction.
template <class Runtime>
class PoolWaiter {
 public:
  using Instance = PooledInstance<Runtime>;

  explicit PoolWaiter(const Claim<Runtime>& who) noexcept : claim(who) {}
  PoolWaiter(const PoolWaiter&) = delete;
  PoolWaiter& operator=(const PoolWaiter&) = delete;

  /// Under the pool's mutex, after the waiter has left the list: `instance` is its own now, or, if that is null,
  /// the pool has closed. True: that was all, and the waiter may be gone when the mutex is free. False: proceed()
  /// or refuse() follows, without the mutex.
  virtual bool tell_locked() noexcept = 0;
  /// Goes on with the instance. Returns it, as a leased one, if it cannot use it. The waiter may be gone then.
  virtual Instance* proceed() noexcept = 0;
  /// Goes on with PoolClosed. The waiter may be gone then.
  virtual void refuse() noexcept = 0;
  /// Under the pool's mutex: there are fewer instances than there were.
  virtual void look_again_locked() noexcept {}

  // Guarded by the pool's mutex.
  Instance* instance = nullptr;
  bool waiting = false;
  Claim<Runtime> claim;
  PoolWaiter* next = nullptr;
  PoolWaiter* previous = nullptr;

 protected:
  ~PoolWaiter() = default;
};

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
  /// Throws: PoolClosed, DeadlockError,
  /// std::bad_alloc.
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
  /// Throws: what the factory throws; the caller does
  /// not hold the place any more then.
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

  /// Destroys the instance instead. With a factory its place is given back, vacant; without one the pool is
  /// smaller, and with the last instance it has closed.
  void discard(Instance& broken) noexcept;

  // Ending and observing.

  /// Hands out nothing from now on. Waiters are told; free instances are destroyed now, leased ones as they come
  /// back.
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

  /// Runs a continuation that has no home: on this thread, if it is a worker, after what it is doing; else on a
  /// worker of the default queue.
  void continue_somewhere(Continuation& node) noexcept;

  /// Also guards what waiters keep.
  typename Runtime::Mutex& mutex() const noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

 private:
  class ThreadWaiter;

  ~PoolCore() override {
    destroy_all(free_);
    destroy_all(vacant_);
  }

  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {
      waiting_ = {};  // of threads and queues that are not there; what they had leased stays leased
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
      found = &free_.pop_front();
    } else if (!vacant_.empty()) {
      found = &vacant_.pop_front();
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
PooledInstance<Runtime>* PoolCore<Runtime>::take_until(const Claim& claim, TimePoint deadline) {
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
  push_waiter_locked(self);
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
    if (held->lease != nullptr && !on_this_stack<Runtime>(held->lease)) {
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
      if (!closed_ && waiting_.empty()) {
        (instance->object != nullptr ? free_ : vacant_).push_back(*instance);
        return;
      }
      if (!closed_) {
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
        instances_ -= instance->object != nullptr ? 1U : 0U;
      }
    }
    if (waiter == nullptr) {
      delete instance;
      return;
    }
    instance = waiter->proceed();  // no recursion, however many waiters cannot use it
  }
}

template <class Runtime>
void PoolCore<Runtime>::discard(Instance& broken) noexcept {
  broken.clear();
  LinkedList<Waiter> to_refuse;
  {
    const Lock lock(mutex_);
    --instances_;
    ++discarded_;
    if (factory_ == nullptr) {
      leased_.remove(broken);
      --places_;
      --capacity_;
      if (capacity_ == 0) {
        close_locked(to_refuse);
      }
      for (Waiter* waiter = waiting_.front(); waiter != nullptr; waiter = waiter->next) {
        waiter->look_again_locked();
      }
    }
  }
  if (factory_ != nullptr) {
    give_back(broken);
  } else {
    delete &broken;
  }
  refuse_all(to_refuse);
}

template <class Runtime>
void PoolCore<Runtime>::close() noexcept {
  LinkedList<Instance> unused;
  LinkedList<Instance> vacant;
  LinkedList<Waiter> to_refuse;
  {
    const Lock lock(mutex_);
    places_ -= free_.size() + vacant_.size();
    instances_ -= free_.size();
    std::swap(unused, free_);
    std::swap(vacant, vacant_);
    close_locked(to_refuse);
  }
  destroy_all(unused);
  destroy_all(vacant);
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
  if (Worker<Runtime>* const worker = ThreadContext<Runtime>::current().worker) {
    worker->local.push_back(node);
    return;
  }
  try {
    if (default_queue().post_front(node)) {
      return;
    }
  } catch (...) {  // no memory for the queue itself
  }
  node.run(node, Turn::on_executor);  // nobody else is left to do it
}

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

#endif  // TOTO_DETAIL_POOL_CORE_HPP
