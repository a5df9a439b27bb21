// SPDX-License-Identifier: MIT
//
// Lane: a separate limit over a queue's threads. At most `limit` of its tasks are in the queue proper or run; the
// others wait in the lane, in order, and hold no thread. A view with a limit is a lane, an AwaitableInstance a lane of
// one.
//
// Invariants (docs/design.md argues them; tests cite them as [inv.L1]):
//  L1  `admitted` counts the tasks that have a turn, those of the lane that run or stand in the queue proper, and
//      never exceeds `limit`.
//  L2  A task that leaves the lane lets in the one that has waited longest. As long as one waits, all turns are taken.

#ifndef TOTO_DETAIL_QUEUE_LANE_HPP
#define TOTO_DETAIL_QUEUE_LANE_HPP

#include <cstddef>
#include <string>
#include <utility>

#include "../executor/continuation.hpp"
#include "../ground/ref.hpp"

namespace toto::inline v0_1::detail {

/// Its queue's mutex guards what can change. As a Continuation it stands in the Order's list of lanes in which tasks
/// wait; it is never run.
template <class Runtime>
class Lane final : public RefCounted<Runtime>, public Continuation {
 public:
  explicit Lane(std::size_t limit_of_lane, std::string name_of_lane = {}) noexcept
      : limit(limit_of_lane), name(std::move(name_of_lane)) {}

  const std::size_t limit;
  const std::string name;
  std::size_t admitted = 0;  // turns that are taken
  ContinuationList waiting;

  /// How many forks the queue has been through, as the child's. Tasks that were here before the last fork are gone.
  /// `mine`: how many turns the forking thread has.
  void come_through(std::size_t queues_forks, std::size_t mine = 0) noexcept {
    if (std::exchange(forks_, queues_forks) != queues_forks) {
      admitted = mine;
      waiting = {};
    }
  }

 protected:
  ~Lane() override = default;

 private:
  std::size_t forks_ = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_LANE_HPP
