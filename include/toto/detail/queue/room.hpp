// SPDX-License-Identifier: MIT
//
// Room: the bound of a queue: how many tasks may wait, how much of that is booked, and who waits for it.
// RoomWaiter: a place in that line.
//
// Invariants (docs/design.md argues them; tests cite them as [inv.R1]):
//  R1  Queued tasks plus booked room exceed the bound only by tasks that were added beyond it on purpose.
//  R2  Room goes to those who have waited longest; while there are waiters, no one else gets any.

#ifndef TOTO_DETAIL_QUEUE_ROOM_HPP
#define TOTO_DETAIL_QUEUE_ROOM_HPP

#include <cstddef>
#include <limits>
#include <utility>

#include "../../options.hpp"
#include "../ground/annotations.hpp"
#include "../ground/linked_list.hpp"

namespace toto::inline v0_1::detail {

/// A thread or a coroutine. The queue's mutex guards it.
template <class Runtime>
class RoomWaiter {
 public:
  RoomWaiter() = default;
  RoomWaiter(const RoomWaiter&) = delete;
  RoomWaiter& operator=(const RoomWaiter&) = delete;

  /// Under the queue's mutex, after the waiter has left the line: it has booked room now if `granted`, or else the
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

/// A thread that sleeps until it is notified.
template <class Runtime>
class ThreadInLine final : public RoomWaiter<Runtime> {
 public:
  bool tell_locked() noexcept override {
    parker.unpark();
    return true;
  }
  typename Runtime::Parker parker;
};

/// Thread safety: requires the queue's mutex, except bounded() and limit(). `queued`: how many tasks are.
template <class Runtime>
class Room {
 public:
  using Waiter = RoomWaiter<Runtime>;
  using Waiters = LinkedList<Waiter>;

  explicit Room(std::size_t limit) noexcept : limit_(limit) {}

  bool bounded() const noexcept { return limit_ != (std::numeric_limits<std::size_t>::max)(); }
  std::size_t limit() const noexcept { return limit_; }
  std::size_t booked() const noexcept { return booked_; }
  const Waiters& line() const noexcept { return line_; }

  /// There is some for whoever comes now.
  bool available(std::size_t queued) const noexcept { return fits(queued) && line_.empty(); }
  bool book(std::size_t queued) noexcept {
    const bool booked = available(queued);
    booked_ += booked ? 1U : 0U;
    return booked;
  }
  void book_beyond_limit() noexcept { ++booked_; }
  /// Releases it, or notes that it is filled now.
  void unbook(bool& booked) noexcept {
    if (std::exchange(booked, false) && booked_ > 0) {  // none in the child of a fork
      --booked_;
    }
  }

  void stand_in_line(Waiter& waiter) noexcept {
    waiter.waiting = true;
    line_.push_back(waiter);
  }
  void leave_line(Waiter& waiter) noexcept {
    if (std::exchange(waiter.waiting, false)) {
      line_.remove(waiter);
    }
  }
  /// Those whose proceed() is to be called without the mutex.
  Waiters grant(std::size_t queued, bool closed) noexcept {
    Waiters told;
    while (!line_.empty() && (closed || fits(queued))) {
      Waiter& waiter = line_.pop_front();
      waiter.waiting = false;
      waiter.granted = !closed;
      booked_ += waiter.granted ? 1U : 0U;
      if (!waiter.tell_locked()) {
        told.push_back(waiter);
      }
    }
    return told;
  }

  /// In the child of a fork: the threads in line are gone, and coroutines find their queue as good as closed.
  void forget() noexcept {
    booked_ = 0;
    while (!line_.empty()) {
      line_.pop_front().waiting = false;
    }
  }

 private:
  bool fits(std::size_t queued) const noexcept { return !bounded() || queued + booked_ < limit_; }

  const std::size_t limit_;
  std::size_t booked_ = 0;
  Waiters line_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_ROOM_HPP
