// SPDX-License-Identifier: MIT
//
// Folder: line. Uses: ground.
// The line of those who wait for something scarce.
//
// PermitLine: a line, first come, first served, of those who wait for a permit: an instance of a pool, room in a queue,
// a turn. Threads, coroutines and tasks wait in the same line. LineWaiter is a place in it, LineThread the place of a
// blocked thread; a coroutine's is a LineJoin (../task/join.hpp), and a task stands in line itself.
//
// The line belongs to an owner, whose mutex guards it, and which defines what a permit is: a Request stores what the
// owner knows of a waiter, and what the owner grants. A waiter leaves the line once, under the mutex: it is granted a
// permit, the line closes, or it withdraws. So a waiter that cannot withdraw any more was granted a permit, or refused.
// proceed() then does what must be done without the mutex, because it runs user code or takes other mutexes.

#ifndef TOTO_DETAIL_LINE_PERMIT_LINE_HPP
#define TOTO_DETAIL_LINE_PERMIT_LINE_HPP

#include <cstddef>
#include <utility>

#include "../ground/annotations.hpp"
#include "../ground/linked_list.hpp"

namespace toto::inline v0_1::detail {

template <class Request>
class LineWaiter {
 public:
  explicit LineWaiter(Request of_waiter) noexcept : request(std::move(of_waiter)) {}
  LineWaiter(const LineWaiter&) = delete;
  LineWaiter& operator=(const LineWaiter&) = delete;

  /// It has left the line, with the permit in its request, or refused. Requires the owner's mutex. Returns true if
  /// nothing else is needed; then the waiter may be gone when the mutex is free. Returns false if proceed() must
  /// follow.
  virtual bool told_locked() noexcept = 0;
  /// Called without the mutex. Returns false if the waiter cannot use the permit; then the caller holds it again. The
  /// waiter may be gone.
  virtual bool proceed() noexcept { return true; }
  /// The reason for its wait may have changed. Requires the owner's mutex.
  virtual void look_again_locked() noexcept {}
  /// Whether the waiter also waits in the child of a fork. Threads do not, because they do not exist there; nor do
  /// tasks, which run in the parent.
  virtual bool survives_fork() const noexcept { return false; }

  // Guarded by the owner's mutex.
  Request request;
  bool waiting = false;  // stands in line
  LineWaiter* next = nullptr;
  LineWaiter* previous = nullptr;

 protected:
  ~LineWaiter() = default;
};

/// Its owner's mutex guards it.
template <class Request>
class PermitLine {
 public:
  using Waiter = LineWaiter<Request>;
  using Waiters = LinkedList<Waiter>;

  bool empty() const noexcept { return waiting_.empty(); }
  std::size_t size() const noexcept { return waiting_.size(); }
  const Waiters& waiting() const noexcept { return waiting_; }
  /// The next waiter. The line is not empty.
  Waiter& first() const noexcept { return *waiting_.front(); }

  /// `again`: ahead of everyone else, because the waiter had left the line with a permit that could not be used.
  void join(Waiter& waiter, bool again = false) noexcept {
    waiter.waiting = true;
    again ? waiting_.push_front(waiter) : waiting_.push_back(waiter);
  }
  /// Returns false if the waiter is no longer in line.
  bool withdraw(Waiter& waiter) noexcept {
    const bool waited = std::exchange(waiter.waiting, false);
    if (waited) {
      waiting_.remove(waiter);
    }
    return waited;
  }
  /// The first one leaves with the permit in its request. Returns it if its proceed() has to follow, or null.
  Waiter* grant() noexcept {
    Waiter& waiter = waiting_.pop_front();
    waiter.waiting = false;
    return waiter.told_locked() ? nullptr : &waiter;
  }
  /// All leave without a permit. Returns those for which tell() has to follow.
  Waiters close() noexcept {
    Waiters refused;
    while (!waiting_.empty()) {
      if (Waiter* const waiter = grant()) {
        refused.push_back(*waiter);
      }
    }
    return refused;
  }
  /// Without the mutex.
  static void tell(Waiters& told) noexcept {
    while (!told.empty()) {
      told.pop_front().proceed();
    }
  }
  void look_again() noexcept {
    for (Waiter* waiter = waiting_.front(); waiter != nullptr; waiter = waiter->next) {
      waiter->look_again_locked();
    }
  }
  /// In the child of a fork.
  void forget_lost() noexcept {
    for (Waiter* waiter = waiting_.front(); waiter != nullptr;) {
      Waiter* const after = waiter->next;
      if (!waiter->survives_fork()) {
        withdraw(*waiter);
      }
      waiter = after;
    }
  }

 private:
  Waiters waiting_;  // the next one first
};

/// A blocked thread; lives on that thread's stack.
template <class Runtime, class Request>
class LineThread final : public LineWaiter<Request> {
 public:
  using TimePoint = typename Runtime::Clock::time_point;
  using LineWaiter<Request>::LineWaiter;

  bool told_locked() noexcept override {
    parker_.unpark();
    return true;
  }
  void look_again_locked() noexcept override { parker_.unpark(); }

  /// Waits in line until it is notified, or returns false when the deadline has passed. `look()` is called without the
  /// mutex, before it sleeps and whenever it must look again.
  /// Throws: what `look` throws, unless the thread was notified meanwhile; it has left the line then.
  template <class Mutex, class Look>
  bool wait(Mutex& mutex, PermitLine<Request>& line, TimePoint deadline, Look look, bool again = false)
      TOTO_REQUIRES(mutex) TOTO_NO_THREAD_SAFETY_ANALYSIS {
    line.join(*this, again);
    while (this->waiting) {
      if (deadline != (TimePoint::max)() && Runtime::Clock::now() >= deadline) {
        return !line.withdraw(*this);
      }
      mutex.unlock();
      try {
        look();
      } catch (...) {
        mutex.lock();
        if (line.withdraw(*this)) {
          throw;
        }
        return true;
      }
      parker_.park_until(deadline);
      mutex.lock();
    }
    return true;
  }

 private:
  typename Runtime::Parker parker_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_LINE_PERMIT_LINE_HPP
