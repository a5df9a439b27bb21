// SPDX-License-Identifier: MIT
//
// Group W: queues that are shared by name. Named queues live until the process ends, so every test uses
// its own names.

#include <toto/tasks.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/record.hpp"

using namespace std::chrono_literals;
using toto::Duration;
using toto::TaskQueue;
using toto_tests::contains;
using toto_tests::kPatience;
using toto_tests::Meeting;
using toto_tests::Record;
using toto_tests::Threads;

namespace {

// Made before main: W5. The order in which static objects are made must not matter.
TaskQueue& queue_of_static_initialiser = TaskQueue::instance("w5-static", 2, 10ms);
const int result_of_static_initialiser = queue_of_static_initialiser.yield_task([] { return 42; }).get();

}  // namespace

TEST_CASE("one name gives one queue", "[task_queue][registry][W1]") {
  REQUIRE(TaskQueue::find("w1") == nullptr);
  TaskQueue& queue = TaskQueue::instance("w1", 2, 10ms);
  REQUIRE(&TaskQueue::instance("w1") == &queue);
  REQUIRE(&TaskQueue::instance(std::string("w") + "1") == &queue);
  REQUIRE(&TaskQueue::instance({.name = "w1"}) == &queue);
  REQUIRE(TaskQueue::find("w1") == &queue);
  REQUIRE(queue.name() == "w1");
  REQUIRE(&TaskQueue::instance("w1-other") != &queue);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("the queue keeps the name although the text it was made from is gone", "[task_queue][registry][W1]") {
  std::string name = "w1-a-name-that-is-too-long-for-a-small-string";
  TaskQueue& queue = TaskQueue::instance(name);
  const std::string copy = name;
  name.assign(name.size(), 'x');
  REQUIRE(queue.name() == copy);
  REQUIRE(TaskQueue::find(copy) == &queue);
}

TEST_CASE("queues that are not named instances are not in the registry", "[task_queue][registry][W1]") {
  TaskQueue queue(1, 60s, "w1-unregistered");
  REQUIRE(TaskQueue::find("w1-unregistered") == nullptr);
  REQUIRE(&TaskQueue::instance("w1-unregistered") != &queue);
}

TEST_CASE("later arguments for a name that exists change nothing", "[task_queue][registry][W2]") {
  TaskQueue& queue = TaskQueue::instance("w2", 3, Duration::never());
  REQUIRE(&TaskQueue::instance("w2", 1, 0s) == &queue);
  REQUIRE(&TaskQueue::instance({.thread_count = 7, .idle_timeout = 0s, .name = "w2"}) == &queue);
  REQUIRE(queue.thread_count() == 3);

  // The arguments are not looked at, so that wrong ones do no harm either.
  REQUIRE(&TaskQueue::instance("w2", 0, -1s) == &queue);

  // Three threads do run at once, and the idle timeout of 0 has not been taken over.
  Meeting meeting(3);
  std::vector<toto::TaskHandle<bool>> handles;
  for (int i = 0; i < 3; ++i) {
    handles.push_back(queue.yield_task([&meeting] { return meeting.arrive_and_wait(); }));
  }
  for (auto& handle : handles) {
    REQUIRE(handle.get());
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(queue.size() == 3);
}

TEST_CASE("many threads asking for a new name at once get the same queue made once", "[task_queue][registry][W3]") {
  constexpr std::size_t kThreads = 16;
  for (int round = 0; round < 20; ++round) {
    const std::string name = "w3-" + std::to_string(round);
    Meeting meeting(kThreads);
    Record<TaskQueue*> queues;
    {
      Threads threads;
      for (std::size_t i = 0; i < kThreads; ++i) {
        threads.start([&, i] {
          meeting.arrive_and_wait();
          TaskQueue& queue = TaskQueue::instance(name, i + 1, 10ms);
          queue.add_task([] {});
          queues.add(&queue);
        });
      }
    }
    TaskQueue& queue = TaskQueue::instance(name);
    REQUIRE(queues.values() == std::vector<TaskQueue*>(kThreads, &queue));
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(queue.stats().submitted == kThreads);
  }
}

// Each thread may build a queue of its own meanwhile (docs/design.md, "Ending"): one is published, nobody sees the
// others.
TEST_CASE("of the queues that threads build for a new name at once one is published, and no other starts a thread",
          "[task_queue][registry][W3]") {
  class Hears final : public toto::QueueObserver {
   public:
    void task_queued(const toto::TaskEvent&) noexcept override { ++heard; }
    void thread_started(std::string_view, std::size_t) noexcept override { ++heard; }
    std::atomic<int> heard{0};
  };
  constexpr std::size_t kThreads = 16;
  constexpr int kRounds = 20;
  // The queues live until the process ends, and so do their observers: they have no destructor to speak of.
  static std::array<std::array<Hears, kThreads>, kRounds> observers;
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = "w3-observed-" + std::to_string(round);
    auto& mine = observers[static_cast<std::size_t>(round)];
    Meeting meeting(kThreads);
    Record<std::size_t> wrong;
    {
      Threads threads;
      for (std::size_t i = 0; i < kThreads; ++i) {
        threads.start([&, i] {
          meeting.arrive_and_wait();
          TaskQueue& queue = TaskQueue::instance({.thread_count = i + 1, .name = name, .observer = &mine[i]});
          queue.add_task([] {});
          if (&queue != TaskQueue::find(name)) {
            wrong.add(i);
          }
        });
      }
    }
    REQUIRE(wrong.values().empty());
    TaskQueue& queue = TaskQueue::instance(name);
    REQUIRE(queue.wait_idle_for(kPatience));
    // The one that was published has its maker's options, and has notified only its observer.
    const std::size_t winner = queue.thread_count() - 1;
    for (std::size_t i = 0; i < kThreads; ++i) {
      CAPTURE(i, winner);
      if (i == winner) {
        REQUIRE(mine[i].heard >= static_cast<int>(kThreads) + 1);
      } else {
        REQUIRE(mine[i].heard == 0);
      }
    }
  }
}

TEST_CASE("names that differ in case or by embedded zero bytes are different", "[task_queue][registry][W4]") {
  using namespace std::string_view_literals;
  const std::vector<std::string_view> names = {"w4"sv, "W4"sv, "w4\0"sv, "w4\0a"sv, "w4\0b"sv, " w4"sv, "w4 "sv};
  std::vector<TaskQueue*> queues;
  for (const std::string_view name : names) {
    TaskQueue* const queue = &TaskQueue::instance(name);
    REQUIRE(queue->name() == name);
    for (TaskQueue* const other : queues) {
      REQUIRE(queue != other);
    }
    queues.push_back(queue);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    REQUIRE(TaskQueue::find(names[i]) == queues[i]);
    REQUIRE(&TaskQueue::instance(names[i]) == queues[i]);
    REQUIRE(queues[i]->yield_task([] { return 7; }).get() == 7);
  }
}

TEST_CASE("the registry can be used in tasks", "[task_queue][registry][W5]") {
  TaskQueue& queue = TaskQueue::instance("w5");
  TaskQueue* same = nullptr;
  TaskQueue* other = nullptr;
  TaskQueue* none = &queue;
  queue
      .yield_task([&] {
        same = &TaskQueue::instance("w5");
        other = &TaskQueue::instance("w5-made-by-a-task");
        none = TaskQueue::find("w5-never-made");
        other->yield_task([] {}).get();
      })
      .get();
  REQUIRE(same == &queue);
  REQUIRE(other == &TaskQueue::instance("w5-made-by-a-task"));
  REQUIRE(none == nullptr);
}

TEST_CASE("the registry can be used in static initialisers", "[task_queue][registry][W5]") {
  REQUIRE(result_of_static_initialiser == 42);
  REQUIRE(&TaskQueue::instance("w5-static") == &queue_of_static_initialiser);
  REQUIRE(queue_of_static_initialiser.thread_count() == 2);
}

TEST_CASE("invalid arguments for a new name leave no entry behind", "[task_queue][registry][W7]") {
  REQUIRE_THROWS_AS(TaskQueue::instance("w7", 0), std::invalid_argument);
  REQUIRE(TaskQueue::find("w7") == nullptr);
  REQUIRE_THROWS_AS(TaskQueue::instance("w7", 1, -1ns), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue::instance({.thread_count = 0, .name = "w7"}), std::invalid_argument);
  REQUIRE_THROWS_AS(
      TaskQueue::instance("w7", 1, std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
      std::invalid_argument);
  REQUIRE(TaskQueue::find("w7") == nullptr);
  TaskQueue& queue = TaskQueue::instance("w7", 2);
  REQUIRE(queue.thread_count() == 2);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("an empty name is refused in words and stored nowhere", "[task_queue][registry][W4][U4]") {
  REQUIRE_THROWS_AS(TaskQueue::instance(""), std::invalid_argument);
  REQUIRE_THROWS_WITH(TaskQueue::instance("", 2), contains("name") && contains("empty"));
  REQUIRE(TaskQueue::find("") == nullptr);
}

TEST_CASE("queues are made with their names first", "[registry]") {
  toto::TaskQueue one("one");
  toto::TaskQueue four("four", {.thread_count = 4, .name = "not used"});
  CHECK(one.name() == "one");
  CHECK(one.thread_count() == 1);
  CHECK(four.name() == "four");
  CHECK(four.thread_count() == 4);
  CHECK_THROWS_AS(toto::TaskQueue("", {.thread_count = 4}), std::invalid_argument);
  auto& shared = toto::TaskQueue::instance("name first", {.thread_count = 3});
  CHECK(shared.thread_count() == 3);
  CHECK(&toto::TaskQueue::instance("name first", {.thread_count = 5}) == &shared);
}

TEST_CASE("the named queues can be listed, and all queues, loops and pools described", "[registry]") {
  auto& shared = toto::TaskQueue::instance("listed");
  const auto named = toto::TaskQueue::named();
  CHECK(std::count(named.begin(), named.end(), &shared) == 1);
  toto::TaskQueue own("of my own");
  toto::EventLoop loop;
  loop.spawn([]() -> toto::Task<> { co_return; }());
  toto::InstancePool<int> pool({1, 2});
  const std::string text = toto::TaskQueue::dump_all();
  CHECK(text.find("queue 'listed': ") != std::string::npos);
  CHECK(text.find("queue 'of my own': ") != std::string::npos);
  CHECK(text.find("event loop: not running, 1 posted, 0 timer(s), 1 coroutine(s)\n") != std::string::npos);
  CHECK(text.find("2 instance(s)") != std::string::npos);
  loop.run();
}
