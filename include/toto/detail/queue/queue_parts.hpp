// SPDX-License-Identifier: MIT
//
// QueueParts: what a queue is made of: one mutex, and what that guards:
//
//   Order   what is queued, and what comes next        order.hpp
//   Crew    the threads                                crew.hpp
//   Room    the bound, and who waits for room          room.hpp
//   Ledger  counts, closing and ending                 ledger.hpp
//
// Each part owns its data and its invariants. This class does what needs several of them: it decides which worker is
// woken, and when a queue is quiet. Read next: worker_loop.hpp.
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.I1]):
//  I1  A worker rests or leaves only in the critical section in which it saw the queue empty. A thread that is lost
//      (it could not begin, is unwound by force, or has called exit) has another worker chosen, or the timers try
//      again.
//  I2  If there is work, then a worker is on the way, or no worker is idle and no more may be started, or the last
//      start failed and a live worker will come back to look, or the timers will try again, or whoever has posted
//      silently has yet to call announce().
//  I4  No task is accepted while no thread is known to exist.
//  I6  Nothing of the user's is called, moved or destroyed under the mutex, except trivial copies.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_PARTS_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_PARTS_HPP

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <utility>

#include "../../options.hpp"
#include "../../stats.hpp"
#include "../executor/executor_core.hpp"
#include "../ground/callable.hpp"
#include "../ground/fork.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/unseen.hpp"
#include "../ground/wait_list.hpp"
#include "crew.hpp"
#include "ledger.hpp"
#include "order.hpp"
#include "queue_functions.hpp"
#include "queued_task.hpp"
#include "room.hpp"
#include "task_list.hpp"
#include "worker.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
using ErrorHook = AnyFunction<Runtime, void(std::exception_ptr, const TaskInfo&)>;
template <class Runtime>
using ThreadHook = AnyFunction<Runtime, void()>;

/// What the user has set. Guarded by the queue's mutex. Whoever calls one copies it first, and calls it without the
/// mutex, maybe on several threads at a time: it may do anything.
template <class Runtime>
struct Hooks {
  ThreadHook<Runtime> thread_start;
  ThreadHook<Runtime> thread_end;
  bool start_failed = false;  // `thread_start` has thrown, has been reported, and has not succeeded since
  ErrorHook<Runtime> error;   // for exceptions that no one will observe
};

/// The mutex, the four parts that it guards, and what needs several of them.
template <class Runtime>
class QueueParts : public ExecutorCore<Runtime>, private ForkAware<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;
  using Core = QueueCore<Runtime>;
  using Worker = detail::Worker<Runtime>;
  using Choice = typename Crew<Runtime>::Choice;

  const std::string& name() const noexcept { return name_; }
  const QueueOptions& options() const noexcept { return options_; }
  std::size_t thread_count() const noexcept { return options_.thread_count; }
  bool bounded() const noexcept { return options_.max_queued != (std::numeric_limits<std::size_t>::max)(); }
  const QueueFunctions<Runtime>& functions() const noexcept { return functions_; }

  // The mutex, which also guards the threads blocked on this queue's tasks, and the parts.

  typename Runtime::Mutex& mutex() const noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }
  Order<Runtime>& order() noexcept TOTO_REQUIRES(mutex_) { return order_; }
  const Order<Runtime>& order() const noexcept TOTO_REQUIRES(mutex_) { return order_; }
  Crew<Runtime>& crew() noexcept TOTO_REQUIRES(mutex_) { return crew_; }
  const Crew<Runtime>& crew() const noexcept TOTO_REQUIRES(mutex_) { return crew_; }
  Room& room() noexcept TOTO_REQUIRES(mutex_) { return room_; }
  const Room& room() const noexcept TOTO_REQUIRES(mutex_) { return room_; }
  Ledger<Runtime>& ledger() noexcept TOTO_REQUIRES(mutex_) { return ledger_; }
  const Ledger<Runtime>& ledger() const noexcept TOTO_REQUIRES(mutex_) { return ledger_; }
  Hooks<Runtime>& hooks() noexcept TOTO_REQUIRES(mutex_) { return hooks_; }
  /// Those who wait for the end, for idleness, or for a thread: notified of each change.
  WaitList<Runtime>& changed() const noexcept TOTO_REQUIRES(mutex_) { return changed_; }

  // Without the mutex, hints: what the calling thread has heard of is seen.

  bool closed() const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS { return ledger_.closed(); }
  std::size_t runnable() const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS { return order_.runnable(); }
  std::uint64_t taken() const noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS { return order_.taken(); }

  // Who follows the tasks.

  /// Null if nobody does.
  QueueObserver* observer() const noexcept { return options_.observer; }
  bool tracks() const noexcept { return options_.track_tasks; }
  /// Whether every task has a supervisor, because it is observed or listed.
  bool follows() const noexcept { return observer() != nullptr || tracks(); }
  /// Whether every task has to be a QueuedTask, because it has a supervisor or is queued by its age.
  bool needs_states() const noexcept { return follows() || !options_.ageing.is_never(); }
  /// Null if not every task has a supervisor.
  MakeSupervisor<Runtime> supervisor_maker() const noexcept { return follows() ? functions_.make_supervisor : nullptr; }
  TaskList<Runtime>& task_list() noexcept { return task_list_; }
  const TaskList<Runtime>& task_list() const noexcept { return task_list_; }

  /// Calls the error hook, and ignores what that throws; without one, writes a line to stderr. Not under the mutex.
  /// Fills in the queue and the worker of `task`.
  TOTO_COLD void report(const std::exception_ptr& failure, TaskInfo task = {}) noexcept {
    const Worker* const worker = this_worker();
    task.queue = name_;
    task.worker = worker != nullptr ? worker->number : 0;
    ErrorHook<Runtime> hook;
    {
      const Lock lock(mutex_);
      hook = hooks_.error;
    }
    if (hook) {
      try {
        hook(failure, task);
      } catch (...) {  // there is nobody left to see it
      }
    } else if (task.name.empty()) {
      detail::print_failure({"a task on queue '", name_, "'"}, failure);
    } else {
      detail::print_failure({"a task on queue '", name_, "' (", task.name, ")"}, failure);
    }
  }
  /// The same for the failure of a task whose result no one will observe, unless it is one of the library's own.
  TOTO_COLD void report_unseen(const std::exception_ptr& failure, const TaskInfo& task) noexcept {
    if (detail::concerns_anybody(failure)) {
      report(failure, task);
    }
  }

  // The calling thread.

  /// The worker of this queue that it is, or null.
  Worker* this_worker() const noexcept {
    Worker* const worker = ThreadContext<Runtime>::current().worker;
    return worker != nullptr && &worker->core == this ? worker : nullptr;
  }
  /// Gives back the reference that a task took when it was added.
  void return_reference() noexcept {
    if (Worker* const worker = this_worker()) {
      ++worker->returned_references;  // no atomic operation; handed over at the worker's next visit to the mutex
    } else {
      this->release();
    }
  }

  // Waking.

  /// The worker to wake, if one is needed: deliver() wakes it, without the mutex. A choice owns a reference to this
  /// queue: a task that destroys the queue may have ended, and its worker left, before the thread that added the task
  /// gets as far as that.
  Choice choose_locked() noexcept TOTO_REQUIRES(mutex_) {
    if (order_.empty() || crew_.wakes_nobody()) {
      return {};
    }
    this->retain();
    return crew_.choose(this_worker() != nullptr);
  }
  void deliver(Choice choice) noexcept {
    if (!choice) {
      return;  // by now this may be gone
    }
    const Ref<QueueParts> kept = Ref<QueueParts>::adopt(this);  // the reference that choose_locked() took
    if (!choice.start) {
      choice.worker->parker.unpark();
    } else if (const std::exception_ptr failure = functions_.start_thread(core(), choice.worker, true)) {
      functions_.start_later(core());
    }
  }
  /// Ends a critical section in which something was queued. Within a burst, nearly every task needs no further worker.
  void unlock_and_wake() noexcept TOTO_RELEASE(mutex_) {
    if (crew_.wakes_nobody()) [[likely]] {
      mutex_.unlock();
    } else {
      choose_and_wake();
    }
  }
  /// Ends a critical section in which tasks may have left the queue: gives room to those who wait for it.
  void unlock_and_give_room(Choice choice) noexcept TOTO_RELEASE(mutex_) {
    if (!choice && room_.line().empty()) [[likely]] {
      mutex_.unlock();
    } else {
      give_room(choice);
    }
  }

  /// Nothing is queued, running or suspended.
  bool quiet_locked() const noexcept TOTO_REQUIRES(mutex_) {
    return crew_.busy() == 0 && !ledger_.completing() && ledger_.open_coroutines() == 0 && order_.empty();
  }
  /// Something is queued, and there is no thread: the last start has failed.
  bool stranded_locked() const noexcept TOTO_REQUIRES(mutex_) { return crew_.live() == 0 && !order_.empty(); }
  bool stranded() const noexcept {
    const Lock lock(mutex_);
    return stranded_locked();
  }
  void announce_quiet_locked() noexcept TOTO_REQUIRES(mutex_) {
    if (!quiet_locked()) {
      return;
    }
    if (ledger_.closed()) {
      crew_.rouse_idle();
      if (crew_.live() == 0) {
        ledger_.end();
      }
    }
    changed_.notify_all();
  }

  /// Completes with TaskCancelled the tasks that were taken out, and the `dropped` closures. Returns with the mutex
  /// held.
  void discard_and_relock(ContinuationList& tasks, std::size_t dropped) noexcept TOTO_REQUIRES(mutex_) {
    ledger_.count_cancelled(dropped + tasks.size());
    ledger_.begin_completing();  // the queue does not end meanwhile
    auto* const surplus = order_.closures().take_surplus();
    mutex_.unlock();
    ClosureLine<Runtime>::free_all(surplus);
    while (!tasks.empty()) {
      static_cast<QueuedTask<Runtime>&>(tasks.pop_front()).discard();
    }
    mutex_.lock();
    ledger_.end_completing();
    announce_quiet_locked();
  }

  /// Of threads that wait for a task.
  SpinBudget<Runtime> spins;

  /// The TaskQueue that owns this. Its own workers read it; null once that object's destructor has waited for the
  /// others.
  typename Runtime::template Atomic<void*> owner{nullptr};

 protected:
  TOTO_COLD QueueParts(const QueueOptions& options, const QueueFunctions<Runtime>& functions)
      : ForkAware<Runtime>(ForkRank::executors),
        name_(options.name),
        options_(detail::with_name(options, name_)),
        functions_(functions),
        crew_(options.thread_count),
        order_(options.ageing),
        room_(options.max_queued) {
    this->watch_forks();  // last: a constructor that throws later would leave this in the list
  }
  ~QueueParts() override { this->ignore_forks(); }

 private:
  Core& core() noexcept { return static_cast<Core&>(*this); }

  TOTO_COLD void choose_and_wake() noexcept TOTO_RELEASE(mutex_) {
    const Choice choice = choose_locked();
    mutex_.unlock();
    deliver(choice);
  }
  TOTO_NOINLINE void give_room(Choice choice) noexcept TOTO_RELEASE(mutex_) {
    Room::Line::Waiters told = room_.grant(order_.tasks(), ledger_.closed());
    mutex_.unlock();
    deliver(choice);
    Room::Line::tell(told);
  }

  void describe(std::string& text) const override { text += functions_.dump(static_cast<const Core&>(*this)); }
  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  /// In the child of a fork the queue is empty and has no threads, but for the forking one if that is a worker. What
  /// the lost threads and tasks owned is left alone: its state is unknown.
  TOTO_COLD void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {
      Worker* const self = this_worker();
      order_.forget(self != nullptr ? self->running : nullptr);
      room_.forget();
      crew_.forget_others(self);
      ledger_.forget(self);
      task_list_.forget_locked(self != nullptr ? self->number : 0);
      changed_ = {};
    }
    mutex_.unlock();
  }

  // What is read at each task and never written.
  const std::string name_;
  const QueueOptions options_;
  const QueueFunctions<Runtime> functions_;

  alignas(128) mutable typename Runtime::Mutex mutex_;  // away from what is only read
  Crew<Runtime> crew_ TOTO_GUARDED_BY(mutex_);
  Ledger<Runtime> ledger_ TOTO_GUARDED_BY(mutex_);
  Order<Runtime> order_ TOTO_GUARDED_BY(mutex_);
  Room room_ TOTO_GUARDED_BY(mutex_);
  Hooks<Runtime> hooks_ TOTO_GUARDED_BY(mutex_);
  mutable WaitList<Runtime> changed_ TOTO_GUARDED_BY(mutex_);
  TaskList<Runtime> task_list_{mutex_};
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_PARTS_HPP
