// SPDX-License-Identifier: MIT
//
// Memory aligned to cache lines, by hand. Not by operator new: glibc before 2.38 loses the memory that it cuts off
// around an aligned block, so the heap of a program in which queues and threads come and go would grow as long as it
// runs.

#ifndef TOTO_DETAIL_GROUND_ALIGNED_MEMORY_HPP
#define TOTO_DETAIL_GROUND_ALIGNED_MEMORY_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

namespace toto::inline v0_1::detail {

/// Returns the first aligned address after `memory`, which has kAlignment bytes more than are needed. The address of
/// `memory` is stored right before it.
template <std::size_t kAlignment>
void* align_in(void* memory) noexcept {
  static_assert(kAlignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__ && __STDCPP_DEFAULT_NEW_ALIGNMENT__ >= sizeof(memory));
  char* const place = static_cast<char*>(memory) + (kAlignment - reinterpret_cast<std::uintptr_t>(memory) % kAlignment);
  std::memcpy(place - sizeof(memory), &memory, sizeof(memory));
  return place;
}

/// Throws: std::bad_alloc.
template <std::size_t kAlignment>
void* allocate_aligned(std::size_t bytes) {
  return detail::align_in<kAlignment>(::operator new(kAlignment + bytes));
}

inline void free_aligned(void* place) noexcept {
  void* memory;
  std::memcpy(&memory, static_cast<char*>(place) - sizeof(memory), sizeof(memory));
  ::operator delete(memory);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_ALIGNED_MEMORY_HPP
