// SPDX-License-Identifier: MIT
//
// How deep the stack is, for tests that must not deepen it.

#ifndef TOTO_TESTS_SUPPORT_STACK_POSITION_HPP
#define TOTO_TESTS_SUPPORT_STACK_POSITION_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <toto/tasks.hpp>

#if defined(_MSC_VER)
#include <intrin.h>
#endif

namespace toto_tests {

/// The address of the calling function's frame, or next to it.
TOTO_NOINLINE inline std::uintptr_t stack_position() noexcept {
#if defined(_MSC_VER)
  return reinterpret_cast<std::uintptr_t>(_AddressOfReturnAddress());
#else
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
#endif
}

/// The distance between the shallowest and the deepest position seen. One thread's stack at a time.
class StackExtent {
 public:
  void see() noexcept {
    const std::uintptr_t here = stack_position();
    lowest_ = seen_ ? std::min(lowest_, here) : here;
    highest_ = seen_ ? std::max(highest_, here) : here;
    seen_ = true;
  }
  std::size_t bytes() const noexcept { return highest_ - lowest_; }

 private:
  bool seen_ = false;
  std::uintptr_t lowest_ = 0;
  std::uintptr_t highest_ = 0;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_STACK_POSITION_HPP
