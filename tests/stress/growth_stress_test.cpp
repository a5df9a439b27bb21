// SPDX-License-Identifier: MIT
//
// What comes and goes many times leaves nothing behind: no thread, no file, no memory.

#include <toto/tasks.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using toto::TaskQueue;
using toto_tests::eventually;
using toto_tests::kPatience;
using toto_tests::kProcessInfo;
using toto_tests::Memory;
using toto_tests::memory;
using toto_tests::open_files;
using toto_tests::scaled;
using toto_tests::thread_count;
using toto_tests::threads_named;

namespace {

constexpr std::size_t kMegabyte = 1U << 20;

/// What thousands of threads that come and go may leave of address space: the allocator reserves 64 MB for each thread
/// that it once saw allocating beside another, which is chance. Their stacks, 8 MB each, would be tens of gigabytes.
constexpr std::size_t kReserved = scaled<std::size_t>(1000, 4000) * kMegabyte;

/// Remembers what the process has, and says whether it has more now.
class Growth {
 public:
  bool of_threads() const {
    return !eventually([this] { return thread_count() <= threads_; }, 2s);
  }
  bool of_files() const { return open_files() > files_; }
  /// A stack that was not released is 8 MB of address space.
  std::size_t of_address_space() const { return more(memory().address_space, memory_.address_space); }
  std::size_t of_memory() const { return more(memory().resident, memory_.resident); }

 private:
  static std::size_t more(std::size_t now, std::size_t before) { return now > before ? now - before : 0; }

  std::size_t threads_ = thread_count();
  std::size_t files_ = open_files();
  Memory memory_ = memory();
};

#if defined(__GLIBC__)
constexpr bool kGivesBackMemory = true;
void give_back_free_memory() {
  malloc_trim(0);
}
#else
constexpr bool kGivesBackMemory = false;
void give_back_free_memory() {}
#endif

}  // namespace

TEST_CASE("expired threads are joined and do not pile up", "[task_queue][stress][B12]") {
  if (!kProcessInfo) {
    SKIP("needs /proc");
  }
  const int expirations = scaled(20'000, 3'000);
  TaskQueue queue(1, 0s, "b12");
  const auto one = [&queue](int i) {
    const bool right = queue.yield_task([i] { return i; }).get() == i;
    while (queue.size() != 0) {  // until its thread has left
      std::this_thread::yield();
    }
    return right;
  };
  int wrong = 0;
  for (int i = 0; i < 500; ++i) {  // caches fill up first
    wrong += one(i) ? 0 : 1;
  }
  const Growth growth;
  for (int i = 0; i < expirations; ++i) {
    wrong += one(i) ? 0 : 1;
  }
  REQUIRE(wrong == 0);
  REQUIRE(queue.stats().threads_started == static_cast<std::uint64_t>(expirations) + 500);
  REQUIRE_FALSE(growth.of_threads());
  REQUIRE(threads_named("b12-") == 0);
  REQUIRE(growth.of_address_space() < kReserved);
  REQUIRE(growth.of_memory() < scaled<std::size_t>(10, 200) * kMegabyte);
}

TEST_CASE("10000 queues made and destroyed leave no thread and no file and no memory",
          "[task_queue][stress][L17][L1]") {
  if (!kProcessInfo) {
    SKIP("needs /proc");
  }
  const int queues = scaled(10'000, 2'000);
  std::atomic<int> ran{0};
  int expected = 0;
  const auto one = [&](int i) {
    TaskQueue queue(static_cast<std::size_t>(1 + i % 3), i % 2 == 0 ? 0s : 60s, "l17");
    switch (i % 4) {
      case 0:  // never used
        break;
      case 1:  // destroyed with work
        for (int k = 0; k < 3; ++k) {
          queue.add_task([&ran] { ++ran; });
          ++expected;
        }
        break;
      case 2:  // idle
        queue.yield_task([&ran] { ++ran; }).get();
        ++expected;
        break;
      default:  // closed before
        queue.add_task([&ran, text = std::string("not trivial")] { ++ran; });
        ++expected;
        queue.close();
    }
  };
  for (int i = 0; i < 200; ++i) {
    one(i);
  }
  const Growth growth;
  for (int i = 0; i < queues; ++i) {
    one(i);
  }
  REQUIRE(ran == expected);  // every destructor has run what was accepted
  REQUIRE_FALSE(growth.of_threads());
  REQUIRE_FALSE(growth.of_files());
  REQUIRE(growth.of_address_space() < kReserved);
  REQUIRE(growth.of_memory() < scaled<std::size_t>(10, 200) * kMegabyte);
}

TEST_CASE("what a burst took is given back", "[task_queue][stress][memory]") {
  if (!kGivesBackMemory || toto_tests::kThreadSanitizer || toto_tests::kAddressSanitizer) {
    SKIP("needs glibc, which can be asked to give free memory back to the system");
  }
  toto_tests::Gate gate;
  TaskQueue queue(1, 60s, "burst");
  const auto burst = [&](int tasks) {
    for (int i = 0; i < tasks; ++i) {
      queue.add_task([] {});
    }
  };
  burst(1000);
  REQUIRE(queue.wait_idle_for(kPatience));
  const Growth growth;
  queue.add_task([&gate] { gate.wait(); });
  burst(1'000'000);
  const std::size_t at_most = growth.of_memory();
  gate.open();
  REQUIRE(queue.wait_idle_for(60s));
  give_back_free_memory();
  REQUIRE(at_most > 30 * kMegabyte);  // or this has tested nothing
  REQUIRE(growth.of_memory() < at_most / 4);
}

TEST_CASE("threads that only add leave no memory behind when they end", "[task_queue][stress][memory]") {
  if (toto_tests::heap_in_use() == 0) {
    SKIP("needs an allocator that tells how much it has given out");
  }
  TaskQueue queue(1, 60s, "adders");
  const auto adders = [&](int count) {
    for (int i = 0; i < count; ++i) {
      std::thread([&queue] {
        for (int task = 0; task < 40; ++task) {
          // Too large for a closure: a block that this thread allocates and the worker frees.
          queue.add_task([bytes = std::array<char, 64>()] { static_cast<void>(bytes); });
        }
      }).join();
      REQUIRE(queue.wait_idle_for(kPatience));
    }
  };
  adders(100);
  const std::size_t before = toto_tests::heap_in_use();
  adders(400);
  const std::size_t after = toto_tests::heap_in_use();
  CAPTURE(before, after);
  REQUIRE(after < before + kMegabyte / 4);  // with threads that leave part of a chain behind: 0.6 megabytes
}
