// SPDX-License-Identifier: MIT
//
// What `co_await pool.lease_for(limit)` awaits: a lease, and a timer that takes the coroutine out of the line.
// Whichever is first continues it; the other finds it gone. Read next: lease_awaiter.hpp, timer.hpp.

#ifndef TOTO_DETAIL_POOL_TIMED_LEASE_HPP
#define TOTO_DETAIL_POOL_TIMED_LEASE_HPP

#include <coroutine>
#include <utility>

#include "../../duration.hpp"
#include "../executor/timer.hpp"
#include "lease_awaiter.hpp"

namespace toto::inline v0_1::detail {

/// With a limit, which a timer watches from the moment the coroutine is suspended.
template <class T, class Runtime>
class [[nodiscard("co_await it: calling lease_for alone takes no instance")]] TimedLeaseAwaiter
    : public LeaseAwaiter<T, Runtime> {
 public:
  TimedLeaseAwaiter(Ref<PoolCore<Runtime>> pool, Duration limit, CallSite where) noexcept
      : LeaseAwaiter<T, Runtime>(std::move(pool), where), limit_(limit) {}
  TimedLeaseAwaiter(TimedLeaseAwaiter&& other) noexcept
      : LeaseAwaiter<T, Runtime>(std::move(other)), limit_(other.limit_) {}
  TimedLeaseAwaiter& operator=(TimedLeaseAwaiter&&) = delete;
  ~TimedLeaseAwaiter() { stop_timer(); }

  bool await_ready() {
    stop_timer();
    return LeaseAwaiter<T, Runtime>::await_ready();
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    return this->suspend(coroutine, limit_, [this](LeaseWait<Runtime>& wait) { start_timer(wait); });
  }

 private:
  struct Timer : TimerNode<Runtime> {
    LeaseWait<Runtime>* wait = nullptr;
  };

  /// Throws: std::bad_alloc, std::system_error.
  void start_timer(LeaseWait<Runtime>& wait) {
    const auto now = Runtime::Clock::now();
    timer_.deadline = limit_.after(now);
    if (timer_.deadline <= now) {
      wait.expire();
    } else if (!limit_.is_never()) {
      timer_.run = [](Continuation& node, Turn) noexcept { static_cast<Timer&>(node).wait->expire(); };
      timer_.wait = &wait;
      TimerService<Runtime>::instance().add(timer_, nullptr);
      armed_ = true;  // the coroutine is not in line yet: this is still here
    }
  }
  /// From its return the wait is not touched by the timer any more.
  void stop_timer() noexcept {
    if (std::exchange(armed_, false)) {
      TimerService<Runtime>::instance().remove(timer_, nullptr);
    }
  }

  const Duration limit_;
  Timer timer_;
  bool armed_ = false;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_TIMED_LEASE_HPP
