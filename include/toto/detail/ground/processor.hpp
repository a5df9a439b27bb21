// SPDX-License-Identifier: MIT
//
// What a thread that spins before it sleeps needs: the number of processors, and a pause. Part of runtime.hpp.

#ifndef TOTO_DETAIL_GROUND_PROCESSOR_HPP
#define TOTO_DETAIL_GROUND_PROCESSOR_HPP

#include <atomic>
#include <thread>

#if defined(_MSC_VER)
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

/// Returns how many threads can run at the same time; 0 if that is unknown. The system is asked once. Not a local
/// static, because its guard may be held by a thread that a fork leaves behind.
inline unsigned processors() noexcept {
  static constinit std::atomic<unsigned> known{0};
  unsigned count = known.load(std::memory_order_relaxed);
  if (count == 0) {
    count = std::thread::hardware_concurrency();
    known.store(count, std::memory_order_relaxed);
  }
  return count;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_PROCESSOR_HPP
