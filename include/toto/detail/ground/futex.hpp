// SPDX-License-Identifier: MIT
//
// A mutex and a parker that sleep on one word of memory, as Linux's futex lets them: without waiting, each costs one
// atomic operation, and a woken thread never runs into a lock. Part of runtime.hpp, which uses them where they are
// available. The mutex is the third one of Drepper's "Futexes are tricky" (2011); the parker is Rust's
// std::thread::park.

#ifndef TOTO_DETAIL_GROUND_FUTEX_HPP
#define TOTO_DETAIL_GROUND_FUTEX_HPP

#if defined(__linux__) && !defined(__SANITIZE_THREAD__)
#define TOTO_DETAIL_FUTEX 1
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)  // it knows the order of the standard's locks, and reports cycles in it
#undef TOTO_DETAIL_FUTEX
#endif
#endif
#endif

#if defined(TOTO_DETAIL_FUTEX)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <ctime>

#include "annotations.hpp"
#include "lean_std.hpp"
#include "system_thread.hpp"

namespace toto::inline v0_1::detail {

/// The call that takes the time as the C library's timespec has it: on 32-bit systems there are two, and the older one
/// would read a time of 64 bits as one that has passed.
#if !defined(SYS_futex)
inline constexpr long kFutex = SYS_futex_time64;
#elif defined(SYS_futex_time64)
inline constexpr long kFutex = sizeof(std::time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex;
#else
inline constexpr long kFutex = SYS_futex;
#endif

/// Sleeps while the word is `expected`, or until the deadline has passed; may return spuriously.
inline void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                       std::chrono::steady_clock::time_point deadline) noexcept {
  std::timespec until{};
  const bool limited = deadline != (std::chrono::steady_clock::time_point::max)();
  if (limited) {
    using Seconds = std::chrono::duration<std::time_t>;
    using Nanoseconds = std::chrono::duration<long, std::nano>;
    const auto time = deadline.time_since_epoch();
    if (time.count() > 0) {
      const auto seconds = std::chrono::duration_cast<Seconds>(time);
      until.tv_sec = seconds.count();
      until.tv_nsec = std::chrono::duration_cast<Nanoseconds>(time - seconds).count();
    }
  }
  // The absolute time of this operation is that of CLOCK_MONOTONIC, which is the steady clock.
  syscall(kFutex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, limited ? &until : nullptr, nullptr,
          FUTEX_BITSET_MATCH_ANY);
}

/// Wakes one sleeper. The word may be gone: at worst another thread wakes spuriously.
inline void futex_wake(const std::atomic<std::uint32_t>& word) noexcept {
  syscall(kFutex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

/// Not recursive. A thread that finds the mutex locked checks it again before it sleeps, because it is never held for
/// long; with growing pauses, so that the thread that uses it can lock it a few times more without losing its cache
/// line.
class TOTO_CAPABILITY("mutex") FutexMutex {
 public:
  void lock() noexcept TOTO_ACQUIRE() {
    if (!try_lock()) [[unlikely]] {
      lock_slowly();
    }
  }
  bool try_lock() noexcept TOTO_TRY_ACQUIRE(true) {
    std::uint32_t seen = kFree;
    // Acquire: pairs with the release in unlock().
    return word_.compare_exchange_strong(seen, kTaken, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() noexcept TOTO_RELEASE() {
    if (word_.exchange(kFree, std::memory_order_release) == kContended) [[unlikely]] {
      futex_wake(word_);
    }
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kTaken = 1;
  static constexpr std::uint32_t kContended = 2;  // locked, and a thread sleeps, or has slept
  // In all 6 us where a pause takes 25 ns: if the mutex is not free by then, its holder is probably not running.
  static constexpr int kLooks = 6;
  static constexpr int kShortestPause = 4;

  TOTO_NOINLINE void lock_slowly() noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
    const int looks = processors() > 1 ? kLooks : 0;
    int pause = kShortestPause;
    for (int look = 0; look < looks; ++look) {
      for (int i = 0; i < pause; ++i) {
        relax();
      }
      if (word_.load(std::memory_order_relaxed) == kFree && try_lock()) {
        return;
      }
      pause *= 2;
    }
    while (word_.exchange(kContended, std::memory_order_acquire) != kFree) {
      futex_wait(word_, kContended, (std::chrono::steady_clock::time_point::max)());
    }
  }

  std::atomic<std::uint32_t> word_{kFree};
};

/// See StdRuntime::Parker.
class FutexParker {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  void park() noexcept { park_until((TimePoint::max)()); }

  bool park_until(TimePoint deadline) noexcept {
    // Acquire, here and below: pairs with the release in unpark().
    std::uint32_t seen = kToken;
    if (word_.compare_exchange_strong(seen, kEmpty, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
    seen = kEmpty;
    if (word_.compare_exchange_strong(seen, kParked, std::memory_order_relaxed, std::memory_order_relaxed)) {
      futex_wait(word_, kParked, deadline);
    }
    return word_.exchange(kEmpty, std::memory_order_acquire) == kToken;
  }

  void unpark() noexcept {
    if (word_.exchange(kToken, std::memory_order_release) == kParked) {
      futex_wake(word_);
    }
  }

  /// Whether the next park() returns at once.
  bool has_token() const noexcept { return word_.load(std::memory_order_relaxed) == kToken; }

 private:
  static constexpr std::uint32_t kEmpty = 0;
  static constexpr std::uint32_t kToken = 1;
  static constexpr std::uint32_t kParked = 2;

  std::atomic<std::uint32_t> word_{kEmpty};
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_FUTEX
#endif  // TOTO_DETAIL_GROUND_FUTEX_HPP
