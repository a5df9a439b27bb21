// SPDX-License-Identifier: MIT
//
// What a queue tells about itself in words, and the list of tasks it keeps for that if it was asked to. Part of
// QueueCore; include queue_core.hpp.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_DUMP_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_DUMP_HPP

#include "../ground/seconds_text.hpp"
#include "../ground/text.hpp"
#include "queue_core.hpp"
#include "wait_graph.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
void QueueCore<Runtime>::track(TrackedTask<Runtime>& task, std::string_view what) noexcept {
  task.what = what;
  task.doing = "queued";
  task.since = Clock::now();
  const Lock lock(mutex_);
  task.listed = true;
  tracked_.push_back(task);
}

template <class Runtime>
void QueueCore<Runtime>::track_begun(TrackedTask<Runtime>& task, BegunTask<Runtime>* begun,
                                     std::size_t worker) noexcept {
  const TimePoint now = Clock::now();
  const Lock lock(mutex_);
  task.doing = begun != nullptr ? "begun" : "running";
  task.worker = worker;
  task.since = now;
  if (begun != nullptr) {
    begun->entry = &task;
    task.begun = begun;
  }
}

template <class Runtime>
void QueueCore<Runtime>::track_suspended(BegunTask<Runtime>& begun) noexcept {
  const TimePoint now = Clock::now();
  const Lock lock(mutex_);
  if (TrackedTask<Runtime>* const task = begun.entry) {  // or else it is over
    task->doing = "suspended";
    task->worker = 0;
    task->since = now;
    task->begun = nullptr;
  }
}

template <class Runtime>
void QueueCore<Runtime>::untrack(TrackedTask<Runtime>& task) noexcept {
  const Lock lock(mutex_);
  if (std::exchange(task.listed, false)) {
    tracked_.remove(task);
    if (task.begun != nullptr) {
      task.begun->entry = nullptr;
    }
  }
}

template <class Runtime>
std::string QueueCore<Runtime>::dump() const {
  const QueueStats now = stats();
  std::string text =
      join({"queue '", name_, "': ", Digits(now.threads), " of ", Digits(thread_count_), " thread(s), "});
  append(text, {Digits(now.idle), " idle; ", Digits(now.submitted), " submitted = ", Digits(now.completed)});
  append(text, {" completed + ", Digits(now.failed), " failed + ", Digits(now.cancelled), " cancelled + "});
  append(text, {Digits(now.queued), " queued + ", Digits(now.running), " running + ", Digits(now.suspended)});
  append(text, {" suspended; ", Digits(now.continuations), " continuation(s)\n"});
  const Lock lock(mutex_);
  const TimePoint time = Clock::now();
  if (closed_) {
    text += "  closed\n";
  }
  if (bounded()) {
    std::size_t waiting = 0;
    for (const RoomWaiter* waiter = room_waiters_.front(); waiter != nullptr; waiter = waiter->next) {
      ++waiting;
    }
    append(text, {"  room for ", Digits(max_queued_), " queued task(s), of which ", Digits(reserved_),
                  " booked and not used yet; ", Digits(waiting), " wait(s) in line for room\n"});
  }
  for (const Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    if (!worker->secured) {
      continue;  // its thread is starting, or has left
    }
    append(text, {"  worker ", Digits(worker->number)});
    if (worker->idle) {
      detail::append(text, {" idle for ", detail::seconds_text(time - worker->idle_since)});
    } else if (worker->blocked_on != nullptr) {
      detail::append(text, {" waits for ", worker->blocked_on->awaited().words()});
    } else {
      text += " busy";
    }
    text += '\n';
  }
  for (const TrackedTask<Runtime>* task = tracked_.front(); task != nullptr; task = task->next) {
    detail::append(text, {"  task ", task->what, " ", task->doing});
    if (task->worker != 0) {
      append(text, {" on worker ", Digits(task->worker)});
    }
    detail::append(text, {" for ", detail::seconds_text(time - task->since), "\n"});
  }
  return text;
}

template <class Runtime>
QueueProgress QueueCore<Runtime>::progress() const noexcept {
  const Lock lock(mutex_);
  const Counts counts = counts_locked();
  return {.begun = counts.begun, .cancelled = cancelled_, .queued = counts.submitted - cancelled_ - counts.begun};
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_DUMP_HPP
