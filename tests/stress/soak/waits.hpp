// SPDX-License-Identifier: MIT
//
// Waits: how long tasks have waited for a thread, and which have for too long. Time in which the whole process stood
// still (SIGSTOP, a machine that was suspended) does not count: a thread of its own, Pulse, notices it.

#ifndef TOTO_TESTS_STRESS_SOAK_WAITS_HPP
#define TOTO_TESTS_STRESS_SOAK_WAITS_HPP

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace toto_soak {

using Clock = std::chrono::steady_clock;

/// Thread-safe, except where it says otherwise.
class Waits {
 public:
  /// One task that waits. Slot 0 means none: the number of slots is limited.
  struct Mark {
    std::int64_t since = 0;  // nanoseconds of the clock
    std::uint32_t slot = 0;
  };

  static Waits& get() {
    static Waits waits;
    return waits;
  }

  Mark begin() noexcept {
    const std::int64_t since = now();
    static std::atomic<std::uint32_t> hint{0};
    for (int attempt = 0; attempt < 8; ++attempt) {
      const std::uint32_t slot = 1 + hint.fetch_add(1, std::memory_order_relaxed) % (kSlots - 1U);
      std::int64_t free = 0;
      if (slots_[slot].compare_exchange_strong(free, since, std::memory_order_relaxed)) {
        return {since, slot};
      }
    }
    return {since, 0};
  }
  void forget(Mark mark) noexcept {
    if (mark.slot != 0) {
      slots_[mark.slot].store(0, std::memory_order_relaxed);
    }
  }
  void end(Mark mark) {
    forget(mark);
    const std::int64_t until = now();
    if (until - mark.since > kWorthALook) {
      const std::lock_guard lock(mutex_);
      long_.emplace_back(mark.since, until);
    } else {
      std::int64_t longest = longest_.load(std::memory_order_relaxed);
      while (until - mark.since > longest &&
             !longest_.compare_exchange_weak(longest, until - mark.since, std::memory_order_relaxed)) {
      }
    }
  }

  /// Nothing ran in that time.
  void stood_still(Clock::time_point from, Clock::time_point to) {
    const std::lock_guard lock(mutex_);
    still_.emplace_back(count(from), count(to));
  }

  /// The longest that a task has waited or is waiting until `until`, without the time in which nothing ran, since the
  /// call before. stood_still() has to have been told of all such time before `until`.
  std::chrono::nanoseconds take_longest(Clock::time_point until) {
    std::int64_t longest = longest_.exchange(0, std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    const auto later =
        std::partition(long_.begin(), long_.end(), [&](const auto& wait) { return wait.second <= count(until); });
    std::vector<std::pair<std::int64_t, std::int64_t>> over(long_.begin(), later);
    long_.erase(long_.begin(), later);
    for (const auto& slot : slots_) {
      if (const std::int64_t since = slot.load(std::memory_order_relaxed); since != 0) {
        over.emplace_back(since, count(until));
      }
    }
    for (const auto& [since, end] : over) {
      std::int64_t length = end - since;
      for (const auto& [from, to] : still_) {
        length -= std::max<std::int64_t>(0, std::min(to, end) - std::max(from, since));
      }
      longest = std::max(longest, length);
    }
    return std::chrono::nanoseconds(longest);
  }

 private:
  static constexpr std::uint32_t kSlots = 1U << 14U;
  static constexpr std::int64_t kWorthALook = 250'000'000;

  static std::int64_t count(Clock::time_point time) noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  }
  static std::int64_t now() noexcept { return count(Clock::now()); }

  std::array<std::atomic<std::int64_t>, kSlots> slots_{};
  std::atomic<std::int64_t> longest_{0};
  std::mutex mutex_;  // guards what follows
  std::vector<std::pair<std::int64_t, std::int64_t>> long_;
  std::vector<std::pair<std::int64_t, std::int64_t>> still_;
};

/// A thread that ticks, and so notices when nothing runs.
class Pulse {
 public:
  Pulse() : thread_([this] { run(); }) {}
  ~Pulse() {
    stop_ = true;
    thread_.join();
  }
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  /// How long the process has stood still in all.
  Clock::duration lost() const { return Clock::duration(lost_); }

  /// Waits until it has noticed all standing still before now, and returns that time.
  Clock::time_point catch_up() const {
    const auto until = Clock::now();
    while (Clock::time_point(Clock::duration(seen_)) < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return until;
  }

 private:
  static constexpr std::chrono::seconds kGap{1};

  void run() {
    for (auto before = Clock::now(); !stop_;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      const auto now = Clock::now();
      if (now - before > kGap) {
        Waits::get().stood_still(before, now);
        lost_ += (now - before).count();
      }
      before = now;
      seen_ = now.time_since_epoch().count();
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<Clock::rep> lost_{0};
  std::atomic<Clock::rep> seen_{0};  // up to here
  std::thread thread_;               // last: uses the others
};

}  // namespace toto_soak

#endif  // TOTO_TESTS_STRESS_SOAK_WAITS_HPP
