// SPDX-License-Identifier: MIT
//
// RoomWaiter: a place in the line of those who wait for room in a bounded queue. Read next: queue_bound.hpp.

#ifndef TOTO_DETAIL_QUEUE_ROOM_WAITER_HPP
#define TOTO_DETAIL_QUEUE_ROOM_WAITER_HPP

#include "../ground/annotations.hpp"

namespace toto::inline v0_1::detail {

/// A thread or a coroutine. The queue's mutex guards it.
template <class Runtime>
class RoomWaiter {
 public:
  RoomWaiter() = default;
  RoomWaiter(const RoomWaiter&) = delete;
  RoomWaiter& operator=(const RoomWaiter&) = delete;

  /// Under the queue's mutex, after the waiter has left the line: it has a reservation now if `granted`, or else the
  /// queue has closed. True: that was all, and the waiter may be gone when the mutex is free. False: proceed() follows.
  virtual bool tell_locked() noexcept = 0;
  /// Without the mutex. The waiter may be gone then.
  virtual void proceed() noexcept {}

  bool waiting = false;
  bool granted = false;
  RoomWaiter* next = nullptr;
  RoomWaiter* previous = nullptr;

 protected:
  ~RoomWaiter() = default;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_ROOM_WAITER_HPP
