// SPDX-License-Identifier: MIT
//
// operator new and operator delete in all their forms, and pthread_create, for the whole executable. They forward to
// malloc and to the system's (or the sanitizer's) pthread_create, so that sanitizers see what they need.

#include "faults/injection.hpp"

#include <dlfcn.h>
#include <pthread.h>

#if defined(__APPLE__)
#include <malloc/malloc.h>
#else
#include <malloc.h>
#endif

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace toto_tests {
namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<std::ptrdiff_t> taken_bytes{0};
std::atomic<bool> no_memory_elsewhere{false};

struct OfThisThread {
  std::size_t allocations = 0;
  std::size_t fails_at = 0;  // 0: none
  bool failed = false;
  int exempt = 0;
};
constinit thread_local OfThisThread mine;

/// Counts the allocation; false if it has to fail.
bool permitted() noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  ++mine.allocations;
  if (mine.fails_at != 0 && mine.allocations == mine.fails_at) {
    mine.fails_at = 0;
    mine.failed = true;
    return false;
  }
  return mine.exempt > 0 || !no_memory_elsewhere.load(std::memory_order_relaxed);
}

std::ptrdiff_t size_of(void* memory) noexcept {
#if defined(__APPLE__)
  return static_cast<std::ptrdiff_t>(malloc_size(memory));
#else
  return static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
#endif
}

void* taken(void* memory) noexcept {
  taken_bytes.fetch_add(size_of(memory), std::memory_order_relaxed);  // of a null pointer: 0
  return memory;
}

void give_back(void* memory) noexcept {
  taken_bytes.fetch_sub(size_of(memory), std::memory_order_relaxed);
  std::free(memory);
}

void* allocate(std::size_t bytes) noexcept {
  return permitted() ? taken(std::malloc(bytes == 0 ? 1 : bytes)) : nullptr;
}

void* allocate(std::size_t bytes, std::align_val_t alignment) noexcept {
  if (!permitted()) {
    return nullptr;
  }
  void* memory = nullptr;
  const std::size_t at_least =
      static_cast<std::size_t>(alignment) < sizeof(void*) ? sizeof(void*) : static_cast<std::size_t>(alignment);
  return posix_memalign(&memory, at_least, bytes == 0 ? 1 : bytes) == 0 ? taken(memory) : nullptr;
}

void* or_throw(void* memory) {
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

// Starting threads.
std::atomic<ThreadStarts::Refuse> refuse{nullptr};
std::atomic<void*> refuse_context{nullptr};
std::atomic<std::size_t> starts_tried{0};
std::atomic<std::size_t> starts_refused{0};

// What was tried.
struct Tally {
  std::atomic<std::size_t> allocations{0};
  std::atomic<std::size_t> thread_starts{0};
  std::atomic<std::size_t> exceptions{0};
  ~Tally() {
    if (allocations + thread_starts + exceptions > 0) {
      std::printf("fault points tried: %zu allocations, %zu thread starts, %zu throwing copies, moves, destructors\n",
                  allocations.load(), thread_starts.load(), exceptions.load());
    }
  }
};
Tally tally;

}  // namespace

CountedAllocations::CountedAllocations() noexcept
    : here_before_(mine.allocations), anywhere_before_(allocations.load(std::memory_order_relaxed)) {}
std::size_t CountedAllocations::here() const noexcept {
  return mine.allocations - here_before_;
}
std::size_t CountedAllocations::anywhere() const noexcept {
  return allocations.load(std::memory_order_relaxed) - anywhere_before_;
}

TakenBytes::TakenBytes() noexcept : before_(taken_bytes.load(std::memory_order_relaxed)) {}
std::ptrdiff_t TakenBytes::now() const noexcept {
  return taken_bytes.load(std::memory_order_relaxed) - before_;
}

FailingAllocation::FailingAllocation(std::size_t nth) noexcept {
  mine.failed = false;
  mine.fails_at = mine.allocations + nth;
}
FailingAllocation::~FailingAllocation() {
  mine.fails_at = 0;
}
bool FailingAllocation::failed() const noexcept {
  return mine.failed;
}

NoMemoryElsewhere::NoMemoryElsewhere() noexcept {
  ++mine.exempt;
  no_memory_elsewhere = true;
}
NoMemoryElsewhere::~NoMemoryElsewhere() {
  no_memory_elsewhere = false;
  --mine.exempt;
}

TestsOwnMemory::TestsOwnMemory() noexcept {
  ++mine.exempt;
}
TestsOwnMemory::~TestsOwnMemory() {
  --mine.exempt;
}

ThreadStarts::ThreadStarts(Refuse policy, void* context) noexcept {
  starts_tried = 0;
  starts_refused = 0;
  refuse_context = context;
  refuse = policy;
}
ThreadStarts::~ThreadStarts() {
  refuse = nullptr;
}
std::size_t ThreadStarts::tried() const noexcept {
  return starts_tried;
}
std::size_t ThreadStarts::refused() const noexcept {
  return starts_refused;
}

void note_fault(const char* kind) noexcept {
  switch (kind[0]) {
    case 'a':
      ++tally.allocations;
      break;
    case 't':
      ++tally.thread_starts;
      break;
    default:
      ++tally.exceptions;
  }
}

}  // namespace toto_tests

void* operator new(std::size_t bytes) {
  return toto_tests::or_throw(toto_tests::allocate(bytes));
}
void* operator new[](std::size_t bytes) {
  return toto_tests::or_throw(toto_tests::allocate(bytes));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return toto_tests::allocate(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return toto_tests::allocate(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return toto_tests::or_throw(toto_tests::allocate(bytes, alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return toto_tests::or_throw(toto_tests::allocate(bytes, alignment));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return toto_tests::allocate(bytes, alignment);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return toto_tests::allocate(bytes, alignment);
}
void operator delete(void* memory) noexcept {
  toto_tests::give_back(memory);
}
void operator delete[](void* memory) noexcept {
  toto_tests::give_back(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  toto_tests::give_back(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  toto_tests::give_back(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  toto_tests::give_back(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  toto_tests::give_back(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  toto_tests::give_back(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  toto_tests::give_back(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  toto_tests::give_back(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  toto_tests::give_back(memory);
}
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  toto_tests::give_back(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  toto_tests::give_back(memory);
}

extern "C" {

using PthreadCreate = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

// A sanitizer that is linked into the executable has its own pthread_create under this name.
PthreadCreate __interceptor_pthread_create __attribute__((weak));

// In place of the system's, for the C++ library too: the executable's symbols come first.
__attribute__((visibility("default"))) int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                                          void* (*body)(void*), void* argument) noexcept {
  using namespace toto_tests;
  if (const ThreadStarts::Refuse policy = refuse) {
    const std::size_t number = ++starts_tried;
    if (policy(number, refuse_context)) {
      ++starts_refused;
      note_fault("thread start");
      return EAGAIN;
    }
  }
  static PthreadCreate* const real = [] {
    if (__interceptor_pthread_create != nullptr) {
      return &__interceptor_pthread_create;
    }
    return reinterpret_cast<PthreadCreate*>(dlsym(RTLD_NEXT, "pthread_create"));
  }();
  return real(thread, attributes, body, argument);
}

}  // extern "C"
