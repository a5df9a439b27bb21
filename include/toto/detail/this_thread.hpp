// SPDX-License-Identifier: MIT
//
// What a pool has to know of the calling thread before it may say that a wait can never end: a number that no other
// thread ever has. Whether an object lives on the thread's stack, the runtime policy tells.

#ifndef TOTO_DETAIL_THIS_THREAD_HPP
#define TOTO_DETAIL_THIS_THREAD_HPP

#include <atomic>
#include <cstdint>

#include "annotations.hpp"

namespace toto::inline v0::detail {

template <class Runtime>
struct ThreadNumbers {
  typename Runtime::template Atomic<std::uint64_t> last{0};

  /// To be called before this_thread_number() is used.
  /// Throws: std::bad_alloc.
  static ThreadNumbers& instance() { return Runtime::template global<ThreadNumbers>(); }
};

/// Numbers threads from 1, in the order in which they ask first. A number is not used again.
template <class Runtime>
std::uint64_t this_thread_number() noexcept {
  struct Number {
    std::uint64_t value = 0;
  };
  std::uint64_t& mine = Runtime::template Local<Number, Number>::get().value;
  if (mine == 0) {
    mine = ThreadNumbers<Runtime>::instance().last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return mine;
}

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_THIS_THREAD_HPP
