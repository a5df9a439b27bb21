// SPDX-License-Identifier: MIT
//
// What Clang's -fsanitize=thread has compiled code call, without ThreadSanitizer's runtime: each access to plain memory
// goes to the simulator, which looks for data races under Memory::weak (toto/testing/plain_access.hpp), and freed
// memory stays until the schedule is over. Included by explore.hpp if TOTO_TEST_RACES is defined, in programs of one file;
// with the flags of race_flags.sh. What is in toto/testing, and this file, must not be instrumented (race_ignore.txt).

#ifndef TOTO_TESTS_SUPPORT_RACE_HOOKS_HPP
#define TOTO_TESTS_SUPPORT_RACE_HOOKS_HPP

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "toto/testing/plain_access.hpp"

extern "C" const char __executable_start;  // of the linker: where the program begins, for addr2line

namespace toto_tests::races {

inline std::uint32_t place(const void* caller) noexcept {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(caller) -
                                    reinterpret_cast<std::uintptr_t>(&__executable_start) - 1);
}

inline void* allocate(std::size_t bytes, std::size_t alignment, const void* caller) {
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* const memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  toto::testing::plain_memory_made(memory, malloc_usable_size(memory), place(caller));
  return memory;
}

inline void deallocate(void* memory, const void* caller) noexcept {
  if (memory != nullptr && !toto::testing::plain_memory_gone(memory, malloc_usable_size(memory), place(caller))) {
    std::free(memory);
  }
}

}  // namespace toto_tests::races

#define TOTO_HOOK extern "C" __attribute__((used, noinline))
#define TOTO_HERE toto_tests::races::place(__builtin_return_address(0))
#define TOTO_ACCESSES(size)                                            \
  TOTO_HOOK void __tsan_read##size(const void* data) {                 \
    toto::testing::plain_read(data, size, TOTO_HERE);                  \
  }                                                                    \
  TOTO_HOOK void __tsan_write##size(const void* data) {                \
    toto::testing::plain_write(data, size, TOTO_HERE);                 \
  }                                                                    \
  TOTO_HOOK void __tsan_read_write##size(const void* data) {           \
    toto::testing::plain_write(data, size, TOTO_HERE);                 \
  }                                                                    \
  TOTO_HOOK void __tsan_unaligned_read##size(const void* data) {       \
    toto::testing::plain_read(data, size, TOTO_HERE);                  \
  }                                                                    \
  TOTO_HOOK void __tsan_unaligned_write##size(const void* data) {      \
    toto::testing::plain_write(data, size, TOTO_HERE);                 \
  }                                                                    \
  TOTO_HOOK void __tsan_unaligned_read_write##size(const void* data) { \
    toto::testing::plain_write(data, size, TOTO_HERE);                 \
  }
TOTO_ACCESSES(1)
TOTO_ACCESSES(2)
TOTO_ACCESSES(4)
TOTO_ACCESSES(8)
TOTO_ACCESSES(16)
#undef TOTO_ACCESSES

TOTO_HOOK void __tsan_init() {}
TOTO_HOOK void __tsan_vptr_read(const void* data) {
  toto::testing::plain_read(data, sizeof(void*), TOTO_HERE);
}
TOTO_HOOK void __tsan_vptr_update(const void* data, const void*) {
  toto::testing::plain_write(data, sizeof(void*), TOTO_HERE);
}
TOTO_HOOK void* __tsan_memset(void* data, int value, std::size_t size) {
  toto::testing::plain_write(data, size, TOTO_HERE);
  return std::memset(data, value, size);
}
TOTO_HOOK void* __tsan_memcpy(void* to, const void* from, std::size_t size) {
  toto::testing::plain_read(from, size, TOTO_HERE);
  toto::testing::plain_write(to, size, TOTO_HERE);
  return std::memcpy(to, from, size);
}
TOTO_HOOK void* __tsan_memmove(void* to, const void* from, std::size_t size) {
  toto::testing::plain_read(from, size, TOTO_HERE);
  toto::testing::plain_write(to, size, TOTO_HERE);
  return std::memmove(to, from, size);
}

// Fibres are nothing new to these hooks.
TOTO_HOOK void* __tsan_get_current_fiber() {
  return nullptr;
}
TOTO_HOOK void* __tsan_create_fiber(unsigned) {
  return nullptr;
}
TOTO_HOOK void __tsan_destroy_fiber(void*) {}
TOTO_HOOK void __tsan_switch_to_fiber(void*, unsigned) {}

#define TOTO_CALLER __builtin_return_address(0)
__attribute__((noinline)) void* operator new(std::size_t bytes) {
  return toto_tests::races::allocate(bytes, alignof(std::max_align_t), TOTO_CALLER);
}
__attribute__((noinline)) void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return toto_tests::races::allocate(bytes, static_cast<std::size_t>(alignment), TOTO_CALLER);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  toto_tests::races::deallocate(memory, TOTO_CALLER);
}
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  toto_tests::races::deallocate(memory, TOTO_CALLER);
}
__attribute__((noinline)) void operator delete(void* memory, std::align_val_t) noexcept {
  toto_tests::races::deallocate(memory, TOTO_CALLER);
}
__attribute__((noinline)) void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  toto_tests::races::deallocate(memory, TOTO_CALLER);
}
#undef TOTO_CALLER
#undef TOTO_HERE
#undef TOTO_HOOK

#endif  // TOTO_TESTS_SUPPORT_RACE_HOOKS_HPP
