// SPDX-License-Identifier: MIT
//
// Watchdog: reports when tasks have been queued and none has begun for some time: every thread is busy, or stuck. It
// checks once per period, on the timer thread, so it reports within two periods.

#ifndef TOTO_DETAIL_QUEUE_WATCHDOG_HPP
#define TOTO_DETAIL_QUEUE_WATCHDOG_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "../../duration.hpp"
#include "../../observer.hpp"
#include "../../stats.hpp"
#include "../executor/timer.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class QueueCore;

/// Lifetime: the queue destroys it before it ends.
template <class Runtime>
class Watchdog final : public RefCounted<Runtime>, private TimerNode<Runtime> {
 public:
  using Clock = typename Runtime::Clock;

  /// Throws: std::bad_alloc, std::system_error.
  TOTO_COLD Watchdog(QueueCore<Runtime>& core, Duration period) : core_(core), period_(period), since_(Clock::now()) {
    this->run = [](Continuation& node, Turn) noexcept { static_cast<Watchdog&>(node).look(); };
    this->deadline = period.after(since_);
    TimerService<Runtime>::instance().add(*this, nullptr);
  }
  TOTO_COLD ~Watchdog() override { TimerService<Runtime>::instance().remove(*this, nullptr); }

 private:
  TOTO_COLD void look() noexcept {
    // This thread may be held up at any point: the time is read before what it ends with, and after what it begins
    // with.
    const auto before = Clock::now();
    const QueueStats seen = counts();
    const auto after = Clock::now();
    if (is_stuck(first_, seen)) {
      report(static_cast<std::size_t>(seen.queued), before - since_);
    } else {
      first_ = seen;
      since_ = after;
    }
    this->deadline = period_.after(after);
    try {
      TimerService<Runtime>::instance().add(*this, nullptr);
    } catch (...) {
      std::fprintf(stderr, "toto: no memory for the watchdog of queue '%s'\n", core_.name().c_str());
    }
  }

  QueueStats counts() const noexcept {
    const Lock lock(core_.mutex());
    return core_.ledger().stats(core_.crew().all(), core_.order().tasks());
  }
  static std::uint64_t begun(const QueueStats& counts) noexcept {
    return counts.submitted - counts.cancelled - counts.queued;
  }
  /// No task has begun since, and one that was queued then still is: not all of them can have been cancelled.
  static bool is_stuck(const QueueStats& earlier, const QueueStats& now) noexcept {
    return begun(now) == begun(earlier) && now.cancelled - earlier.cancelled < earlier.queued;
  }

  void report(std::size_t queued, Duration since) const noexcept {
    if (QueueObserver* const observer = core_.observer()) {
      observer->queue_starving(core_.name(), queued, since);
    } else {
      std::string running;
      try {
        core_.task_list().name_longest_running(running);
      } catch (...) {  // no memory: it is not reported
      }
      std::fprintf(stderr, "toto: queue '%s' is starved: %zu task(s) are waiting, and none has begun for %.1f s%s\n",
                   core_.name().c_str(), queued, std::chrono::duration<double>(since.nanoseconds()).count(),
                   running.c_str());
    }
  }

  QueueCore<Runtime>& core_;
  const Duration period_;
  QueueStats first_;  // what it saw at `since_`: all that it has seen afterwards stands since then
  typename Clock::time_point since_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_WATCHDOG_HPP
