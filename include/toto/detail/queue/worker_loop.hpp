// SPDX-License-Identifier: MIT
//
// WorkerLoop: the life of a worker's thread. It takes what is next and runs it, rests when there is nothing, and leaves
// when it has rested for too long. Read next: ../task/call_state.hpp.

#ifndef TOTO_DETAIL_QUEUE_WORKER_LOOP_HPP
#define TOTO_DETAIL_QUEUE_WORKER_LOOP_HPP

#include <cstdint>
#include <exception>
#include <utility>

#include "../ground/lock.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

/// One thread's life: a local variable of that thread.
template <class Runtime>
class WorkerLoop {
 public:
  using Core = QueueCore<Runtime>;
  using Worker = detail::Worker<Runtime>;
  using Next = typename Order<Runtime>::Next;

  WorkerLoop(Core& core, Worker& self) noexcept : core_(core), self_(self) {}

  /// The whole of the thread. `searches`: its starter has begun a search in its name (I3 in crew.hpp).
  void run(bool searches) {
    begin_and_lock(searches);
    if (!start_hook_locked()) {
      lose_locked();
      return;
    }
    Next next;
    for (;;) {
      hand_in_counts_locked();
      if (core_.order().take_next(next)) {
        if (next.counts_as_task()) {
          core_.ledger().count_begun();
        }
        auto* const surplus = core_.order().closures().take_surplus();  // memory of a burst: freed without the mutex
        core_.unlock_and_give_room(core_.choose_locked());              // another worker, if there is more
        try {
          ClosureLine<Runtime>::free_all(surplus);
          run_taken(next);
          finish_own_work();
        } catch (...) {  // a forced unwind (pthread_exit in a task): the thread ends, the queue continues without it
          core_.mutex().lock();
          lose_locked();
          throw;
        }
        core_.mutex().lock();
      } else if (!rest_locked()) {
        break;
      }
    }
    leave_locked();
  }

 private:
  void run_closure(Closure& closure) {
    std::exception_ptr failure;
    try {
      closure();
    } catch (...) {
      failure = std::current_exception();
      if (!failure) {
        self_.count(Tally::kFailed);
        throw;  // a forced unwind: the thread is ending
      }
    }
    if (failure) [[unlikely]] {
      core_.report_unseen(failure, {.queue = {}, .name = closure.kind->what});
    }
    self_.count(failure ? Tally::kFailed : Tally::kCompleted);
  }

  void run_taken(Next& next) {
    self_.worked = true;
    if (next.task != nullptr) {
      next.task->run_on(self_);
    } else if (next.continuation == nullptr) {
      run_closure(next.closure);
    } else {
      self_.in_coroutine.store(true, std::memory_order_relaxed);
      next.continuation->run(*next.continuation, Turn::on_executor);
      self_.in_coroutine.store(false, std::memory_order_relaxed);
    }
  }

  /// Does what belongs to this thread before it looks at the queue again: the continuation of the task that has just
  /// ended, coroutine tasks that have just ended, and a task that such a coroutine waits for (I11).
  void finish_own_work() {
    for (;;) {
      if (self_.resume_next) {
        self_.resume_on_top(std::exchange(self_.resume_next, nullptr));
      } else if (!self_.local.empty()) {
        Continuation& node = self_.local.pop_front();
        node.run(node, Turn::on_executor);
      } else if (self_.task_next != nullptr) {
        QueuedTask<Runtime>* const task = std::exchange(self_.task_next, nullptr);
        self_.count(Tally::kUnqueued);
        task->run_on(self_);
      } else {
        return;
      }
    }
  }

  /// Waits for work. Returns true if there is work, false if the worker must leave: both decided in the critical
  /// section in which it checked the queue (I1). Enters and returns with the mutex held.
  bool rest_locked() TOTO_REQUIRES(core_.mutex()) {
    if (std::exchange(self_.worked, false)) {
      self_.idle_since = Clock::now();  // a wake-up that finds nothing does not move the deadline
    }
    const TimePoint deadline = core_.options().idle_timeout.after(self_.idle_since);
    core_.crew().end_work();
    core_.announce_quiet_locked();
    look_again_locked();
    while (core_.order().empty()) {
      const bool may_leave = core_.crew().may_leave(self_);
      if (may_leave && (core_.ledger().over() || Clock::now() >= deadline)) {
        break;
      }
      if (!self_.idle) {
        core_.crew().push_idle(self_);
      }
      core_.mutex().unlock();
      self_.spins.spin([this] { return self_.parker.has_token(); });
      const bool woken_spinning = self_.parker.has_token();
      self_.parker.park_until(may_leave ? deadline : (TimePoint::max)());  // until QueueParts::deliver() wakes it
      wait_while_others_are_quick();
      core_.mutex().lock();
      if (std::exchange(self_.searcher, false)) {
        core_.crew().end_search();
      }
      self_.spins.paid(woken_spinning && !core_.order().empty());
    }
    if (self_.idle) {
      core_.crew().remove_idle(self_);
    }
    if (core_.order().empty()) {
      return false;
    }
    core_.crew().begin_work();
    return true;
  }

  /// Checks the queue for about a microsecond before it sleeps, as the worker on the way, so that adders need not wake
  /// any. While tasks are added one after another, it lets some gather: right behind their adder, it would only contend
  /// for the mutex. Enters and returns with the mutex held; the caller checks once more while holding it.
  void look_again_locked() TOTO_REQUIRES(core_.mutex()) {
    if constexpr (Runtime::spins) {
      if (core_.crew().searching() || core_.ledger().over() || core_.options().idle_timeout == Duration() ||
          Runtime::processors() < 2) {
        return;
      }
      constexpr int kLooks = 64;
      constexpr std::size_t kEnough = 32;
      core_.crew().begin_search();
      core_.mutex().unlock();
      std::size_t seen = 0;
      for (int look = 0; look < kLooks; ++look) {
        Runtime::relax();
        const std::size_t now = core_.runnable();
        if (now != 0 && (now == seen || now >= kEnough)) {
          break;
        }
        seen = now;
      }
      core_.mutex().lock();
      core_.crew().end_search();
    }
  }

  /// If another worker of this queue has woken this one, it may well run all there is faster than two that meet at the
  /// mutex, with everything in its cache. So this worker waits while others take tasks in quick succession. As soon as
  /// they do not, because a task is long or blocks, this worker takes tasks, no later than a thread that first has to
  /// be woken.
  void wait_while_others_are_quick() noexcept {
    if constexpr (Runtime::spins) {
      if (!self_.woken_by_worker.load(std::memory_order_relaxed) || Runtime::processors() < 2) {
        return;
      }
      self_.woken_by_worker.store(false, std::memory_order_relaxed);
      constexpr int kRounds = 64;
      constexpr int kPauses = 128;
      constexpr std::uint64_t kQuick = 8;  // tasks a round
      std::uint64_t seen = core_.taken();
      for (int round = 0; round < kRounds; ++round) {
        for (int pause = 0; pause < kPauses; ++pause) {
          Runtime::relax();
        }
        if (core_.taken() < seen + kQuick) {
          return;
        }
        seen = core_.taken();
      }
    }
  }

  void begin_and_lock(bool searches) TOTO_ACQUIRE(core_.mutex()) {
    ThreadContext<Runtime>::current() = {&core_, &self_, nullptr};
    core_.mutex().lock();
    if (QueueObserver* const observer = core_.observer()) {
      core_.changed().wait(core_.mutex(), [this] { return !self_.telling; });
      core_.mutex().unlock();
      observer->thread_started(core_.name(), self_.number);
      core_.mutex().lock();
    }
    if (core_.crew().secure(self_)) {
      core_.changed().notify_all();
    }
    core_.changed().wait(core_.mutex(), [this]() TOTO_REQUIRES(core_.mutex()) { return core_.crew().may_begin(); });
    if (searches) {
      core_.crew().end_search();
    }
    core_.crew().begin_work();
    self_.worked = true;
  }

  /// Calls the start hook. Returns false if it has thrown; then the thread ends. Enters and returns with the mutex
  /// held.
  bool start_hook_locked() TOTO_REQUIRES(core_.mutex()) {
    auto start = core_.hooks().thread_start;
    if (!start) [[likely]] {
      return true;
    }
    core_.mutex().unlock();
    std::exception_ptr failure;
    try {
      start();
      start = {};  // it may be the last owner: not with the mutex held
    } catch (...) {
      start = {};
      failure = std::current_exception();
      if (!failure) {  // a forced unwind
        core_.mutex().lock();
        lose_locked();
        throw;
      }
    }
    core_.mutex().lock();
    has_begun_ = !failure;
    const bool known = std::exchange(core_.hooks().start_failed, !has_begun_);
    if (failure) {
      core_.mutex().unlock();
      if (!known) {
        core_.report(failure);
      }
      failure = nullptr;  // the user's exception may be destroyed in this
      core_.mutex().lock();
    }
    return has_begun_;
  }

  void hand_in_counts_locked() noexcept TOTO_REQUIRES(core_.mutex()) {
    core_.ledger().fold(self_);
    core_.ledger().return_references(core_, self_);
  }

  /// The thread of a busy worker is being unwound by force, or could not begin. Returns without the mutex.
  TOTO_COLD void lose_locked() noexcept TOTO_RELEASE(core_.mutex()) {
    // The thread is stored by its starter, so that it can be joined.
    core_.changed().wait(core_.mutex(), [this] { return self_.thread.joinable(); });
    core_.queue_next_locked(self_);
    core_.crew().end_work();
    leave_locked();
  }

  /// The end of a worker: it is counted out in the critical section in which it saw the queue empty, or was lost.
  /// Returns without the mutex.
  TOTO_COLD void leave_locked() TOTO_RELEASE(core_.mutex()) {
    hand_in_counts_locked();
    ThreadContext<Runtime>::current() = {nullptr, nullptr, &core_};
    auto predecessor = core_.crew().leave(self_, core_.ledger().orphaned());
    // After a forced unwind. A thread that could not begin leaves it to the next task, or the timers.
    const auto choice = has_begun_ ? core_.choose_locked() : typename Core::Choice{};
    const auto end = has_begun_ ? core_.hooks().thread_end : ThreadHook<Runtime>();
    core_.announce_quiet_locked();
    core_.changed().notify_all();
    QueueObserver* const observer = core_.observer();
    self_.telling = observer != nullptr;
    core_.mutex().unlock();
    core_.deliver(choice);
    if (!has_begun_) {
      core_.functions().start_later(core_);
    }
    if (end) {
      try {
        end();
      } catch (...) {
        core_.report(std::current_exception());
      }
    }
    if (observer != nullptr) {
      observer->thread_ended(core_.name(), self_.number);
      const Lock lock(core_.mutex());
      self_.telling = false;
      core_.changed().notify_all();
    }
    if (predecessor.joinable()) {
      predecessor.join();
      const Lock lock(core_.mutex());
      core_.crew().has_joined();
      core_.changed().notify_all();
    }
  }

  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;

  Core& core_;
  Worker& self_;
  bool has_begun_ = true;  // the start hook has not thrown
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WORKER_LOOP_HPP
