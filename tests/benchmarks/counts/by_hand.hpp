// SPDX-License-Identifier: MIT
//
// What the library would use if it had no runtime policy: the standard library's types, and what it needs beyond them,
// written by hand. instructions.py puts these names in place of Runtime's members in a copy of the headers.

#ifndef TOTO_TESTS_BY_HAND_HPP
#define TOTO_TESTS_BY_HAND_HPP

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stop_token>
#include <thread>

#include "toto/detail/ground/futex.hpp"
#include "toto/runtime.hpp"

namespace by_hand {

template <class T, class Tag>
inline constinit thread_local T thread_local_value{};

/// Not inlined, as a compiler may otherwise keep the address over a suspension.
template <class T, class Tag>
__attribute__((noinline)) inline T& local() noexcept {
  return thread_local_value<T, Tag>;
}

template <class T>
inline T& process_wide() {
  static T* const object = new T;
  return *object;
}

inline unsigned processors() noexcept {
  static const unsigned count = std::thread::hardware_concurrency();
  return count;
}

}  // namespace by_hand

#endif  // TOTO_TESTS_BY_HAND_HPP
