// SPDX-License-Identifier: MIT
//
// How a thread waits for the end of a task: the part of TaskState that only a blocked thread needs. The thread sleeps
// in a list in the task's state. Meanwhile it is in the WaitGraph, if it waits without a limit of time. Read next:
// ../queue/wait_graph.hpp.

#ifndef TOTO_DETAIL_TASK_BLOCKING_HPP
#define TOTO_DETAIL_TASK_BLOCKING_HPP

#include <string>

#include "../ground/lock.hpp"
#include "../ground/text.hpp"
#include "../queue/wait_graph.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// The wait for the end of a task.
template <class Runtime>
class AwaitedTask final : public Awaited<Runtime> {
 public:
  explicit AwaitedTask(TaskState<Runtime>& state) noexcept : state_(state) {}

  bool may_come(const WaitGraph<Runtime>& graph) const override { return state_.may_end(graph); }
  std::string words() const override { return detail::join({"a task of queue '", state_.core().name(), "'"}); }
  std::string details() const override { return state_.blocking_details(); }

 private:
  TaskState<Runtime>& state_;
};

template <class Runtime>
bool TaskState<Runtime>::wait_until(TimePoint deadline) {
  if (ready()) {
    return true;
  }
  if (ThreadContext<Runtime>::current().worker == nullptr) {
    core_->spins.spin([this] { return ready(); });
    core_->spins.paid(ready());
  } else {
    Core::run_local_here();  // the task may be a coroutine that has ended on this very thread
  }
  if (ready()) {
    return true;
  }
  const AwaitedTask<Runtime> end(*this);
  BlockedThread<Runtime> blocked;
  if (deadline == (TimePoint::max)()) {
    blocked.enter(end);
  }
  const Lock lock(core_->mutex());
  Word seen = word_.load(std::memory_order_relaxed);
  if (seen == Word::pending) {
    waiter_.blocked = {};
    word_.compare_exchange_strong(seen, Word::blocked, std::memory_order_relaxed);  // wake_blocked() takes the mutex
  }
  const bool over = ready() || waiter_.blocked.wait_until(core_->mutex(), deadline, [this] { return ready(); });
  if (!over && waiter_.blocked.empty()) {
    // The completer changes `blocked` only with the mutex, which is held here.
    word_.store(Word::pending, std::memory_order_relaxed);
  }
  return over;
}

/// Publishes the end to sleeping threads. False if the last of them has given up.
template <class Runtime>
bool TaskState<Runtime>::wake_blocked() noexcept {
  const Lock lock(core_->mutex());
  if (word_.load(std::memory_order_relaxed) != Word::blocked) {
    return false;
  }
  waiter_.blocked.notify_all();
  // Last: a thread that polls ready() may free this block as soon as it sees it. The sleepers come when the
  // mutex is free.
  word_.store(Word::done, std::memory_order_release);
  return true;
}

template <class Runtime>
bool TaskState<Runtime>::may_end(const WaitGraph<Runtime>& graph) {
  if (BlockedThread<Runtime>* const runner = graph.find_runner(*this)) {
    return !graph.is_stuck(runner);
  }
  if (this->supervised && supervisor()->timed()) {
    return true;  // it may be too late for it to begin
  }
  // A coroutine, too, ends on a worker of its queue. ready() comes last: who completes it from outside counts as busy.
  return detail::may_run(*core_, *this, graph) || ready();
}

/// The lane in which it waits.
template <class Runtime>
std::string TaskState<Runtime>::blocking_details() const {
  return detail::lane_words(*core_, *this);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_BLOCKING_HPP
