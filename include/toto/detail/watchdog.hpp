// SPDX-License-Identifier: MIT
//
// Watchdog: tells when tasks are queued and none has begun for some time: every thread is busy, or stuck. It looks once
// in each period, on the thread of the timers.

#ifndef TOTO_DETAIL_WATCHDOG_HPP
#define TOTO_DETAIL_WATCHDOG_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "../duration.hpp"
#include "../observer.hpp"
#include "timer.hpp"

namespace toto::inline v0::detail {

template <class Runtime>
class QueueCore;

/// Lifetime: the queue destroys it before it ends.
template <class Runtime>
class Watchdog final : private TimerNode<Runtime> {
 public:
  using Clock = typename Runtime::Clock;

  /// Throws: std::bad_alloc, std::system_error.
  Watchdog(QueueCore<Runtime>& core, Duration period) : core_(core), period_(period), progress_(Clock::now()) {
    this->run = [](Continuation& node, Turn) noexcept { static_cast<Watchdog&>(node).look(); };
    this->deadline = period.after(progress_);
    TimerService<Runtime>::instance().add(*this, nullptr);
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() { TimerService<Runtime>::instance().remove(*this, nullptr); }

 private:
  void look() noexcept {
    const auto now = Clock::now();
    if (const std::size_t queued = core_.starving(begun_)) {
      report(queued, now - progress_);
    } else {
      progress_ = now;
    }
    this->deadline = period_.after(now);
    try {
      TimerService<Runtime>::instance().add(*this, nullptr);
    } catch (...) {
      std::fprintf(stderr, "toto: no memory for the watchdog of queue '%s'\n", core_.name().c_str());
    }
  }

  void report(std::size_t queued, Duration since) const noexcept {
    if (QueueObserver* const observer = core_.observer()) {
      observer->queue_starving(core_.name(), queued, since);
    } else {
      std::fprintf(stderr, "toto: queue '%s' starves: %zu task(s) wait, and none has begun for %.1f s\n",
                   core_.name().c_str(), queued, std::chrono::duration<double>(since.nanoseconds()).count());
    }
  }

  QueueCore<Runtime>& core_;
  const Duration period_;
  std::uint64_t begun_ = 0;
  typename Clock::time_point progress_;
};

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_WATCHDOG_HPP
