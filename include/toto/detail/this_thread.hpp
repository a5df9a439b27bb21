// SPDX-License-Identifier: MIT
//
// What a pool has to know of the calling thread before it may say that a wait can never end: a number that no
// other thread ever has, and whether an object lives on its stack.

#ifndef TOTO_DETAIL_THIS_THREAD_HPP
#define TOTO_DETAIL_THIS_THREAD_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "annotations.hpp"

#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define TOTO_DETAIL_FAKE_STACKS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOTO_DETAIL_FAKE_STACKS 1
#endif
#endif
#if defined(TOTO_DETAIL_FAKE_STACKS)
#include <sanitizer/asan_interface.h>
#endif

namespace toto::inline v0::detail {

/// Numbers threads from 1, in the order in which they ask first. A number is not used again.
template <class Runtime>
std::uint64_t this_thread_number() noexcept {
  struct Number {
    std::uint64_t value = 0;
  };
  struct Counter {
    typename Runtime::template Atomic<std::uint64_t> last{0};
  };
  std::uint64_t& mine = Runtime::template Local<Number, Number>::get().value;
  if (mine == 0) {
    mine = Runtime::template global<Counter>().last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
  return mine;
}

/// The stack of the calling thread, as far as the system tells.
struct StackBounds {
  const void* begin = nullptr;
  const void* end = nullptr;

  static StackBounds of_this_thread() noexcept {
#if defined(__linux__)
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
      return {};
    }
    void* begin = nullptr;
    std::size_t size = 0;
    const bool known = pthread_attr_getstack(&attributes, &begin, &size) == 0;
    pthread_attr_destroy(&attributes);
    return known ? StackBounds{begin, static_cast<const char*>(begin) + size} : StackBounds{};
#elif defined(__APPLE__)
    const void* const end = pthread_get_stackaddr_np(pthread_self());
    return {static_cast<const char*>(end) - pthread_get_stacksize_np(pthread_self()), end};
#else
    return {};
#endif
  }

  bool contain(const void* object) const noexcept {
    constexpr std::less<const void*> before;
    return !before(object, begin) && before(object, end);
  }
};

/// Whether `object` is a local variable of a function that the calling thread is in, and not in the frame of a
/// coroutine, which another thread may continue. False where the system does not tell. Slow: for the last
/// question before an error only. A runtime policy with stacks of its own answers itself.
template <class Runtime>
bool on_this_stack(const void* object) noexcept {
  if constexpr (requires { Runtime::on_this_stack(object); }) {
    return Runtime::on_this_stack(object);
  } else {
#if defined(TOTO_DETAIL_FAKE_STACKS)  // AddressSanitizer keeps locals on the heap, to find uses after return
    if (void* const fake = __asan_get_current_fake_stack()) {
      if (__asan_addr_is_in_fake_stack(fake, const_cast<void*>(object), nullptr, nullptr) != nullptr) {
        return true;
      }
    }
#endif
    return StackBounds::of_this_thread().contain(object);
  }
}

}  // namespace toto::inline v0::detail

#undef TOTO_DETAIL_FAKE_STACKS

#endif  // TOTO_DETAIL_THIS_THREAD_HPP
