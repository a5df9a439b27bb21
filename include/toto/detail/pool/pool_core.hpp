// SPDX-License-Identifier: MIT
//
// PoolCore: everything an InstancePool is, whatever the type of its instances, in shared state that outlives the pool
// for as long as a lease or a waiter refers to it. One mutex guards the lists of instances and of waiters. This file:
// what it holds, and its invariants. Taking, giving back and closing are in pool_lending.hpp, making and checking
// instances in pool_preparing.hpp, retiring them in pool_retiring.hpp, observing in pool_report.hpp.
//
// A vacant place is handed out like an instance: whoever gets it makes the instance in it, by the factory, on its own
// time and without the mutex. So a slow factory keeps nobody else, and one that throws fails one taker, after which the
// place goes to the next. In the same way whoever gets an instance validates it, and an instance that retires is in the
// hands of whoever destroys it.
//
// Invariants (docs/design.md, "Pools", tells why it is built like this):
//  P1  A place is in exactly one of free_, where it has an instance, and leased_, or is being deleted. Who holds a
//      leased one is the only one to touch the instance, and gives the place back, once.
//  P2  While somebody waits, nothing is free and no place can be added: a newcomer never overtakes. Only who was served
//      with an instance that is no good, and finds no other, waits before everybody else.
//  P3  A waiter that leaves waiting_ gets exactly one place, or is told that the pool has closed, or has left by
//      itself, without either. Which of these is decided under the mutex.
//  P4  Nothing of the user's is called, moved or destroyed under the mutex.
//  P5  While watching_, exactly one timer, continuation or thread looks after the idle instances, and owns a reference.
//      While not, there is nothing to retire; or there was no memory or thread to do it, and the next return tries
//      again.

#ifndef TOTO_DETAIL_POOL_POOL_CORE_HPP
#define TOTO_DETAIL_POOL_POOL_CORE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../duration.hpp"
#include "../../errors.hpp"
#include "../../pool_options.hpp"
#include "../../task_queue.hpp"
#include "../executor/timer.hpp"
#include "../ground/fork.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "pool_hooks.hpp"
#include "pool_instance.hpp"
#include "pool_waiter.hpp"

namespace toto::inline v0_1::detail {

/// Why an instance is no more.
enum class Loss : unsigned char { discarded, rejected, retired, closed };

/// What needs a queue to be made, or the timers: called through this base, it is compiled where pools are made, and not
/// where they are used. See QueueCoreBase.
template <class Runtime>
class PoolCoreBase : public RefCounted<Runtime> {
 public:
  virtual QueueCore<Runtime>& do_queue_named(std::string_view name) = 0;
  virtual void do_start_watch() noexcept = 0;
  virtual void do_stop_watch() noexcept = 0;
};

template <class Runtime>
class PoolCore final : public PoolCoreBase<Runtime>, private ForkAware<Runtime> {
 public:
  using Base = PoolCoreBase<Runtime>;
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
      : ForkAware<Runtime>(ForkRank::pools),
        default_name_(options.default_queue),
        threads_(capacity),
        idle_timeout_(options.idle_timeout),
        min_instances_(options.min_instances),
        factory_(std::move(factory)),
        capacity_(capacity),
        places_(instances.size()),
        instances_(instances.size()),
        made_(instances.size()) {
    ThreadNumbers<Runtime>::instance();
    watch_.pool = this;
    this->watch_forks();  // may throw: before anything is owned by hand
    for (std::unique_ptr<Instance>& instance : instances) {
      free_.push_back(*instance.release());
    }
  }

  // Taking. What is returned may have to be made or validated before it is used: needs_preparing(). Thread-safe; none
  // of them calls anything of the user's.

  /// Null: none is free.
  /// Throws: PoolClosed, std::bad_alloc.
  Instance* try_take(const Claim& claim) {
    std::unique_ptr<Instance> spare;
    const Lock lock(mutex_);
    return take_locked(claim, spare);
  }

  /// Waits, as a thread, in the order of coming; `again`: before everybody else. Null: not before the deadline.
  /// Throws: PoolClosed, DeadlockError, std::bad_alloc.
  Instance* take_until(const Claim& claim, TimePoint deadline, bool again = false);

  /// Null: the waiter stands in line; what becomes of it may have happened already.
  /// Throws: PoolClosed, std::bad_alloc, what its check_time_locked() throws; then it does not.
  Instance* take_or_wait(Waiter& waiter) {
    std::unique_ptr<Instance> spare;
    const Lock lock(mutex_);
    return take_or_wait_locked(waiter, spare, false);
  }
  /// The same, before everybody else, after prepare() has left it without an instance.
  Instance* take_another(Waiter& waiter) {
    const Lock lock(mutex_);
    return take_another_locked(waiter);
  }
  Instance* take_another_locked(Waiter& waiter) TOTO_REQUIRES(mutex_) {
    std::unique_ptr<Instance> spare;  // stays empty: without a factory no place is added
    return take_or_wait_locked(waiter, spare, true);
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

  // With a place in hand, without the mutex.

  bool needs_preparing(const Instance& taken) const noexcept { return taken.object == nullptr || validate_ != nullptr; }
  /// Makes the instance of a vacant place, or validates the one that is there; if that is no good, destroys it and
  /// makes another. False: there is no factory, and the place is gone.
  /// Throws: what the factory throws; the caller does not hold the place any more then.
  bool prepare(Instance& taken);

  /// From now on it is used, on this thread to begin with.
  void lend(Instance& instance) const noexcept {
    if (on_return_ != nullptr) {
      instance.exceptions = std::uncaught_exceptions();
    }
  }

  // Giving back. Thread-safe.

  /// One that was used: asks on_return first. `failed`: the use has ended by an exception.
  void take_back(Instance& returned, bool failed) noexcept {
    if (on_return_ == nullptr || approves(*on_return_, returned, failed)) {
      give_back(returned);
    } else {
      discard(returned, Loss::rejected);
    }
  }
  void take_back(Instance& returned) noexcept {
    take_back(returned, on_return_ != nullptr && std::uncaught_exceptions() > returned.exceptions);
  }
  /// To the oldest waiter, or to the end of the free ones.
  void give_back(Instance& returned) noexcept;
  /// Destroys the instance instead. With a factory its place is given back, vacant; without one the pool is smaller,
  /// and with the last instance it has closed.
  void discard(Instance& broken, Loss why) noexcept;

  // Setting up, ending and observing.

  /// What instances are asked before they are used, and when they come back.
  /// Throws: std::logic_error if an instance was taken already.
  void set_validate(std::unique_ptr<InstanceCheck> check) { set_check(validate_, std::move(check), "validate"); }
  void set_on_return(std::unique_ptr<InstanceCheck> check) { set_check(on_return_, std::move(check), "on_return"); }

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
  /// Why somebody has waited in vain, for as long as `limit`.
  TimedOut late_error_locked(Duration limit) const TOTO_REQUIRES(mutex_);

  // Queues.

  /// The named queue; if it has to be made, with a thread for each instance.
  /// Throws: std::bad_alloc.
  QueueCore<Runtime>& queue_named(std::string_view name) { return base().do_queue_named(name); }
  QueueCore<Runtime>& default_queue() {
    QueueCore<Runtime>* queue = default_queue_.load(std::memory_order_acquire);  // pairs with the store below
    if (queue == nullptr) {
      queue = &queue_named(default_name_);
      default_queue_.store(queue, std::memory_order_release);
    }
    return *queue;
  }

  /// The holder's transaction is about to end, and to leave the instance to whoever gives it back.
  void forget_transaction(Instance& leased) noexcept {
    const Lock lock(mutex_);
    leased.holder.transaction = nullptr;
  }

  // What the WaitGraph asks, under its mutex.

  /// Whether somebody who waits may get an instance; also true if he does not wait any more.
  bool may_serve(const Waiter& waiter, const WaitGraph<Runtime>& graph) const;
  /// Who holds the instances: ", held: lease taken at ..."; empty if this waiter does not wait.
  std::string holders_before(const Waiter& waiter) const {
    const Lock lock(mutex_);
    return waiter.waiting ? holders_locked(", held: ") : std::string();
  }

  /// Runs a continuation that has no home on a worker of the default queue, ahead of what is queued there.
  void continue_somewhere(Continuation& node) noexcept;

  /// Also guards what waiters keep.
  typename Runtime::Mutex& mutex() const noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

 protected:
  ~PoolCore() override {
    this->ignore_forks();
    destroy_all(free_);
  }

 private:
  static constexpr std::size_t kMostShown = 16;  // holders, and waiters, in a text

  class ThreadWaiter;
  struct Watch : TimerNode<Runtime> {
    PoolCore* pool = nullptr;
  };

  Base& base() noexcept { return *this; }
  QueueCore<Runtime>& do_queue_named(std::string_view name) override {
    return QueueAccess::core(Queue::instance(QueueOptions{.thread_count = threads_, .name = name}));
  }
  void do_start_watch() noexcept override;
  void do_stop_watch() noexcept override;

  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_);

  Instance* take_locked(const Claim& claim, std::unique_ptr<Instance>& spare) TOTO_REQUIRES(mutex_);
  Instance* take_or_wait_locked(Waiter& waiter, std::unique_ptr<Instance>& spare, bool again) TOTO_REQUIRES(mutex_) {
    Instance* const instance = take_locked(waiter.claim, spare);
    if (instance == nullptr) {
      waiter.check_time_locked();
      push_waiter_locked(waiter, again);
    }
    return instance;
  }
  void lease_locked(Instance& instance, const Claim& claim) noexcept TOTO_REQUIRES(mutex_) {
    instance.holder = claim;
    leased_.push_back(instance);
    ++leases_;
  }
  void push_waiter_locked(Waiter& waiter, bool again) noexcept TOTO_REQUIRES(mutex_) {
    waiter.waiting = true;
    if (again) {
      waiting_.push_front(waiter);
    } else {
      waiting_.push_back(waiter);
    }
  }
  void lose_locked(Loss why, std::size_t instances = 1) noexcept TOTO_REQUIRES(mutex_) {
    instances_ -= instances;
    lost_[static_cast<std::size_t>(why)] += instances;
  }
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

  void set_check(std::unique_ptr<InstanceCheck>& which, std::unique_ptr<InstanceCheck> check, const char* name);
  static bool approves(InstanceCheck& check, Instance& instance, bool failed);
  void furnish(Instance& place);

  bool retires() const noexcept { return !idle_timeout_.is_never(); }
  bool watch_locked() noexcept TOTO_REQUIRES(mutex_);
  Instance* idle_locked() const noexcept TOTO_REQUIRES(mutex_);
  void start_watch() noexcept { base().do_start_watch(); }
  void stop_watch() noexcept { base().do_stop_watch(); }
  void idle_time_is_up() noexcept;
  void retire_idle() noexcept;

  const std::string default_name_;
  const std::size_t threads_;
  const Duration idle_timeout_;
  const std::size_t min_instances_;
  const std::unique_ptr<Factory> factory_;  // or none
  typename Runtime::template Atomic<QueueCore<Runtime>*> default_queue_{nullptr};

  // Or none. Constant since the first lease, which is given under the mutex: who holds an instance may read them.
  std::unique_ptr<InstanceCheck> validate_;
  std::unique_ptr<InstanceCheck> on_return_;

  mutable typename Runtime::Mutex mutex_;
  LinkedList<Instance> free_ TOTO_GUARDED_BY(mutex_);    // the longest free first
  LinkedList<Instance> leased_ TOTO_GUARDED_BY(mutex_);  // the longest leased first
  LinkedList<Waiter> waiting_ TOTO_GUARDED_BY(mutex_);   // the next to be served first
  bool closed_ TOTO_GUARDED_BY(mutex_) = false;
  bool watching_ TOTO_GUARDED_BY(mutex_) = false;
  Watch watch_;  // belongs to whom P5 speaks of

  std::size_t capacity_ TOTO_GUARDED_BY(mutex_);   // places there may be
  std::size_t places_ TOTO_GUARDED_BY(mutex_);     // that exist
  std::size_t instances_ TOTO_GUARDED_BY(mutex_);  // in them
  std::uint64_t made_ TOTO_GUARDED_BY(mutex_);
  std::uint64_t leases_ TOTO_GUARDED_BY(mutex_) = 0;
  std::array<std::uint64_t, 4> lost_ TOTO_GUARDED_BY(mutex_){};  // for each Loss
};

template <class Runtime>
void PoolCore<Runtime>::after_fork(bool in_child) noexcept {
  if (in_child) {  // what other threads had leased stays leased: nobody knows in what state it is
    for (Waiter* waiter = waiting_.front(); waiter != nullptr;) {
      Waiter* const after = waiter->next;
      if (!waiter->survives_fork()) {
        withdraw_locked(*waiter);
      }
      waiter = after;
    }
    watching_ = false;  // neither the timer is there, nor the thread that may have been at it
    watch_.place = Watch::kNotWaiting;
  }
  mutex_.unlock();
}

}  // namespace toto::inline v0_1::detail

#include "pool_lending.hpp"
#include "pool_preparing.hpp"
#include "pool_report.hpp"
#include "pool_retiring.hpp"

#endif  // TOTO_DETAIL_POOL_POOL_CORE_HPP
