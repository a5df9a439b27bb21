// SPDX-License-Identifier: MIT
//
// What pools and the WaitGraph must know about the calling thread: a number that no other thread ever has, and whether
// the thread holds instances that only it returns. The runtime policy tells whether an object is on the thread's stack.

#ifndef TOTO_DETAIL_GROUND_THIS_THREAD_HPP
#define TOTO_DETAIL_GROUND_THIS_THREAD_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "annotations.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
struct ThreadNumbers {
  typename Runtime::template Atomic<std::uint64_t> last{0};

  /// To be called before this_thread_number() is used.
  /// Throws: std::bad_alloc.
  static ThreadNumbers& instance() { return Runtime::template global<ThreadNumbers>(); }
};

template <class Runtime>
struct ThisThread {
  std::uint64_t number = 0;  // 0: it has none yet
  /// How many instances are bound to it. Too high if another thread has returned one, which it should not.
  std::size_t bound = 0;

  static ThisThread& get() noexcept { return Runtime::template Local<ThisThread, ThisThread>::get(); }
};

/// Numbers threads from 1, in the order of their first call. A number is not used again.
template <class Runtime>
std::uint64_t this_thread_number() noexcept {
  std::uint64_t& mine = ThisThread<Runtime>::get().number;
  if (mine == 0) {
    mine = ThreadNumbers<Runtime>::instance().last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return mine;
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_THIS_THREAD_HPP
