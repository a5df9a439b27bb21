// SPDX-License-Identifier: MIT
//
// What a queue tells the WaitGraph: whether there is anybody left to run a task. Part of QueueCore; include
// queue_core.hpp.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_BLOCKING_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_BLOCKING_HPP

#include <cstddef>
#include <string>
#include <string_view>

#include "../ground/text.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
bool QueueCore<Runtime>::may_run(const QueuedTask& task, const WaitGraph<Runtime>& graph) const {
  const Lock lock(mutex_);
  // Somebody else may be on the way, or be completing a task from outside (busy_).
  bool found = live_ != thread_count_ || secured_ != live_ || busy_ != live_;
  const Lane<Runtime>* const lane = task.place == QueuedTask::Place::lane ? task.lane.get() : nullptr;
  std::size_t held = 0;  // turns in the lane, by stuck workers
  for (const Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    if (!worker->secured) {
      continue;
    }
    if (!graph.is_stuck(worker->blocked_on)) {
      found = true;
    } else if (lane != nullptr && worker->running != nullptr && worker->running->lane.get() == lane) {
      ++held;
    }
  }
  return found && (lane == nullptr || held < lane->admitted);
}

template <class Runtime>
std::string QueueCore<Runtime>::lane_words(const QueuedTask& task) const {
  const Lock lock(mutex_);
  if (task.place != QueuedTask::Place::lane) {
    return {};
  }
  const std::string& lane = task.lane->name;
  constexpr std::string_view kWords = ", which waits for its turn";
  return lane.empty() ? join({kWords}) : join({kWords, " in the view '", lane, "'"});
}

template <class Runtime>
bool QueueCore<Runtime>::may_become_idle(const WaitGraph<Runtime>& graph) const {
  const Lock lock(mutex_);
  bool found = true;
  for (const Worker* worker = all_; worker != nullptr; worker = worker->next_of_all) {
    if (worker->secured && graph.is_stuck(worker->blocked_on)) {
      found = false;
    }
  }
  return found || quiet_locked();
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_BLOCKING_HPP
