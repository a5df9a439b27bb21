// SPDX-License-Identifier: MIT
//
// What a thread that looks again before it sleeps has to know, and to say. Part of runtime.hpp.

#ifndef TOTO_DETAIL_PROCESSOR_HPP
#define TOTO_DETAIL_PROCESSOR_HPP

#include <thread>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace toto::inline v0::detail {

/// Tells the processor that this thread only looks at a flag.
inline void relax() noexcept {
#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
  _mm_pause();
#elif defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How many threads can run at the same time; 0 if that is not known.
inline unsigned processors() noexcept {
  static const unsigned count = std::thread::hardware_concurrency();
  return count;
}

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_PROCESSOR_HPP
