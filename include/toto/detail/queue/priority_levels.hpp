// SPDX-License-Identifier: MIT
//
// PriorityLevels: the tasks of a queue that are more or less urgent than the others, in one list a level; with ageing,
// all of its tasks. Read next: order.hpp.

#ifndef TOTO_DETAIL_QUEUE_PRIORITY_LEVELS_HPP
#define TOTO_DETAIL_QUEUE_PRIORITY_LEVELS_HPP

#include <cstddef>
#include <cstdint>
#include <limits>

#include "../../duration.hpp"
#include "../executor/continuation.hpp"
#include "../ground/lean_std.hpp"
#include "queued_task.hpp"

namespace toto::inline v0_1::detail {

/// Guarded by the queue's mutex.
template <class Runtime>
class PriorityLevels {
 public:
  using Clock = typename Runtime::Clock;
  using QueuedTask = detail::QueuedTask<Runtime>;

  static constexpr int kLeast = -8;
  static constexpr int kMost = 7;

  explicit PriorityLevels(Duration ageing) noexcept : ageing_(ageing) {}

  bool ages() const noexcept { return !ageing_.is_never(); }
  bool empty() const noexcept { return size_ == 0; }

  void push(QueuedTask& task) noexcept {
    task.ticket = ages() ? now() : 0;
    level(task.priority).push_back(task);
    ++size_;
  }

  void remove(QueuedTask& task) noexcept {
    level(task.priority).remove(task);
    --size_;
  }

  /// The most urgent task, of several the one that has waited longest; null if there is none of at least this urgency.
  QueuedTask* find(std::int64_t least = (std::numeric_limits<std::int64_t>::min)()) const noexcept {
    Continuation* best = nullptr;
    std::int64_t highest = least;
    const std::uint64_t time = ages() ? now() : 0;
    for (int priority = kMost; priority >= kLeast; --priority) {
      Continuation* const first = levels_[priority - kLeast].front();
      if (first == nullptr) {
        continue;
      }
      const std::int64_t urgency = priority + waited(*first, time);
      if (urgency > highest || (urgency == highest && (best == nullptr || first->ticket < best->ticket))) {
        best = first;
        highest = urgency;
      }
    }
    return static_cast<QueuedTask*>(best);
  }

  /// Of the tasks of the lowest priority, however long they have waited, the oldest one. Not empty.
  QueuedTask& lowest_priority() const noexcept {
    const ContinuationList* list = levels_;
    while (list->empty()) {
      ++list;
    }
    return static_cast<QueuedTask&>(*list->front());
  }

 private:
  ContinuationList& level(int priority) noexcept { return levels_[priority - kLeast]; }
  static std::uint64_t now() noexcept {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count());
  }
  /// In levels.
  std::int64_t waited(const Continuation& task, std::uint64_t time) const noexcept {
    return ages() ? static_cast<std::int64_t>(time - task.ticket) / ageing_.nanoseconds().count() : 0;
  }

  const Duration ageing_;
  ContinuationList levels_[kMost - kLeast + 1];
  std::size_t size_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_PRIORITY_LEVELS_HPP
