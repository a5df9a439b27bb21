// SPDX-License-Identifier: MIT
//
// Taking tasks out of a queue while workers take them too: each task is run or cancelled, never both and never neither.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using toto::TaskQueue;
using toto_tests::Counted;
using toto_tests::kPatience;
using toto_tests::Lifetimes;
using toto_tests::scaled;
using toto_tests::Threads;

TEST_CASE("cancel_queued may race with the workers", "[task_queue][stress][K4][L3]") {
  // The queue is all but empty each time: that is where the two meet at the last task.
  const auto until = std::chrono::steady_clock::now() + 5s;
  std::atomic<std::uint64_t> ran{0};
  TaskQueue queue(2, 1s);
  std::uint64_t added = 0;
  std::uint64_t cancelled = 0;
  while (std::chrono::steady_clock::now() < until) {
    for (int i = 0; i < 2000; ++i) {
      for (int k = i % 7; k > 0; --k) {
        queue.add_task([&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
        ++added;
      }
      cancelled += queue.cancel_queued();
    }
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(ran + cancelled == added);
  }
  const toto::QueueStats stats = queue.stats();
  REQUIRE(stats.submitted == added);
  REQUIRE(stats.completed == ran);
  REQUIRE(stats.cancelled == cancelled);
  REQUIRE(cancelled > 0);
  REQUIRE(ran > 0);
}

TEST_CASE("cancelling single tasks may race with the workers", "[task_queue][stress][K4][A8]") {
  const int rounds = scaled(300, 60);
  Lifetimes lifetimes;
  std::atomic<int> ran{0};
  int cancelled = 0;
  int told = 0;
  {
    TaskQueue queue(3, 0s);
    for (int round = 0; round < rounds; ++round) {
      std::vector<toto::TaskHandle<>> handles;
      for (int i = 0; i < 50; ++i) {
        handles.push_back(queue.yield_task([&ran, c = Counted(lifetimes)] { ++ran; }));
      }
      std::atomic<int> by_other{0};
      Threads other;
      other.start([&] {
        for (std::size_t i = 0; i < handles.size(); i += 2) {
          by_other += handles[i].cancel() ? 1 : 0;
        }
      });
      for (std::size_t i = 1; i < handles.size(); i += 2) {
        cancelled += handles[handles.size() - i].cancel() ? 1 : 0;
      }
      other.join();
      cancelled += by_other;
      for (toto::TaskHandle<>& handle : handles) {
        try {
          handle.get();
        } catch (const toto::TaskCancelled&) {
          ++told;
        }
      }
    }
  }
  REQUIRE(ran + cancelled == rounds * 50);
  REQUIRE(told == cancelled);
  REQUIRE(lifetimes.alive() == 0);
}
