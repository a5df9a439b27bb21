// SPDX-License-Identifier: MIT
//
// Replaces operator new and delete, in a file of their own: inlined into their callers, GCC 12 takes the pair for
// mismatched. operator new[] and the nothrow forms call these.

#include "allocation_count.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

void* counted(void* memory) {
  benchmark::allocations.fetch_add(1, std::memory_order_relaxed);
  return memory != nullptr ? memory : throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(std::malloc(size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto grain = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(grain, (size + grain - 1) / grain * grain));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
