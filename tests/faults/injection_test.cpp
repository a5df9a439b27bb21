// SPDX-License-Identifier: MIT
//
// That the faults are really injected: a sweep that breaks nothing proves nothing.

#include "faults/injection.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <system_error>
#include <thread>

#include "support/catch.hpp"

using namespace toto_tests;

namespace {

void* volatile seen = nullptr;

/// An allocation that the optimiser cannot leave out.
std::unique_ptr<int> allocate_one(int value) {
  auto memory = std::make_unique<int>(value);
  seen = memory.get();
  return memory;
}

}  // namespace

TEST_CASE("an injected fault makes the chosen allocation of this thread fail, and no other", "[injection]") {
  std::atomic<bool> chosen{false};
  std::thread other([&chosen] {
    chosen.wait(false);
    const auto elsewhere = allocate_one(0);
  });
  const FailingAllocation failing(2);
  chosen = true;
  chosen.notify_one();
  other.join();
  std::unique_ptr<int> second;
  bool refused = false;
  const auto first = allocate_one(1);
  try {
    second = allocate_one(2);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  const auto third = allocate_one(3);
  REQUIRE(refused);
  REQUIRE(failing.failed());
  REQUIRE(*first == 1);
  REQUIRE(second == nullptr);
  REQUIRE(*third == 3);
}

TEST_CASE("an injected fault also fails the aligned and the non-throwing forms", "[injection]") {
  constexpr std::align_val_t kWide{128};
  bool refused = false;
  {
    const FailingAllocation failing(1);
    try {
      ::operator delete(::operator new(128, kWide), kWide);
    } catch (const std::bad_alloc&) {
      refused = true;
    }
  }
  REQUIRE(refused);
  void* memory = &refused;
  {
    const FailingAllocation failing(1);
    memory = ::operator new(128, kWide, std::nothrow);
  }
  REQUIRE(memory == nullptr);
  memory = ::operator new(128, kWide, std::nothrow);
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  ::operator delete(memory, kWide);
  REQUIRE(address % 128 == 0);
  REQUIRE(address != 0);
}

TEST_CASE("a sweep tries each allocation once and stops when the call is through", "[injection]") {
  int calls = 0;
  const Sweep swept = sweep([] { return 0; },
                            [&](int) {
                              ++calls;
                              const auto first = allocate_one(1);
                              const auto second = allocate_one(2);
                              const auto third = allocate_one(3);
                            },
                            [](int, bool) { return ""; });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points == 3);
  REQUIRE(calls == 4);
}

TEST_CASE("a sweep complains of a call that leaves something changed", "[injection]") {
  const Sweep swept = sweep([] { return 0; },
                            [](int& changes) {
                              ++changes;
                              const auto memory = allocate_one(1);
                              --changes;
                            },
                            [](int changes, bool) { return changes == 0 ? "" : "changed"; });
  REQUIRE_THAT(swept.complaint, contains("changed"));
}

TEST_CASE("a sweep that finds nothing to try complains, unless it is told that there may be nothing", "[injection]") {
  const auto nothing = [](std::size_t least) {
    return sweep([] { return 0; }, [](int) {}, [](int, bool) { return ""; }, least).complaint;
  };
  REQUIRE_THAT(nothing(1), contains("tried 0 allocations, and should find 1"));
  REQUIRE(nothing(kMaybeNone).empty());
  const Sweep one =
      sweep([] { return 0; }, [](int) { static_cast<void>(allocate_one(1)); }, [](int, bool) { return ""; }, 2);
  REQUIRE_THAT(one.complaint, contains("tried 1 allocations, and should find 2"));
}

TEST_CASE("a refused thread start is a system_error in std::thread", "[injection]") {
  const ThreadStarts starts(&ThreadStarts::after_the_first);
  std::thread first([] {});
  first.join();
  REQUIRE_THROWS_AS(std::thread([] {}), std::system_error);
  REQUIRE(starts.tried() == 2);
  REQUIRE(starts.refused() == 1);
}

TEST_CASE("while there is no memory elsewhere, other threads get none and this one does", "[injection]") {
  std::atomic<bool> refused = false;
  std::atomic<bool> go = false;
  std::thread other([&] {
    go.wait(false);
    try {
      const auto memory = allocate_one(1);
    } catch (const std::bad_alloc&) {
      refused = true;
    }
  });
  {
    const NoMemoryElsewhere none;
    const auto memory = allocate_one(1);
    go = true;
    go.notify_all();
    other.join();
  }
  REQUIRE(refused);
}
