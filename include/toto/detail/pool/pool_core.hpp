// SPDX-License-Identifier: MIT
//
// Folder: pool. Uses: ground executor line queue task.
// Objects that one user may hold at a time: where they come from, who holds them, when they are destroyed.
//
// PoolCore: everything in an InstancePool that does not depend on the type of its instances, in shared state that
// outlives the pool for as long as a lease or a waiter refers to it. ../task/permits.hpp decides who waits for an
// instance, who has one and who is next: an instance is a permit. This file makes and destroys instances.
//
// A vacant place is handed out like an instance: whoever gets the place makes the instance in it, without the mutex. So
// a slow factory delays no one else, and a factory that throws fails one caller; the place then goes to the next. In
// the same way, whoever gets an instance validates it, or destroys it if it is to retire.
//
// Invariants (docs/design.md, "Pools", says why it is built like this):
//  P1 to P3 are those of ../task/permits.hpp: a permit is a place, and a free one has an instance in it.
//  P4  Nothing of the user's is called, moved or destroyed under the mutex.
//  P5  While watching_, exactly one timer, continuation or thread looks after the idle instances, and owns a reference.
//      Otherwise there is nothing to retire, or there was no memory or thread for it, and the next return tries again.

#ifndef TOTO_DETAIL_POOL_POOL_CORE_HPP
#define TOTO_DETAIL_POOL_POOL_CORE_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../options.hpp"
#include "../../pool_options.hpp"
#include "../../task_handle.hpp"
#include "../executor/timer.hpp"
#include "../queue/queue_core.hpp"
#include "../task/permits.hpp"
#include "../task/submission.hpp"
#include "pool_instance.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class PoolCore final : public Permits<Runtime>, private TimerNode<Runtime> {
 public:
  using Base = Permits<Runtime>;
  using typename Base::Claim, typename Base::Clock, typename Base::TimePoint;
  using typename Base::Held, typename Base::Line, typename Base::Permit;
  using Instance = PooledInstance<Runtime>;
  using InstanceCheck = detail::InstanceCheck<Runtime>;
  using Instances = std::vector<std::unique_ptr<Instance>>;
  using Loss = std::uint64_t PoolStats::*;                          // the count for the reason why there is one less
  using NamedQueue = QueueCore<Runtime>& (*)(const QueueOptions&);  // returns the queue of that name, or makes it

  /// A pool of these instances, at least one; or, with a factory, of up to `max` instances.
  PoolCore(Instances instances, InstanceFactory<Runtime> factory, std::size_t max, const PoolOptions& options,
           NamedQueue named_queue)
      : Base("no instance of the pool", "an instance of a pool",
             !options.idle_timeout.is_never()),  // used in turn, none would ever retire
        default_name_(options.default_queue),
        threads_(factory.make ? max : instances.size()),
        idle_timeout_(options.idle_timeout),
        min_instances_(options.min_instances),
        named_queue_(named_queue),
        factory_(std::move(factory)) {
    counts_.capacity = threads_;
    counts_.made = counts_.instances = instances.size();
    TimerService<Runtime>::instance().use();
    this->watch_forks();  // may throw, so before anything is owned by a raw pointer
    for (std::unique_ptr<Instance>& instance : instances) {
      free_.push_back(*instance.release());
    }
  }

  // The caller holds a place, but not the mutex.
  bool ready(Permit& it) const noexcept override { return instance(it).object != nullptr && !validate_; }
  /// Makes the instance of a vacant place, or validates the one that is there; if that instance is bad, destroys it and
  /// makes another. Returns false if there is no factory to make one.
  /// Throws: what the factory throws.
  bool make_ready(Permit& permit) override;
  /// Its use begins.
  void lend(Instance& used) const noexcept { used.exceptions = on_return_ ? std::uncaught_exceptions() : 0; }

  // Giving back. Thread-safe.
  void take_back(Permit& returned, bool failed) noexcept override {
    const bool good = !on_return_ || approves(on_return_, instance(returned), failed);
    good ? give_back(returned) : discard(instance(returned), &PoolStats::rejected);
  }
  void take_back(Instance& returned) noexcept {
    take_back(returned, on_return_ && std::uncaught_exceptions() > returned.exceptions);
  }
  void give_back(Permit& returned) noexcept override;
  /// Destroys the instance instead. With a factory, its place is returned, vacant; without one, the pool is smaller,
  /// and closes after the last instance.
  void discard(Instance& broken, Loss why) noexcept;

  // The rest. Thread-safe.
  void set_validate(InstanceCheck check) { set(validate_, check, "validate"); }
  void set_on_return(InstanceCheck check) { set(on_return_, check, "on_return"); }
  /// Closes the pool: hands out nothing from now on. Waiters are refused; free instances are destroyed now, leased ones
  /// when they are returned.
  void close() noexcept {
    LinkedList<Permit> unused;
    typename Line::Waiters refused;
    bool watching = false;
    {
      const Lock lock(mutex_);
      closed_ = true;
      lose_locked(&PoolStats::closed, free_.size());
      std::swap(unused, free_);
      refused = line_.close();
      watching = watching_;
    }
    if (watching) {
      TimerService<Runtime>::instance().disarm(*this, *this);
    }
    destroy_all(unused);
    Line::tell(refused);
  }
  PoolStats stats() const {
    const Lock lock(mutex_);
    return stats_locked();
  }
  std::string dump() const {
    const Lock lock(mutex_);
    const PoolStats stats = stats_locked();
    return detail::join({"pool (default queue '", default_name_, "'): ", Digits(stats.instances),
                         " instance(s) of at most ", Digits(stats.capacity), ", ", Digits(stats.free), " free, ",
                         Digits(stats.leased), " leased, ", Digits(stats.waiting), " waiting",
                         closed_ ? ", closed" : "", this->holders_locked("\n  held: "),
                         this->waiters_locked("\n  waiting: "), "\n"});
  }
  void describe(std::string& text) const override { text += dump(); }

  /// Without a name, the default queue. If it has to be made, with one thread per instance.
  QueueCore<Runtime>& queue_named(std::string_view name) override {
    return named_queue_({.thread_count = threads_, .name = name.empty() ? default_name_ : name});
  }

 protected:
  ~PoolCore() override {
    this->ignore_forks();
    destroy_all(free_);
  }

 private:
  using Base::closed_, Base::free_, Base::held_, Base::line_, Base::mutex_;
  static Instance& instance(Permit& it) noexcept { return static_cast<Instance&>(it); }
  static void destroy_all(LinkedList<Permit>& permits) noexcept {
    while (!permits.empty()) {
      delete &instance(permits.pop_front());
    }
  }
  TaskHandle<Held, Runtime> prepare(Held held) override {
    QueueCore<Runtime>& queue = queue_named({});
    return queue.beyond_bound([&](bool reserved) {  // whoever has a permit does not wait for room
      return detail::submit_call<TaskHandle<Held, Runtime>>(queue, {}, {}, reserved,
                                                            PermitToPrepare<Runtime>{std::move(held)});
    });
  }

  Permit* add_locked() override TOTO_REQUIRES(mutex_) {
    return held_.size() < counts_.capacity ? factory_.new_place() : nullptr;
  }
  std::exception_ptr refusal_locked() const override TOTO_REQUIRES(mutex_) {
    return std::make_exception_ptr(
        PoolClosed(counts_.capacity == 0 ? "toto: every instance of the pool was discarded, and there is no factory"
                                         : "toto: the pool is closed and hands out no more instances"));
  }
  void forget_lost_locked() noexcept override TOTO_REQUIRES(mutex_) {
    watching_ = false;  // neither the timer exists here, nor a thread that was busy with it
    this->place = this->kNotWaiting;
  }
  void lose_locked(Loss why, std::size_t instances = 1) noexcept TOTO_REQUIRES(mutex_) {
    counts_.instances -= instances;
    counts_.*why += instances;
  }
  /// Throws: std::logic_error if an instance has already been taken.
  void set(InstanceCheck& which, InstanceCheck& check, const char* name) {
    const Lock lock(mutex_);
    if (this->handed_out_ != 0) {
      throw std::logic_error(
          detail::join({"toto: ", name, " was set after an instance of the pool was taken; set it before"}));
    }
    std::swap(which, check);  // the caller destroys the old one, if there was one
  }
  /// Returns the check's answer; false if it throws.
  /// Throws: a forced unwind of the thread, and nothing else; the caller still holds the place.
  static bool approves(const InstanceCheck& question, Instance& held, bool failed) {
    const typename Instance::Here bound(held);  // a check that waits for an instance may get a DeadlockError
    try {
      return question(held.object, failed);
    } catch (...) {
      if (!std::current_exception()) {
        throw;
      }
      return false;
    }
  }
  PoolStats stats_locked() const TOTO_REQUIRES(mutex_) {
    PoolStats stats = counts_;
    stats.free = free_.size();
    stats.leased = held_.size();
    stats.changing = stats.free + stats.leased - stats.instances;
    stats.waiting = line_.size();
    stats.leases = this->handed_out_;
    return stats;
  }

  bool retires() const noexcept { return !idle_timeout_.is_never(); }
  /// When the instance that has been free longest retires.
  TimePoint due_locked() const noexcept TOTO_REQUIRES(mutex_) {
    const bool idle = retires() && !closed_ && !free_.empty() && counts_.instances > min_instances_;
    return idle ? idle_timeout_.after(free_.front()->holder.since) : (TimePoint::max)();
  }
  /// Returns true if there are idle instances to watch; then the caller must call start_watch().
  bool watch_locked() noexcept TOTO_REQUIRES(mutex_) {
    if (watching_ || due_locked() == (TimePoint::max)()) {
      return false;
    }
    watching_ = true;
    this->deadline = due_locked();
    return true;
  }
  void start_watch() noexcept;
  void look_after_idle(bool in_queue) noexcept;

  const std::string default_name_;
  const std::size_t threads_;
  const Duration idle_timeout_;
  const std::size_t min_instances_;
  const NamedQueue named_queue_;
  const InstanceFactory<Runtime> factory_;

  // May be empty. Constant since the first lease, which is granted under the mutex: whoever holds an instance may read
  // them.
  InstanceCheck validate_;
  InstanceCheck on_return_;

  PoolStats counts_ TOTO_GUARDED_BY(mutex_);       // except what the lists show
  bool watching_ TOTO_GUARDED_BY(mutex_) = false;  // the timer, a base class, is in use; see P5
};

template <class Runtime>
void PoolCore<Runtime>::give_back(Permit& returned) noexcept {
  bool watch = false;
  bool surplus = false;  // the pool is closed, or no one waits for this vacant place
  this->hand_on(returned, [&]() TOTO_REQUIRES(mutex_) {
    Instance& back = instance(returned);
    surplus = closed_ || back.object == nullptr;
    if (surplus) {
      lose_locked(&PoolStats::closed, back.object != nullptr ? 1U : 0U);
      return;
    }
    back.holder.since = retires() ? Clock::now() : TimePoint();
    free_.push_back(back);
    watch = watch_locked();
  });
  if (watch) {
    start_watch();
  }
  if (surplus) {
    delete &instance(returned);
  }
}

template <class Runtime>
bool PoolCore<Runtime>::make_ready(Permit& permit) {
  Instance& taken = instance(permit);
  if (taken.object != nullptr) {
    bool valid = false;
    try {
      valid = !validate_ || approves(validate_, taken, false);
    } catch (...) {  // a forced unwind: unknown
      discard(taken, &PoolStats::rejected);
      throw;
    }
    if (valid) {
      return true;
    }
    if (!factory_.make) {
      discard(taken, &PoolStats::rejected);
      return false;
    }
    taken.clear();
    const Lock lock(mutex_);
    lose_locked(&PoolStats::rejected);
  }
  try {
    const typename Instance::Here bound(taken);
    factory_.make(taken);  // not validated: a factory whose instances are all bad would be called forever
  } catch (...) {
    give_back(taken);
    throw;
  }
  const Lock lock(mutex_);
  ++counts_.instances;
  ++counts_.made;
  return true;
}

template <class Runtime>
void PoolCore<Runtime>::discard(Instance& broken, Loss why) noexcept {
  broken.clear();
  typename Line::Waiters refused;
  {
    const Lock lock(mutex_);
    lose_locked(why);
    if (!factory_.make) {
      this->let_go_locked(broken);
      if (--counts_.capacity == 0) {
        closed_ = true;
        refused = line_.close();
      }
      line_.look_again();  // there are fewer instances than there were
    }
  }
  if (factory_.make) {
    give_back(broken);
  } else {
    delete &broken;
  }
  Line::tell(refused);
}

/// Arms a timer for the time at which the instance that has been free longest retires.
template <class Runtime>
void PoolCore<Runtime>::start_watch() noexcept {
  this->run = [](Continuation& node, Turn) noexcept { static_cast<PoolCore&>(node).look_after_idle(false); };
  bool too_late = false;
  try {
    TimerService<Runtime>::instance().arm(*this, *this);
    const Lock lock(mutex_);
    too_late = closed_;
  } catch (...) {  // no memory, no thread: the next instance that comes back tries again
    const Lock lock(mutex_);
    watching_ = false;
  }
  if (too_late) {
    TimerService<Runtime>::instance().disarm(*this, *this);  // close() may have been called before the timer was armed
  }
}

/// The timer thread only finds the instances, so that a slow user destructor does not delay other timers. An instance
/// that retires is leased to the task that destroys it, and its place is returned like any other.
template <class Runtime>
void PoolCore<Runtime>::look_after_idle(bool in_queue) noexcept {
  const Ref<PoolCore> self = Ref<PoolCore>::adopt(this);
  const Claim claim = Claim::here("retired", {});
  for (bool due = true; due;) {
    Instance* idle = nullptr;
    bool later = false;
    {
      const Lock lock(mutex_);
      due = due_locked() <= Clock::now();
      if (!due) {
        watching_ = false;
        later = watch_locked();
      } else if (in_queue) {
        idle = &instance(free_.pop_front());
        this->hold_locked(*idle, claim);
        lose_locked(&PoolStats::retired);
      }
    }
    if (later) {
      start_watch();
    } else if (idle != nullptr) {
      idle->clear();
      give_back(*idle);
    } else if (due) {
      this->run = [](Continuation& node, Turn) noexcept { static_cast<PoolCore&>(node).look_after_idle(true); };
      this->retain();  // for the continuation
      try {
        if (queue_named({}).post(*this)) {
          return;
        }
      } catch (...) {  // no memory for the queue
      }
      this->release();
      in_queue = true;  // no other thread is left to do it
    }
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_CORE_HPP
