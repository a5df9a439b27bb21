// SPDX-License-Identifier: MIT
//
// That the faults are really injected: a sweep that breaks nothing proves nothing.

#include "faults/injection.hpp"

#include <atomic>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using namespace toto_tests;

TEST_CASE("an injected fault makes the chosen allocation of this thread fail, and no other", "[injection]") {
  const FailingAllocation failing(2);
  std::unique_ptr<int> first;
  std::unique_ptr<int> second;
  std::unique_ptr<int> third;
  bool refused = false;
  std::thread other([] { std::vector<int> elsewhere(100); });  // the first allocation is the thread's own state
  try {
    first = std::make_unique<int>(1);
  } catch (const std::bad_alloc&) {
    refused = true;
  }
  other.join();
  second = std::make_unique<int>(2);
  third = std::make_unique<int>(3);
  REQUIRE(refused);
  REQUIRE(failing.failed());
  REQUIRE(first == nullptr);
  REQUIRE(*third == 3);
}

TEST_CASE("an injected fault also fails the aligned and the non-throwing forms", "[injection]") {
  struct alignas(128) Wide {
    char content[128];
  };
  {
    const FailingAllocation failing(1);
    REQUIRE_THROWS_AS(static_cast<void>(std::make_unique<Wide>()), std::bad_alloc);
  }
  {
    const FailingAllocation failing(1);
    const std::unique_ptr<Wide> wide(new (std::nothrow) Wide);
    REQUIRE(wide == nullptr);
  }
  const auto wide = std::make_unique<Wide>();
  REQUIRE(reinterpret_cast<std::uintptr_t>(wide.get()) % 128 == 0);
}

TEST_CASE("a sweep tries each allocation once and stops when the call is through", "[injection]") {
  int calls = 0;
  const Sweep swept = sweep(
      [&] {
        ++calls;
        const auto first = std::make_unique<int>(1);
        const auto second = std::make_unique<int>(2);
        const auto third = std::make_unique<int>(3);
      },
      [] { return ""; });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points == 3);
  REQUIRE(calls == 4);
}

TEST_CASE("a sweep complains of a call that has changed something", "[injection]") {
  int changes = 0;
  const Sweep swept = sweep(
      [&] {
        ++changes;
        const auto memory = std::make_unique<int>(1);
        --changes;
      },
      [&] { return changes == 0 ? "" : "changed"; });
  REQUIRE_THAT(swept.complaint, contains("changed"));
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
      const auto memory = std::make_unique<int>(1);
    } catch (const std::bad_alloc&) {
      refused = true;
    }
  });
  {
    const NoMemoryElsewhere none;
    const auto memory = std::make_unique<int>(1);
    go = true;
    go.notify_all();
    other.join();
  }
  REQUIRE(refused);
}
