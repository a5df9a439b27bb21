// SPDX-License-Identifier: MIT
//
// Faults on demand, for real threads: operator new that counts and fails, and pthread_create that fails. Both are
// replaced for this whole executable (injection.cpp). sweep() makes every allocation of a call fail in turn. Nothing
// here asserts: the test cases do.

#ifndef TOTO_TESTS_FAULTS_INJECTION_HPP
#define TOTO_TESTS_FAULTS_INJECTION_HPP

#include <cstddef>
#include <exception>
#include <new>
#include <string>
#include <toto/runtime.hpp>

namespace toto_tests {

/// Whether the library hands freed blocks out again by itself: not under AddressSanitizer.
inline constexpr bool kRecycles = toto::StdRuntime::recycles_memory;

/// Calls of operator new, in all its forms, while this object lives.
/// Thread safety: one counter of each kind at a time.
class CountedAllocations {
 public:
  CountedAllocations() noexcept;
  CountedAllocations(const CountedAllocations&) = delete;
  CountedAllocations& operator=(const CountedAllocations&) = delete;

  /// By the thread that made this object.
  std::size_t here() const noexcept;
  /// By the whole process.
  std::size_t anywhere() const noexcept;

 private:
  std::size_t here_before_;
  std::size_t anywhere_before_;
};

/// What the whole process has allocated with operator new since this object was made, and not released, in the
/// allocator's own sizes.
class TakenBytes {
 public:
  TakenBytes() noexcept;
  std::ptrdiff_t now() const noexcept;

 private:
  std::ptrdiff_t before_;
};

/// While it lives, the n-th allocation of the thread that made it fails, once (n = 1: the next one).
class FailingAllocation {
 public:
  explicit FailingAllocation(std::size_t nth) noexcept;
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// The allocation was asked for, and refused.
  bool failed() const noexcept;
};

/// While it lives, no thread can allocate, except the one that made it.
class NoMemoryElsewhere {
 public:
  NoMemoryElsewhere() noexcept;
  ~NoMemoryElsewhere();
  NoMemoryElsewhere(const NoMemoryElsewhere&) = delete;
  NoMemoryElsewhere& operator=(const NoMemoryElsewhere&) = delete;
};

/// The thread that made it may allocate despite NoMemoryElsewhere: for the test itself.
class TestsOwnMemory {
 public:
  TestsOwnMemory() noexcept;
  ~TestsOwnMemory();
  TestsOwnMemory(const TestsOwnMemory&) = delete;
  TestsOwnMemory& operator=(const TestsOwnMemory&) = delete;
};

/// While it lives, every pthread_create of the process asks `refuse(number, context)` first, where number is 1 for
/// the first one, and fails with EAGAIN if that is true.
class ThreadStarts {
 public:
  using Refuse = bool (*)(std::size_t number, void* context);

  explicit ThreadStarts(Refuse refuse, void* context = nullptr) noexcept;
  ~ThreadStarts();
  ThreadStarts(const ThreadStarts&) = delete;
  ThreadStarts& operator=(const ThreadStarts&) = delete;

  std::size_t tried() const noexcept;
  std::size_t refused() const noexcept;

  // Policies.
  static bool always(std::size_t, void*) { return true; }
  static bool never(std::size_t, void*) { return false; }
  static bool after_the_first(std::size_t number, void*) { return number > 1; }
  static bool the_first(std::size_t number, void*) { return number == 1; }
  static bool every_third(std::size_t number, void*) { return number % 3 == 0; }
};

/// Counts a fault that was tried; the sum is printed at the end of the program.
void note_fault(const char* kind) noexcept;

/// For sweep(): there may be no allocation at all, because memory is used again. Then the sum of several sweeps has to
/// be looked at.
inline constexpr std::size_t kMaybeNone = 0;

/// What sweep() found: in how many places the call can run out of memory, and what went wrong.
struct Sweep {
  std::size_t points = 0;
  /// The first thing that went wrong, or empty.
  std::string complaint;
};

/// Calls `call(fixture)` again and again, each time with a new `fixture = prepare()`, and with its 1st, 2nd, 3rd ...
/// allocation failing, until it needs no more of them. Each time the call has to throw std::bad_alloc, or to do
/// without that memory. Then `check(fixture, threw)` returns what is wrong, or "". A sweep that finds fewer than
/// `least` allocations has tried too little, and complains.
template <class Prepare, class Call, class Check>
Sweep sweep(Prepare prepare, Call call, Check check, std::size_t least = 1) {
  constexpr std::size_t kMost = 1000;
  Sweep result;
  for (std::size_t nth = 1; nth <= kMost; ++nth) {
    auto fixture = prepare();
    bool failed = false;
    bool threw = false;
    std::string other;
    {
      const FailingAllocation failing(nth);
      try {
        call(fixture);
      } catch (const std::bad_alloc&) {
        threw = true;
      } catch (const std::exception& error) {
        other = error.what();
      }
      failed = failing.failed();
    }
    if (!other.empty()) {
      result.complaint = "threw something else than std::bad_alloc: " + other;
    } else if (threw && !failed) {
      result.complaint = "threw std::bad_alloc although there was memory";
    } else {
      result.complaint = check(fixture, threw);
    }
    if (!result.complaint.empty()) {
      result.complaint = "allocation " + std::to_string(nth) + ": " + result.complaint;
      return result;
    }
    if (!failed) {
      if (result.points < least) {
        result.complaint =
            "tried " + std::to_string(result.points) + " allocations, and should find " + std::to_string(least);
      }
      return result;
    }
    ++result.points;
    note_fault("allocation");
  }
  result.complaint = "does not come to an end";
  return result;
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_FAULTS_INJECTION_HPP
