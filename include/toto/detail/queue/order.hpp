// SPDX-License-Identifier: MIT
//
// Order: everything that is queued, and what comes next. Only this class knows where a queued thing is. Read next:
// queue_parts.hpp.
//
//   front     nodes_, with the ticket kFront: what must not wait: continuations without a home, or whose home has
//             ended, and those that cancel tasks
//   urgent    levels_, above 0: tasks with such a priority; with ageing all tasks, as urgent as they have become
//   line      closures_ (contiguous memory) and nodes_ (tasks, hops, continuations): first in, first out, merged by
//             number
//   patient   levels_, below 0: tasks with such a priority, when there is nothing else
//   lanes     tasks that wait for a turn in their lane: not runnable, and not in line before they get it
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.O1]):
//  O1  A node in line carries the number of closures that were pushed before it (plus kFirst), and runs before the
//      closure with that number: so what stands in line begins in the order of adding, for any number of workers.
//  O2  What is queued is in exactly one of these places, and is taken, removed or discarded once.
//  O3  `runnable_` is the number of things that take_next() would give; `tasks_` that of queued tasks, those in lanes
//      included. Both are exact under the mutex.

#ifndef TOTO_DETAIL_QUEUE_ORDER_HPP
#define TOTO_DETAIL_QUEUE_ORDER_HPP

#include <cstddef>
#include <cstdint>
#include <utility>

#include "../../duration.hpp"
#include "../executor/continuation.hpp"
#include "closure_line.hpp"
#include "priority_levels.hpp"
#include "queued_task.hpp"

namespace toto::inline v0_1::detail {

/// Thread safety: Requires the queue's mutex, except runnable() and taken().
template <class Runtime>
class Order {
 public:
  using Closures = ClosureLine<Runtime>;
  using Task = QueuedTask<Runtime>;

  /// What take_next() gives: `task`, or `continuation`, or, if both are null, a copy of a closure.
  struct Next {
    Closure closure;
    Task* task = nullptr;
    Continuation* continuation = nullptr;
    /// A closure or a task.
    bool counts_as_task() const noexcept { return continuation == nullptr; }
  };

  explicit Order(Duration ageing) noexcept : levels_(ageing) {}
  Order(const Order&) = delete;
  Order& operator=(const Order&) = delete;

  bool empty() const noexcept { return runnable() == 0; }
  std::size_t tasks() const noexcept { return tasks_; }
  std::size_t continuations() const noexcept { return nodes_.size() - node_tasks_; }

  /// Without the mutex, a hint: what was pushed before, in whatever thread that the caller has heard from, is seen.
  std::size_t runnable() const noexcept { return runnable_.load(std::memory_order_relaxed); }
  std::uint64_t taken() const noexcept { return taken_.load(std::memory_order_relaxed); }

  Closures& closures() noexcept { return closures_; }

  // Pushing. Nothing of this fails.

  /// Requires closures().has_memory(). The caller fills it.
  Closure& push_closure() noexcept {
    count(1, 1);
    return closures_.push();
  }

  /// Returns false if the task waits in its lane, so that no worker is needed for it.
  bool push(Task& task) noexcept {
    if (Lane<Runtime>* const lane = task.lane.get()) {
      lane->forget_lost_tasks(forks_);
      if (lane->admitted == lane->limit) {
        if (lane->waiting.empty()) {
          lanes_.push_back(*lane);
        }
        lane->waiting.push_back(task);
        task.place = Task::Place::lane;
        ++tasks_;
        return false;
      }
      ++lane->admitted;
    }
    enqueue(task);
    return true;
  }

  void push_back(Continuation& node) noexcept {
    node.ticket = closures_.end() + kFirst;
    nodes_.push_back(node);
    count(1, 0);
  }
  void push_front(Continuation& node) noexcept {
    node.ticket = kFront;
    nodes_.push_front(node);
    count(1, 0);
  }

  /// A task that had a turn in its lane has ended: the next task that waits in the lane joins the queue. Returns
  /// whether a task has.
  bool leave_lane(Task& task) noexcept {
    const Ref<Lane<Runtime>> lane = std::move(task.lane);
    lane->forget_lost_tasks(forks_, 1);
    if (lane->waiting.empty()) {
      if (lane->admitted > 0) {  // else a coroutine has forked in its turn, and the child has not counted that
        --lane->admitted;
      }
      return false;
    }
    Task& next = *pop_waiting(*lane);
    --tasks_;
    enqueue(next);
    return true;
  }

  // Taking.

  /// Returns false if nothing is runnable.
  bool take_next(Next& next) noexcept {
    const bool ahead = !nodes_.empty() && nodes_.front()->ticket == kFront;
    if (!levels_.empty() && !ahead) {
      const bool last = nodes_.empty() && closures_.empty();  // only then those with a priority below 0
      if (Task* const task = last ? levels_.find() : levels_.find(1)) {
        levels_.remove(*task);
        return take(next, task);
      }
    }
    if (!nodes_.empty() && nodes_.front()->ticket <= closures_.begin() + kFirst) {
      Continuation& node = nodes_.pop_front();
      if (is_task(node)) {
        --node_tasks_;
        return take(next, &static_cast<Task&>(node));
      }
      next.task = nullptr;
      next.continuation = &node;
      count_taken(0);
      return true;
    }
    if (closures_.empty()) {
      return false;
    }
    next.closure = closures_.pop();
    next.task = nullptr;
    next.continuation = nullptr;
    count_taken(1);
    return true;
  }

  /// Takes a task out, wherever it is. Returns false if it is not queued.
  bool remove(Task& task) noexcept {
    switch (std::exchange(task.place, Task::Place::nowhere)) {
      case Task::Place::nowhere:
        return false;
      case Task::Place::line:
        nodes_.remove(task);
        --node_tasks_;
        break;
      case Task::Place::level:
        levels_.remove(task);
        break;
      case Task::Place::lane:
        task.lane->waiting.remove(task);
        if (task.lane->waiting.empty()) {
          lanes_.remove(*task.lane);
        }
        task.lane = {};  // it had no turn to pass on
        --tasks_;
        return true;
    }
    count(-1, -1);
    return true;
  }

  /// Takes a continuation out, unless it was lost in a fork.
  void remove(Continuation& node) noexcept {
    if (nodes_.holds(node)) {
      nodes_.remove(node);
      count(-1, 0);
    }
  }

  /// Takes every task out; closures are dropped, the others appended to `tasks`. Returns how many were dropped.
  std::size_t take_tasks(ContinuationList& tasks) noexcept {
    const auto dropped = static_cast<std::size_t>(closures_.end() - closures_.begin());
    closures_.clear();
    count(-static_cast<std::ptrdiff_t>(dropped), -static_cast<std::ptrdiff_t>(dropped));
    for (Continuation* node = nodes_.front(); node != nullptr;) {
      Continuation* const next = node->next;
      if (is_task(*node)) {
        move_to(tasks, static_cast<Task&>(*node));
      }
      node = next;
    }
    while (!levels_.empty()) {
      move_to(tasks, levels_.lowest_priority());
    }
    while (!lanes_.empty()) {
      move_to(tasks, first_in_lanes());
    }
    return dropped;
  }

  /// The same for one task: of those of the lowest priority the one that has waited longest, whatever ageing says; one
  /// that waits in a lane only if there is no other. Returns false if no task is queued.
  bool take_oldest_task(ContinuationList& tasks) noexcept {
    Continuation* node = nodes_.front();
    while (node != nullptr && !is_task(*node)) {
      node = node->next;
    }
    if (!levels_.empty() && levels_.lowest_priority().priority <= 0) {
      move_to(tasks, levels_.lowest_priority());
    } else if (!closures_.empty() && (node == nullptr || node->ticket > closures_.begin() + kFirst)) {
      closures_.pop();
      count(-1, -1);
    } else if (node != nullptr) {
      move_to(tasks, static_cast<Task&>(*node));
    } else if (!levels_.empty()) {
      move_to(tasks, levels_.lowest_priority());
    } else if (!lanes_.empty()) {
      move_to(tasks, first_in_lanes());
    } else {
      return false;
    }
    return true;
  }

  /// The lane in which the task waits, or null.
  static const Lane<Runtime>* lane_of_waiting(const Task& task) noexcept {
    return task.place == Task::Place::lane ? task.lane.get() : nullptr;
  }
  static bool is_queued(const Task& task) noexcept { return task.place != Task::Place::nowhere; }

  /// After a fork, in the child: no one is left to run what is here. It is taken out, because its owners may still
  /// cancel it or take it back. `running`: the task that the forking thread is in the middle of, or null.
  void forget(const Task* running) noexcept {
    ContinuationList lost;
    take_tasks(lost);
    while (!lost.empty()) {
      lost.pop_front();
    }
    while (!nodes_.empty()) {
      remove(*nodes_.front());
    }
    ++forks_;
    if (running != nullptr && running->lane) {
      running->lane->forget_lost_tasks(forks_, 1);
    }
  }

 private:
  static constexpr std::uint64_t kFront = 0;
  static constexpr std::uint64_t kFirst = 1;  // added to the number of a closure, so that none is kFront

  /// The value of `run` in a queued task, which distinguishes a task from other nodes; never called.
  static void task_mark(Continuation&, Turn) noexcept {}
  static bool is_task(const Continuation& node) noexcept { return node.run == &task_mark; }

  void enqueue(Task& task) noexcept {
    task.run = &task_mark;
    if (task.priority != 0 || levels_.ages()) {
      levels_.push(task);
      task.place = Task::Place::level;
    } else {
      task.ticket = closures_.end() + kFirst;
      nodes_.push_back(task);
      ++node_tasks_;
      task.place = Task::Place::line;
    }
    count(1, 1);
  }

  bool take(Next& next, Task* task) noexcept {
    task->place = Task::Place::nowhere;
    next.task = task;
    next.continuation = nullptr;
    count_taken(1);
    return true;
  }

  Task* pop_waiting(Lane<Runtime>& lane) noexcept {
    auto& task = static_cast<Task&>(lane.waiting.pop_front());
    if (lane.waiting.empty()) {
      lanes_.remove(lane);
    }
    return &task;
  }
  Task& first_in_lanes() const noexcept {
    return static_cast<Task&>(*static_cast<Lane<Runtime>&>(*lanes_.front()).waiting.front());
  }
  void move_to(ContinuationList& tasks, Task& task) noexcept {
    remove(task);
    tasks.push_back(task);
  }

  // Only the holder of the mutex writes these.
  void count(std::ptrdiff_t runnable, std::ptrdiff_t tasks) noexcept {
    runnable_.store(this->runnable() + static_cast<std::size_t>(runnable), std::memory_order_relaxed);
    tasks_ += static_cast<std::size_t>(tasks);
  }
  void count_taken(std::ptrdiff_t tasks) noexcept {
    count(-1, -tasks);
    taken_.store(taken() + 1, std::memory_order_relaxed);
  }

  Closures closures_;
  ContinuationList nodes_;
  std::size_t node_tasks_ = 0;  // of these: tasks
  std::size_t tasks_ = 0;
  typename Runtime::template Atomic<std::size_t> runnable_{0};
  typename Runtime::template Atomic<std::uint64_t> taken_{0};
  ContinuationList lanes_;  // those in which tasks wait
  std::size_t forks_ = 0;   // that this queue has come through as the child's
  PriorityLevels<Runtime> levels_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_ORDER_HPP
