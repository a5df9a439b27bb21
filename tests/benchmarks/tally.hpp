// SPDX-License-Identifier: MIT
//
// Tally: counts the tasks that have run, on any number of threads, at the price of a plain increment, so that counting
// does not decide a contest: each thread has a cell of its own, and whoever waits adds them up.

#ifndef TOTO_BENCHMARKS_TALLY_HPP
#define TOTO_BENCHMARKS_TALLY_HPP

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace benchmark {

/// One thread's count, on cache lines of its own.
struct alignas(128) TallyCell {
  std::atomic<std::uint64_t> count{0};
};

/// The process's count of tasks that have run. Never falls.
class Tally {
 public:
  /// Thread-safe.
  static void add(std::uint64_t count) noexcept {
    std::atomic<std::uint64_t>& mine = *cell();
    // The only writer is this thread. Release: pairs with the acquire load in total().
    mine.store(mine.load(std::memory_order_relaxed) + count, std::memory_order_release);
  }

  /// Thread-safe.
  static std::uint64_t total() noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < used_.load(std::memory_order_relaxed) && i < kThreads; ++i) {
      sum += cells_[i].count.load(std::memory_order_acquire);
    }
    return sum;
  }

  /// Blocks: until the total is `goal`; looks each 20 us.
  static void wait_for(std::uint64_t goal) {
    while (total() < goal) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

 private:
  static constexpr std::size_t kThreads = 4096;  // that ever count in one process

  static std::atomic<std::uint64_t>* cell() noexcept {
    if (mine_ == nullptr) {
      const std::size_t index = used_.fetch_add(1, std::memory_order_relaxed);
      if (index >= kThreads) {
        std::fprintf(stderr, "more than %zu threads count\n", kThreads);
        std::abort();
      }
      mine_ = &cells_[index].count;
    }
    return mine_;
  }

  static inline std::array<TallyCell, kThreads> cells_;
  static inline std::atomic<std::size_t> used_{0};
  static inline constinit thread_local std::atomic<std::uint64_t>* mine_ = nullptr;
};

/// A task with a capture of 24 bytes that counts itself.
struct CountedTask {
  std::uint64_t a;
  std::uint64_t b;
  std::uint64_t c;

  static CountedTask number(std::uint64_t i) noexcept { return {i, i + 1, 0}; }
  void operator()() const noexcept { Tally::add(b - a + c); }
};
static_assert(sizeof(CountedTask) == 24);

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_TALLY_HPP
