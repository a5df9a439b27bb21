// SPDX-License-Identifier: MIT
//
// What a thread that spins before it sleeps needs: the number of processors, and a pause. Part of runtime.hpp.

#ifndef TOTO_DETAIL_GROUND_PROCESSOR_HPP
#define TOTO_DETAIL_GROUND_PROCESSOR_HPP

#include <atomic>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#elif defined(_MSC_VER)
#include <intrin.h>
#endif

namespace toto::inline v0_1::detail {

/// Hints to the processor that this thread is polling a flag. On AArch64 `yield` does nothing on most processors;
/// Rust's std::hint::spin_loop uses `isb`, which takes about as long as a pause elsewhere.
inline void relax() noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_pause();
#elif defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// Returns how many of the program's threads can run at the same time; 0 if that is unknown. On Linux a program can be
/// confined to some of the processors (taskset, containers), which hardware_concurrency() does not tell.
inline unsigned count_processors() noexcept {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    return static_cast<unsigned>(CPU_COUNT(&allowed));
  }
#endif
  return std::thread::hardware_concurrency();
}

/// The system is asked once. Not a local static, because its guard may be held by a thread that a fork leaves behind.
inline unsigned processors() noexcept {
  static constinit std::atomic<unsigned> known{0};
  unsigned count = known.load(std::memory_order_relaxed);
  if (count == 0) {
    count = detail::count_processors();
    known.store(count, std::memory_order_relaxed);
  }
  return count;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_PROCESSOR_HPP
