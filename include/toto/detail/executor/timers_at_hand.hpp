// SPDX-License-Identifier: MIT
//
// TimersAtHand: access to the process's TimerService, if it exists, for files that do not compile it.
// Read next: timer.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_TIMERS_AT_HAND_HPP
#define TOTO_DETAIL_EXECUTOR_TIMERS_AT_HAND_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>

#include "../ground/annotations.hpp"
#include "timer_heap.hpp"

namespace toto::inline v0_1::detail {

/// The part of the TimerService's interface that can be used without compiling the service.
template <class Runtime>
class TimerServiceBase {
 public:
  virtual ~TimerServiceBase() = default;
  virtual void add(TimerNode<Runtime>& node, ExecutorCore<Runtime>* home) = 0;
  virtual void stop() noexcept = 0;

  /// The timer thread is about to call post() of a user's own executor, or has returned from it.
  virtual void enter_post() noexcept = 0;
  virtual void leave_post() noexcept = 0;
  /// Waits until the timer thread has returned from the post() that it is in. Returns false if the deadline has passed
  /// before.
  virtual bool wait_until_posted(typename Runtime::Clock::time_point deadline) noexcept = 0;
  virtual void rest_until(typename Runtime::Clock::time_point deadline) noexcept = 0;
};

/// Where the TimerService is found, once the program has used a timer; before that, there is none. At the end of the
/// process this stops it, before anything older than this is destroyed. So whatever may need timers later creates this
/// object first.
template <class Runtime>
class TimersAtHand {
 public:
  using Service = TimerServiceBase<Runtime>;

  static TimersAtHand& instance() { return Runtime::template global<TimersAtHand>(); }

  TimersAtHand() {
    Runtime::at_exit([] { instance().end(); });
  }
  /// Called only under the simulator, at the end of a schedule.
  ~TimersAtHand() { delete service(); }

  /// Whether the calling thread is the timer thread.
  static bool& is_this_thread() noexcept { return Runtime::template Local<bool, TimersAtHand>::get(); }

  /// Null: there is no service yet.
  Service* service() const noexcept { return service_.load(std::memory_order_acquire); }

  /// Returns the service: the given one, from now on, if there was none.
  Service* propose(Service* made) noexcept {
    Service* before = nullptr;
    if (!service_.compare_exchange_strong(before, made, std::memory_order_seq_cst, std::memory_order_acquire)) {
      return before;
    }
    if (ended_.load(std::memory_order_seq_cst)) {  // pairs with end(): one of the two sees the other
      made->stop();
    }
    return made;
  }

 private:
  void end() noexcept {
    ended_.store(true, std::memory_order_seq_cst);
    if (Service* const last = service_.load(std::memory_order_seq_cst)) {
      last->stop();
    }
  }

  typename Runtime::template Atomic<Service*> service_{nullptr};
  typename Runtime::template Atomic<bool> ended_{false};
};

/// Exists while a thread is in post() of a user's own executor. Workers are joined before their queue has ended; the
/// timer thread cannot be joined, but one can wait until it has returned.
template <class Runtime>
class InPost {
 public:
  InPost() noexcept
      : timers_(TimersAtHand<Runtime>::is_this_thread() ? TimersAtHand<Runtime>::instance().service() : nullptr) {
    if (timers_ != nullptr) {
      timers_->enter_post();
    }
  }
  ~InPost() {
    if (timers_ != nullptr) {
      timers_->leave_post();
    }
  }
  InPost(const InPost&) = delete;
  InPost& operator=(const InPost&) = delete;

 private:
  TimerServiceBase<Runtime>* const timers_;
};

/// For an object that ends, or reports that everything has ended: once this has returned, no thread is in post() of an
/// executor because of something that was resumed, or destroyed, before. False: not by the deadline.
/// Blocks: for the rest of one call of post(), unless this is the timer thread.
template <class Runtime>
bool wait_until_posted(typename Runtime::Clock::time_point deadline = (Runtime::Clock::time_point::max)()) noexcept {
  if (TimersAtHand<Runtime>::is_this_thread()) {
    return true;
  }
  auto* const timers = TimersAtHand<Runtime>::instance().service();
  return timers == nullptr || timers->wait_until_posted(deadline);
}

/// Lets the timer thread run `node` at once, because no other thread is left to do it. False: there is no memory for
/// that, no thread, or no service.
template <class Runtime>
TOTO_COLD bool run_on_timers(Continuation& node) noexcept {
  struct Stray : TimerNode<Runtime> {
    Continuation* node = nullptr;
  };
  auto* const service = TimersAtHand<Runtime>::instance().service();
  std::unique_ptr<Stray> stray(service != nullptr ? new (std::nothrow) Stray : nullptr);
  if (stray == nullptr) {
    return false;
  }
  stray->node = &node;
  stray->deadline = Runtime::Clock::now();
  stray->run = [](Continuation& timer, Turn) noexcept {
    const std::unique_ptr<Stray> self(&static_cast<Stray&>(timer));
    self->node->run(*self->node, Turn::on_executor);
  };
  try {
    service->add(*stray, nullptr);
  } catch (...) {
    return false;
  }
  static_cast<void>(stray.release());  // it frees itself
  return true;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_TIMERS_AT_HAND_HPP
