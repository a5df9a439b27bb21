// SPDX-License-Identifier: MIT
//
// TaskList: the tasks of a queue with QueueOptions::track_tasks that are not over, for dump(), and how long tasks wait
// and run, for stats(). TrackedTask: a task's entry, part of its state.

#ifndef TOTO_DETAIL_QUEUE_TASK_LIST_HPP
#define TOTO_DETAIL_QUEUE_TASK_LIST_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "../../stats.hpp"
#include "../ground/annotations.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/text.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
struct TrackedTask;

/// On the stack of the worker that begins a coroutine task: where its entry is, as long as it is listed.
template <class Runtime>
struct BegunTask {
  TrackedTask<Runtime>* entry = nullptr;
};

template <class Runtime>
struct TrackedTask {
  std::string_view what;                        // the type of the callable
  const char* doing = "";                       // "queued", "running", "begun", "suspended"
  std::size_t worker = 0;                       // its number; 0: none
  typename Runtime::Clock::time_point since{};  // it does that
  typename Runtime::Clock::time_point began{};  // if it has
  bool has_begun = false;
  bool listed = false;
  BegunTask<Runtime>* begun = nullptr;
  TrackedTask* next = nullptr;
  TrackedTask* previous = nullptr;
};

/// Thread-safe; the queue's mutex guards it, and the entries. For files that follow tasks.
template <class Runtime>
class TaskList {
 public:
  using Entry = TrackedTask<Runtime>;
  using Clock = typename Runtime::Clock;

  explicit TaskList(typename Runtime::Mutex& of_queue) noexcept : mutex_(of_queue) {}

  TOTO_COLD void add(Entry& task, std::string_view what) noexcept {
    const auto now = Clock::now();
    const Lock lock(mutex_);
    task.what = what;
    task.listed = true;
    set(task, "queued", 0, now);
    tasks_.push_back(task);
  }
  /// A worker begins to run it. `begun`: for a coroutine, which leaves that worker before or after its end.
  TOTO_COLD void begin(Entry& task, BegunTask<Runtime>* begun, std::size_t worker) noexcept {
    const auto now = Clock::now();
    const Lock lock(mutex_);
    add_up(now - task.since, times_.queued, times_.longest_queued);
    set(task, begun != nullptr ? "begun" : "running", worker, now);
    task.began = now;
    task.has_begun = true;
    if (begun != nullptr) {
      begun->entry = &task;
      task.begun = begun;
    }
  }
  TOTO_COLD void suspend(BegunTask<Runtime>& begun) noexcept {
    const auto now = Clock::now();
    const Lock lock(mutex_);
    if (Entry* const task = begun.entry) {  // or else it is over
      set(*task, "suspended", 0, now);
      task->begun = nullptr;
    }
  }
  TOTO_COLD void remove(Entry& task) noexcept {
    const auto now = Clock::now();
    const Lock lock(mutex_);
    if (std::exchange(task.listed, false)) {
      tasks_.remove(task);
      if (task.has_begun) {
        add_up(now - task.began, times_.running, times_.longest_running);
      }
      if (task.begun != nullptr) {
        task.begun->entry = nullptr;
      }
    }
  }

  TOTO_COLD QueueTimes times_locked() const TOTO_NO_THREAD_SAFETY_ANALYSIS {
    QueueTimes times = times_;
    const Entry* oldest = tasks_.front();  // in the order of adding
    while (oldest != nullptr && oldest->has_begun) {
      oldest = oldest->next;
    }
    if (oldest != nullptr) {
      times.oldest_queued = Clock::now() - oldest->since;
    }
    return times;
  }

  /// Appends "; NAME runs on worker N for T" for the task that has run longest; nothing if none runs, or none is
  /// tracked.
  TOTO_COLD void name_longest_running(std::string& text) const {
    const Lock lock(mutex_);
    const Entry* longest = nullptr;
    for (const Entry* task = tasks_.front(); task != nullptr; task = task->next) {
      if (task->worker != 0 && (longest == nullptr || task->began < longest->began)) {
        longest = task;
      }
    }
    if (longest != nullptr) {
      detail::append(text, {"; ", longest->what, " runs on worker ", Digits(longest->worker), " for ",
                            detail::seconds_text(Clock::now() - longest->began)});
    }
  }

  /// In the child of a fork, with the mutex: only what the worker of this number runs is left; 0: nothing.
  void forget_locked(std::size_t worker) noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
    for (Entry* task = tasks_.front(); task != nullptr;) {
      Entry& entry = *std::exchange(task, task->next);
      if (worker == 0 || entry.worker != worker) {
        entry.listed = false;
        tasks_.remove(entry);
      }
    }
  }

  /// Appends a line for each.
  TOTO_COLD void describe_locked(std::string& text) const TOTO_NO_THREAD_SAFETY_ANALYSIS {
    const auto now = Clock::now();
    for (const Entry* task = tasks_.front(); task != nullptr; task = task->next) {
      detail::append(text, {"  task ", task->what, " ", task->doing});
      if (task->worker != 0) {
        detail::append(text, {" on worker ", Digits(task->worker)});
      }
      detail::append(text, {" for ", detail::seconds_text(now - task->since), "\n"});
    }
  }

 private:
  static void set(Entry& task, const char* doing, std::size_t worker, typename Clock::time_point since) noexcept {
    task.doing = doing;
    task.worker = worker;
    task.since = since;
  }

  static void add_up(std::chrono::nanoseconds time, std::chrono::nanoseconds& sum,
                     std::chrono::nanoseconds& longest) noexcept {
    sum += time;
    longest = longest < time ? time : longest;
  }

  typename Runtime::Mutex& mutex_;
  LinkedList<Entry> tasks_ TOTO_GUARDED_BY(mutex_);
  QueueTimes times_ TOTO_GUARDED_BY(mutex_);
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_TASK_LIST_HPP
