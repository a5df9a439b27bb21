// SPDX-License-Identifier: MIT
//
// Room: the bound of a queue: how many tasks may wait, how much of that is reserved, and who stands in line for it.
// Read next: ../line/permit_line.hpp.
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.R1]):
//  R1  Queued tasks plus reserved room exceed the bound only by tasks that were added beyond it on purpose.
//  R2  Room goes to those who have waited longest; while there are waiters, no one else gets any.

#ifndef TOTO_DETAIL_QUEUE_ROOM_HPP
#define TOTO_DETAIL_QUEUE_ROOM_HPP

#include <cstddef>
#include <utility>

#include "../line/permit_line.hpp"

namespace toto::inline v0_1::detail {

/// Of whoever has stood in line for room.
struct RoomRequest {
  bool granted = false;  // it has reserved room; if not, the queue has closed
};
using RoomWaiter = LineWaiter<RoomRequest>;

/// Thread safety: Requires the queue's mutex, except limit(). `queued`: the number of queued tasks.
class Room {
 public:
  using Line = PermitLine<RoomRequest>;

  explicit Room(std::size_t limit) noexcept : limit_(limit) {}

  std::size_t limit() const noexcept { return limit_; }
  std::size_t reserved() const noexcept { return reserved_; }
  Line& line() noexcept { return line_; }
  const Line& line() const noexcept { return line_; }

  /// Whether there is room for a new task now.
  bool available(std::size_t queued) const noexcept { return fits(queued) && line_.empty(); }
  bool reserve(std::size_t queued) noexcept {
    const bool reserved = available(queued);
    reserved_ += reserved ? 1U : 0U;
    return reserved;
  }
  void reserve_beyond_limit() noexcept { ++reserved_; }
  void give_back(bool& reserved) noexcept {
    if (std::exchange(reserved, false) && reserved_ > 0) {  // none in the child of a fork
      --reserved_;
    }
  }
  /// A task that is queued now takes the reserved place, so it is counted there.
  void fill(bool& reserved) noexcept { give_back(reserved); }

  /// Reserves what there is for those in line, or refuses them. Returns those for which Line::tell() has to follow.
  Line::Waiters grant(std::size_t queued, bool closed) noexcept {
    Line::Waiters told;
    while (!line_.empty() && (closed || fits(queued))) {
      line_.first().request.granted = !closed;
      reserved_ += closed ? 0U : 1U;
      if (RoomWaiter* const waiter = line_.grant()) {
        told.push_back(*waiter);
      }
    }
    return told;
  }

  /// In the child of a fork.
  void forget() noexcept {
    reserved_ = 0;
    line_.forget_lost();
  }

 private:
  bool fits(std::size_t queued) const noexcept { return queued + reserved_ < limit_; }

  const std::size_t limit_;  // the largest number: none
  std::size_t reserved_ = 0;
  Line line_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_ROOM_HPP
