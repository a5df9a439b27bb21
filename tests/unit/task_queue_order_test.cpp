// SPDX-License-Identifier: MIT
//
// Group A on real threads: the order of tasks, and how many run at once.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using toto::TaskQueue;
using toto_tests::Arrivals;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::kPatience;
using toto_tests::Record;
using toto_tests::scaled;
using toto_tests::Threads;

namespace {

std::vector<int> up_to(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

}  // namespace

TEST_CASE("one thread runs tasks in the order of adding", "[task_queue][A1]") {
  Gate gate;
  TaskQueue queue;
  std::vector<int> order;  // no lock: one thread, and wait_idle() before it is read
  SECTION("while they are being added") {
    for (int i = 1; i <= 1000; ++i) {
      queue.add_task([&order, i] { order.push_back(i); });
    }
  }
  SECTION("after they have all been added") {
    queue.add_task([&gate] { gate.wait(); });
    for (int i = 1; i <= 1000; ++i) {
      queue.add_task([&order, i] { order.push_back(i); });
    }
    gate.open();
  }
  SECTION("whatever size and kind they have") {
    for (int i = 1; i <= 1000; i += 2) {
      queue.add_task([&order, i] { order.push_back(i); });
      queue.add_task([&order, text = std::to_string(i + 1)] { order.push_back(std::stoi(text)); });
    }
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(order == up_to(1000));
}

TEST_CASE("one thread keeps the order of each of several producers", "[task_queue][A2]") {
  constexpr int kProducers = 4;
  constexpr int kEach = 2000;
  TaskQueue queue;
  std::vector<std::vector<int>> orders(kProducers);  // no lock: one worker writes
  {
    Threads producers;
    for (std::size_t producer = 0; producer < kProducers; ++producer) {
      producers.start([&queue, &order = orders[producer]] {
        for (int i = 1; i <= kEach; ++i) {
          queue.add_task([&order, i] { order.push_back(i); });
        }
      });
    }
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  for (const std::vector<int>& order : orders) {
    REQUIRE(order == up_to(kEach));
  }
}

TEST_CASE("exactly thread_count tasks run at once and the rest wait", "[task_queue][A4]") {
  const std::size_t threads = GENERATE(1U, 2U, 5U);
  const std::size_t tasks = 15 * threads;
  CAPTURE(threads);
  Gate gate;
  Arrivals begun;
  std::atomic<int> inside{0};
  std::atomic<int> most_inside{0};
  std::atomic<std::size_t> ended{0};
  TaskQueue queue(threads);
  for (std::size_t i = 0; i < tasks; ++i) {
    queue.add_task([&] {
      const int now = ++inside;
      for (int most = most_inside; most < now && !most_inside.compare_exchange_weak(most, now);) {
      }
      begun.arrive();
      gate.wait();
      --inside;
      ++ended;
    });
  }
  REQUIRE(begun.wait_for(static_cast<int>(threads)));
  REQUIRE(queue.stats().running == threads);
  REQUIRE(queue.stats().queued == tasks - threads);
  REQUIRE(queue.size() == tasks);
  REQUIRE(begun.count() == static_cast<int>(threads));
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(ended == tasks);
  REQUIRE(most_inside == static_cast<int>(threads));
}

TEST_CASE("one-thread tasks never overlap while threads come and go", "[task_queue][A5]") {
  constexpr int kRounds = 10;
  const int each = scaled(300, 50);
  std::atomic<int> inside{0};
  std::atomic<int> overlaps{0};
  TaskQueue queue(1, 0s);
  int unguarded = 0;  // a race here is what ThreadSanitizer looks for
  for (int round = 0; round < kRounds; ++round) {
    {
      Threads producers;
      for (int producer = 0; producer < 2; ++producer) {
        producers.start([&] {
          for (int i = 0; i < each; ++i) {
            queue.add_task([&] {
              overlaps += inside.fetch_add(1) == 0 ? 0 : 1;
              ++unguarded;
              inside.fetch_sub(1);
            });
            if (i % 16 == 0) {
              std::this_thread::yield();  // let the worker run out of work and leave
            }
          }
        });
      }
    }
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(eventually([&] { return queue.stats().threads == 0; }));
  }
  REQUIRE(overlaps == 0);
  REQUIRE(unguarded == kRounds * 2 * each);
  REQUIRE(queue.stats().threads_started >= kRounds);
}

TEST_CASE("a task added by a task goes behind what was queued before", "[task_queue][A7]") {
  Gate gate;
  TaskQueue queue;
  std::vector<std::string> order;
  queue.add_task([&] {
    gate.wait();
    order.push_back("first");
    queue.add_task([&] { order.push_back("added by the first"); });
  });
  queue.add_task([&] { order.push_back("second"); });
  queue.add_task([&] { order.push_back("third"); });
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(order == std::vector<std::string>{"first", "second", "third", "added by the first"});
}

TEST_CASE("plain writes are visible to the task and to whoever takes its result", "[task_queue][A9]") {
  // Nothing here is atomic: ThreadSanitizer tells if one of these edges is missing.
  const int rounds = scaled(2000, 500);
  TaskQueue queue(2, 0s);  // with threads that are reused and threads that are new
  int wrong = 0;
  for (int i = 0; i < rounds; ++i) {
    int before = 0;
    int after = 0;
    before = i;
    auto handle = queue.yield_task([&before, &after] {
      after = before + 1;
      return 2 * before;
    });
    switch (i % 3) {
      case 0:
        wrong += handle.get() == 2 * i ? 0 : 1;
        break;
      case 1:
        handle.wait();
        break;
      default:
        wrong += toto::sync_wait(std::move(handle)) == 2 * i ? 0 : 1;
    }
    wrong += after == i + 1 ? 0 : 1;
  }
  int plain = 0;
  for (int i = 0; i < rounds; ++i) {
    queue.add_task([&plain, i] { plain = plain < 0 ? i : plain; });
    queue.wait_idle();  // also an edge, from the tasks to here
    ++plain;
  }
  REQUIRE(wrong == 0);
  REQUIRE(plain == rounds);
}

TEST_CASE("a coroutine sees what the task wrote and the task what the coroutine wrote", "[task_queue][A9]") {
  const int rounds = scaled(1000, 300);
  TaskQueue queue(2, 0s);
  TaskQueue other(1, 0s);
  toto::EventLoop loop;
  struct {
    int shared = 0;
    int wrong = 0;
  } seen;
  const auto caller = [&]() -> toto::Task<> {
    for (int i = 0; i < rounds; ++i) {
      seen.shared = i;
      const int result = co_await queue.yield_task([&seen] { return ++seen.shared; });
      seen.wrong += result == i + 1 && seen.shared == i + 1 ? 0 : 1;
      ++seen.shared;
      co_await other.yield_task([&seen] { ++seen.shared; });
      seen.wrong += seen.shared == i + 3 ? 0 : 1;
    }
  };
  loop.run_sync(caller());
  REQUIRE(seen.wrong == 0);
}

TEST_CASE("add_task and yield_task share one order", "[task_queue][A10]") {
  Gate gate;
  TaskQueue queue;
  std::vector<int> order;
  queue.add_task([&gate] { gate.wait(); });
  std::vector<toto::TaskHandle<>> handles;
  for (int i = 1; i <= 300; i += 3) {
    queue.add_task([&order, i] { order.push_back(i); });
    handles.push_back(queue.yield_task([&order, i] { order.push_back(i + 1); }));
    queue.add_task([&order, text = std::to_string(i + 2)] { order.push_back(std::stoi(text)); });
  }
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(order == up_to(300));
  for (toto::TaskHandle<>& handle : handles) {
    REQUIRE(handle.ready());
  }
}
