// SPDX-License-Identifier: MIT
//
// TrackedTask: a task's entry in the list that a queue with QueueOptions::track_tasks keeps for dump().

#ifndef TOTO_DETAIL_QUEUE_TRACKED_TASK_HPP
#define TOTO_DETAIL_QUEUE_TRACKED_TASK_HPP

#include <cstddef>
#include <string_view>

#include "../ground/annotations.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
struct TrackedTask;

/// On the stack of the worker that begins a coroutine task: where its entry is, as long as it is listed. The queue's
/// mutex guards it.
template <class Runtime>
struct BegunTask {
  TrackedTask<Runtime>* entry = nullptr;
};

/// Part of the task's state. The queue's mutex guards it.
template <class Runtime>
struct TrackedTask {
  std::string_view what;                        // the type of the callable
  const char* doing = "";                       // "queued", "running", "begun", "suspended"
  std::size_t worker = 0;                       // its number; 0: none
  typename Runtime::Clock::time_point since{};  // it does that
  bool listed = false;
  BegunTask<Runtime>* begun = nullptr;
  TrackedTask* next = nullptr;
  TrackedTask* previous = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_TRACKED_TASK_HPP
