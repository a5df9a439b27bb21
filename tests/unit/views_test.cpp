// SPDX-License-Identifier: MIT
//
// Views of a queue: limits, priorities, deadlines, tokens.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::TaskQueue;

TEST_CASE("a view lets as many of its tasks run at a time as it says, on the queue's threads", "[views][P8]") {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  TaskQueue queue(4, 60s, "wide");
  auto view = queue.limited(2, "two");
  CHECK(view.name() == "two");
  CHECK(view.thread_count() == 2);
  for (int task = 0; task < 200; ++task) {
    view.add_task([&] {
      const int now = ++inside;
      int seen = most;
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      --inside;
    });
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(most <= 2);
  CHECK(queue.stats().completed == 200);
}

TEST_CASE("tasks of a view leave the queue's other threads to others", "[views][P8]") {
  Gate release;
  TaskQueue queue(2);
  auto view = queue.limited(1, "one");
  for (int task = 0; task < 10; ++task) {
    view.add_task([&] { release.wait(); });
  }
  CHECK(queue.yield_task([] { return 1; }).get() == 1);  // although ten were added before
  release.open();
  REQUIRE(queue.wait_idle_for(kPatience));
}

TEST_CASE("a serial view keeps the order of adding, with any number of threads", "[views][A1]") {
  TaskQueue queue(4);
  const auto view = queue.limited(1, "serial");
  std::vector<int> order;
  for (int task = 0; task < 1000; ++task) {
    view.add_task([&order, task] { order.push_back(task); });
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(order.size() == 1000);
  for (int task = 0; task < 1000; ++task) {
    REQUIRE(order[static_cast<std::size_t>(task)] == task);
  }
}

TEST_CASE("views refuse wrong arguments by name, and outlive their queue", "[views][U1]") {
  auto queue = std::make_unique<TaskQueue>();
  CHECK_THROWS_WITH(queue->limited(0, "none"), contains("limit is 0"));
  CHECK_THROWS_WITH(queue->limited(1, ""), contains("name is empty"));
  CHECK_THROWS_WITH(queue->with({.priority = 8}), contains("priority is 8"));
  CHECK_THROWS_WITH(queue->with({.start_by = -1ms}), contains("start_by is negative"));
  const auto view = queue->limited(1, "one");
  queue.reset();
  CHECK_THROWS_AS(view.add_task([] {}), toto::QueueClosed);
}

TEST_CASE("more urgent tasks begin before less urgent ones, in order inside one priority", "[views][N6]") {
  TaskQueue queue;
  std::string order;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  const auto add = [&](int priority, char name) {
    queue.with({.priority = priority}).add_task([&order, name] { order += name; });
  };
  add(-8, 'h');
  add(0, 'e');
  add(7, 'a');
  queue.add_task([&order] { order += 'f'; });
  add(3, 'c');
  add(3, 'd');
  add(7, 'b');
  auto low = queue.with({.priority = -1}).yield_task([&order] { order += 'g'; });
  worker.release();
  low.get();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(order == "abcdefgh");
}

TEST_CASE("with ageing a task of low priority is not overtaken forever", "[views][N7]") {
  TaskQueue queue({.ageing = 1ms});
  std::string order;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  queue.with({.priority = -8}).add_task([&order] { order += 'a'; });
  std::this_thread::sleep_for(30ms);
  queue.with({.priority = 7}).add_task([&order] { order += 'b'; });
  queue.add_task([&order] { order += 'c'; });
  worker.release();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(order == "abc");
}

TEST_CASE("a task that has to begin by some time is cancelled then, although every thread is busy", "[views][K11]") {
  Lifetimes captures;
  TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto late = queue.with({.start_by = 5ms}).yield_task([counted = Counted(captures)] { return 1; });
  auto early = queue.with({.start_by = 1h}).yield_task([] { return 2; });
  std::string words;
  try {
    late.get();
  } catch (const toto::TaskCancelled& error) {
    words = error.what();
  }
  CHECK_THAT(words, contains("had not begun in time (start_by)"));
  CHECK(captures.alive() == 0);
  auto cancelled = queue.with({.start_by = 1h}).yield_task([] { return 3; });
  CHECK(cancelled.cancel());
  CHECK_THROWS_WITH(cancelled.get(), contains("cancelled before it ran"));
  worker.release();
  CHECK(early.get() == 2);
}

TEST_CASE("a task that has begun in time is not asked to stop when the time is over", "[views][K11]") {
  TaskQueue queue;
  auto handle = queue.with({.start_by = 20ms}).yield_task([](const toto::StopToken& token) {
    std::this_thread::sleep_for(60ms);  // beyond the time
    return token.stop_requested();
  });
  try {
    CHECK_FALSE(handle.get());
  } catch (const toto::TaskCancelled&) {
    WARN("the machine was too slow to begin it in time");
  }
}

TEST_CASE("a token takes queued tasks out and asks running ones to stop", "[views][K5]") {
  toto::StopSource source;
  Gate running;
  TaskQueue queue(2);
  const auto view = queue.with(source.get_token());
  auto stopped = view.yield_task([&running](const toto::StopToken& token) {
    running.open();
    return eventually([&token] { return token.stop_requested(); });
  });
  REQUIRE(running.wait());
  HeldWorker other(queue);
  REQUIRE(other.held());
  std::vector<toto::TaskHandle<int>> queued;
  for (int task = 0; task < 10; ++task) {
    queued.push_back(view.yield_task([] { return 1; }));
  }
  source.request_stop();
  for (auto& handle : queued) {
    CHECK_THROWS_AS(handle.get(), toto::TaskCancelled);
  }
  CHECK(stopped.get());
  bool ran = false;
  view.add_task([&ran] { ran = true; });  // the token was stopped before
  other.release();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK_FALSE(ran);
  CHECK(queue.stats().cancelled == 11);
}
