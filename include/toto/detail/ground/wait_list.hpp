// SPDX-License-Identifier: MIT
//
// WaitList: threads that sleep until something guarded by a mutex changes, like a condition variable, but each thread
// sleeps on its own parker, on its own stack.

#ifndef TOTO_DETAIL_GROUND_WAIT_LIST_HPP
#define TOTO_DETAIL_GROUND_WAIT_LIST_HPP

#include "annotations.hpp"

namespace toto::inline v0_1::detail {

/// Guarded by the mutex that guards what the threads wait for. Trivial, so that it fits where space is short.
template <class Runtime>
class WaitList {
 public:
  using TimePoint = typename Runtime::Clock::time_point;

  bool empty() const noexcept { return first_ == nullptr; }

  /// Unlocks the mutex, sleeps until `done()` is true or the deadline has passed, and returns `done()`, with the
  /// mutex held. `done` is called with the mutex held, before the first sleep and after each wake-up.
  template <class Predicate>
  bool wait_until(typename Runtime::Mutex& mutex, TimePoint deadline, Predicate done)
      TOTO_REQUIRES(mutex) TOTO_NO_THREAD_SAFETY_ANALYSIS {  // `done` names the mutex in its own words
    while (!done()) {
      if (!wait_once(mutex, deadline)) {
        return done();
      }
    }
    return true;
  }

  template <class Predicate>
  void wait(typename Runtime::Mutex& mutex, Predicate done) TOTO_REQUIRES(mutex) {
    wait_until(mutex, (TimePoint::max)(), done);
  }

  /// Wakes every sleeper, to test its condition again. Called with the mutex held.
  void notify_all() noexcept {
    for (Sleeper* sleeper = first_; sleeper != nullptr; sleeper = sleeper->next) {
      sleeper->parker.unpark();
    }
  }

 private:
  struct Sleeper {
    typename Runtime::Parker parker;
    Sleeper* next;
  };

  /// Unlocks the mutex and sleeps once. Returns false if the deadline has passed. Not compiled anew for each predicate.
  TOTO_NOINLINE bool wait_once(typename Runtime::Mutex& mutex, TimePoint deadline)
      TOTO_REQUIRES(mutex) TOTO_NO_THREAD_SAFETY_ANALYSIS {
    Sleeper self{{}, first_};
    first_ = &self;
    mutex.unlock();
    self.parker.park_until(deadline);
    mutex.lock();
    remove(self);  // with the mutex held: a notifier is never left with a sleeper that has gone
    return deadline == (TimePoint::max)() || Runtime::Clock::now() < deadline;
  }

  void remove(const Sleeper& sleeper) noexcept {
    Sleeper** link = &first_;
    while (*link != &sleeper) {
      link = &(*link)->next;
    }
    *link = sleeper.next;
  }

  Sleeper* first_ = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_WAIT_LIST_HPP
