// SPDX-License-Identifier: MIT
//
// The end of a queue, for its owner: closing, draining, joining, cancelling everything that is queued.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_END_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_END_HPP

#include <cstddef>
#include <utility>

#include "../ground/lock.hpp"
#include "queue_core.hpp"
#include "worker_start.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class QueueEnd {
 public:
  using Core = QueueCore<Runtime>;
  using TimePoint = typename Core::TimePoint;
  using Worker = detail::Worker<Runtime>;

  explicit QueueEnd(Core& core) noexcept : core_(core) {}

  void close() {
    core_.mutex().lock();
    core_.ledger().close();
    if (core_.ledger().over()) {
      core_.crew().rouse_idle();
    }
    core_.announce_quiet_locked();
    core_.changed().notify_all();
    core_.unlock_and_give_room({});  // no waiter gets room any more
  }

  /// Completes every task that has not begun with TaskCancelled; returns how many.
  std::size_t cancel_queued() {
    ContinuationList tasks;
    core_.mutex().lock();
    const std::size_t dropped = core_.order().take_tasks(tasks);
    const std::size_t cancelled = dropped + tasks.size();
    core_.discard_and_relock(tasks, dropped);
    core_.unlock_and_give_room({});
    return cancelled;
  }

  bool wait_idle_until(TimePoint deadline) {
    {
      const Lock lock(core_.mutex());
      if (!core_.changed().wait_until(core_.mutex(), deadline,
                                      [this]() TOTO_REQUIRES(core_.mutex()) { return core_.quiet_locked(); })) {
        return false;
      }
    }
    return Posts<Runtime>::instance().wait_for_timers(deadline);
  }

  /// Waits until everything is done, every thread has left and the last one was joined.
  bool finish_until(TimePoint deadline) {
    Core::run_local_here();
    Ref<RefCounted<Runtime>> watchdog;  // of a named queue: destroyed without the mutex
    const Lock lock(core_.mutex());
    while (!core_.ledger().ended()) {
      if (deadline != (TimePoint::max)() && Clock::now() >= deadline) {
        return false;
      }
      if (!core_.stranded_locked()) {
        core_.changed().wait_until(core_.mutex(), deadline, [this]() TOTO_REQUIRES(core_.mutex()) {
          return core_.ledger().ended() || core_.stranded_locked();
        });
        continue;
      }
      // Continuations wait for a thread that could not be started when they were posted: try again.
      core_.unlock_and_wake();
      core_.mutex().lock();
      const TimePoint retry = Clock::now() + kStartAgain;
      core_.changed().wait_until(core_.mutex(), retry < deadline ? retry : deadline,
                                 [this]() TOTO_REQUIRES(core_.mutex()) { return !core_.stranded_locked(); });
    }
    if (ThreadContext<Runtime>::current().left == &core_ && core_.crew().exited().joinable()) {
      core_.crew().exited().detach();  // a thread-local of a worker that has left destroys the queue: perhaps that very
                                       // thread
    }
    join_last_locked();
    watchdog = core_.take_watchdog();
    return true;
  }

  /// The same without a limit. On one of this queue's own workers: until every other one has left.
  void finish() {
    {
      Ref<RefCounted<Runtime>> watchdog;  // destroyed after the lock
      const Lock lock(core_.mutex());
      watchdog = core_.take_watchdog();
    }
    if (core_.this_worker() == nullptr) {
      finish_until((TimePoint::max)());
    }
    core_.mutex().lock();
    core_.ledger().lose_owner();
    if (!core_.ledger().ended()) {
      // A task of this queue destroys it: the other workers run what they can and leave; this one runs what is left
      // after the task, on this shared state, as a detached thread.
      core_.crew().rouse_idle();
      core_.changed().wait(core_.mutex(), [this]() TOTO_REQUIRES(core_.mutex()) { return core_.crew().live() == 1; });
      core_.ledger().orphan();
      join_last_locked();
    }
    const std::size_t credit = core_.ledger().take_credit();
    core_.mutex().unlock();
    if (credit > 0) {
      core_.release(credit);  // never the last: the caller owns one
    }
    Posts<Runtime>::instance().wait_for_timers();
  }

  /// The calling thread, if it is one of this queue's workers, will never return to the queue: it has called exit().
  /// Another thread may take its place, so that what is queued still runs.
  void lose_this_thread() noexcept {
    Worker* const self = core_.this_worker();
    if (self == nullptr) {
      return;
    }
    ThreadContext<Runtime>::current() = {};
    core_.mutex().lock();
    core_.ledger().fold(*self);
    core_.ledger().return_references(core_, *self);
    core_.queue_next_locked(*self);
    core_.crew().count_out(*self);
    core_.crew().end_work();
    if (self->in_coroutine.load(std::memory_order_relaxed)) {
      core_.ledger().count_coroutine_ended(true);  // the coroutine task on this thread never ends
    }
    const auto choice = core_.choose_locked();
    core_.mutex().unlock();
    core_.deliver(choice);
  }

 private:
  using Clock = typename Runtime::Clock;

  /// One at a time, of those who wait for the end.
  void join_last_locked() TOTO_REQUIRES(core_.mutex()) {
    core_.changed().wait(core_.mutex(), [this]() TOTO_REQUIRES(core_.mutex()) { return !core_.ledger().joining(); });
    if (core_.crew().exited().joinable()) {
      core_.ledger().set_joining(true);
      auto last = std::move(core_.crew().exited());
      core_.mutex().unlock();
      last.join();
      core_.mutex().lock();
      core_.ledger().set_joining(false);
      core_.changed().notify_all();
    }
  }

  Core& core_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_END_HPP
