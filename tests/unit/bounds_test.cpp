// SPDX-License-Identifier: MIT
//
// A queue's bound: what adding to a full queue does, and waiting for room.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::Overflow;
using toto::TaskQueue;

namespace {

toto::QueueOptions bounded(std::size_t most, Overflow overflow) {
  return {.name = "bounded", .max_queued = most, .overflow = overflow};
}

}  // namespace

TEST_CASE("a full queue that rejects throws QueueFull, and nothing has changed", "[bounds][N1]") {
  Lifetimes captures;
  TaskQueue queue(bounded(1, Overflow::reject));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  queue.add_task([] {});
  const std::size_t size = queue.size();
  CHECK_THROWS_AS(queue.add_task([counted = Counted(captures)] {}), toto::QueueFull);
  CHECK_THROWS_AS(queue.yield_task([] { return 1; }), toto::QueueFull);
  CHECK_THROWS_WITH(queue.add_task([] {}), contains("bounded") && contains("1 task"));
  CHECK(captures.alive() == 0);
  CHECK(queue.size() == size);
  CHECK(queue.stats().queued == 1);
}

TEST_CASE("try_add_task of a full queue is false and leaves its arguments alone, whatever the overflow",
          "[bounds][N1]") {
  for (const Overflow overflow : {Overflow::block, Overflow::reject, Overflow::discard_oldest}) {
    TaskQueue queue(bounded(1, overflow));
    std::vector<int> got;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    REQUIRE(queue.try_add_task([] {}));
    std::vector<int> values{1, 2, 3};
    const auto keep = [&got](std::vector<int> given) { got = std::move(given); };
    CHECK_FALSE(queue.try_add_task(keep, std::move(values)));
    CHECK(values.size() == 3);
    CHECK_FALSE(queue.try_add_task_for(1ms, keep, std::move(values)));
    CHECK(values.size() == 3);
    worker.release();
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(queue.try_add_task(keep, std::move(values)));
    REQUIRE(queue.wait_idle_for(kPatience));
    CHECK(got.size() == 3);
  }
}

TEST_CASE("a thousand rejected tasks that are tried again all run once", "[bounds][N5]") {
  constexpr int kTasks = 1000;
  std::atomic<int> runs{0};
  TaskQueue queue({.thread_count = 2, .max_queued = 3, .overflow = Overflow::reject});
  for (int task = 0; task < kTasks; ++task) {
    while (!queue.try_add_task([&runs] { ++runs; })) {
      std::this_thread::yield();
    }
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(runs == kTasks);
  REQUIRE(queue.stats().completed == kTasks);
}

TEST_CASE("an adder waits for room, and gets it when a task begins", "[bounds][N2]") {
  Gate first_may_end;
  Gate second_may_end;
  std::atomic<bool> added{false};
  TaskQueue queue(bounded(1, Overflow::block));
  queue.add_task([&] { first_may_end.wait(); });
  REQUIRE(eventually([&] { return queue.stats().running == 1; }));
  queue.add_task([&] { second_may_end.wait(); });
  std::thread adder([&] {
    queue.add_task([] {});
    added = true;
  });
  CHECK_FALSE(queue.try_add_task([] {}));
  first_may_end.open();
  const bool in_time = eventually([&] { return added.load(); });  // although the second one still runs
  second_may_end.open();
  adder.join();
  REQUIRE(in_time);
}

TEST_CASE("who waits for room is told that the queue has closed", "[bounds][N2]") {
  std::atomic<int> told{0};
  TaskQueue queue(bounded(1, Overflow::block));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  queue.add_task([] {});
  std::vector<std::thread> adders;
  for (int adder = 0; adder < 3; ++adder) {
    adders.emplace_back([&] {
      try {
        queue.add_task([] {});
      } catch (const toto::QueueClosed&) {
        ++told;
      }
    });
  }
  queue.close();
  for (std::thread& adder : adders) {
    adder.join();
  }
  REQUIRE(told == 3);
}

TEST_CASE("a task that adds to its own full queue does not wait for itself", "[bounds][N3]") {
  std::atomic<int> runs{0};
  TaskQueue queue(bounded(1, Overflow::block));
  queue.add_task([&] {
    for (int task = 0; task < 10; ++task) {
      queue.add_task([&runs] { ++runs; });
    }
  });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(runs == 10);
}

TEST_CASE("a wait for room with a limit takes that long, and leaves nothing behind", "[bounds][N4]") {
  TaskQueue queue(bounded(1, Overflow::block));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  queue.add_task([] {});
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE_FALSE(queue.try_add_task_for(30ms, [] {}));
  REQUIRE(std::chrono::steady_clock::now() - begin >= 30ms);
  worker.release();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(queue.try_add_task([] {}));
}

TEST_CASE("a worker of a full queue is told at once that there is no room", "[bounds][N3][N4]") {
  std::atomic<bool> added{true};
  std::atomic<bool> at_once{false};
  TaskQueue queue(bounded(1, Overflow::block));
  queue.add_task([&] {
    queue.add_task([] {});
    const auto begin = std::chrono::steady_clock::now();
    added = queue.try_add_task_for(5s, [] {});
    at_once = std::chrono::steady_clock::now() - begin < 4s;
  });
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK_FALSE(added);
  CHECK(at_once);
}

TEST_CASE("a task whose token was stopped beforehand needs no room", "[bounds][K5]") {
  const auto overflow = GENERATE(Overflow::block, Overflow::reject, Overflow::discard_oldest);
  TaskQueue queue(bounded(1, overflow));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto waiting = queue.yield_task([] { return 1; });
  toto::StopSource stopped;
  stopped.request_stop();
  bool ran = false;
  // If it waited for room, that would come after a while.
  std::thread later([&] {
    eventually([&] { return queue.stats().cancelled == 1; }, 1s);
    worker.release();
  });
  auto handle = queue.with(stopped.get_token()).yield_task([&ran] { ran = true; });
  CHECK_FALSE(waiting.ready());
  CHECK_THROWS_AS(handle.get(), toto::TaskCancelled);
  later.join();
  CHECK(waiting.get() == 1);
  CHECK_FALSE(ran);
}

TEST_CASE("dump tells who has reserved room, and who waits for it", "[bounds][insight]") {
  TaskQueue queue(bounded(1, Overflow::block));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  toto::EventLoop loop;
  const auto use = [&]() -> toto::Task<> {
    auto room = co_await queue.admission();
    std::thread adder([&] { queue.add_task([] {}); });
    CHECK(eventually([&] {
      return contains("room for 1 queued task(s), of which 1 reserved and not used yet; 1 wait(s) in line for room")
          .match(queue.dump());
    }));
    room.add_task([] {});
    worker.release();
    adder.join();
  };
  loop.run_sync(use());
}

TEST_CASE("with discard_oldest whoever awaits the oldest task gets TaskCancelled", "[bounds][N1]") {
  TaskQueue queue(bounded(2, Overflow::discard_oldest));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  std::string order;
  auto first = queue.yield_task([&order] { order += '1'; });
  queue.add_task([&order] { order += '2'; });
  queue.add_task([&order] { order += '3'; });
  REQUIRE(first.ready());
  CHECK_THROWS_AS(first.get(), toto::TaskCancelled);
  queue.add_task([&order] { order += '4'; });
  worker.release();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(order == "34");
  CHECK(queue.stats().cancelled == 2);
}

TEST_CASE("discard_oldest takes the lowest priority, however long that has waited", "[bounds][N1]") {
  TaskQueue queue({.max_queued = 3, .overflow = Overflow::discard_oldest, .ageing = toto::Duration(1ns)});
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto oldest = queue.with({.priority = -1}).yield_task([] { return 1; });
  auto next = queue.with({.priority = -1}).yield_task([] { return 2; });
  auto usual = queue.yield_task([] { return 3; });
  auto last = queue.yield_task([] { return 4; });
  CHECK(oldest.ready());
  CHECK_FALSE(next.ready());
  worker.release();
  CHECK_THROWS_AS(oldest.get(), toto::TaskCancelled);
  CHECK(next.get() + usual.get() + last.get() == 9);
}

TEST_CASE("discard_oldest takes what waits in a view only if there is no other", "[bounds][N1]") {
  Gate begun;
  Gate release;
  TaskQueue queue(bounded(2, Overflow::discard_oldest));
  const auto one = queue.limited(1, "one");
  one.add_task([&] {
    begun.open();
    release.wait();
  });
  REQUIRE(begun.wait());
  auto in_view = one.yield_task([] { return 1; });
  auto urgent = queue.with({.priority = 3}).yield_task([] { return 2; });
  auto third = queue.yield_task([] { return 3; });
  CHECK_THROWS_AS(urgent.get(), toto::TaskCancelled);
  CHECK_FALSE(in_view.ready());
  release.open();
  CHECK(in_view.get() == 1);
  CHECK(third.get() == 3);
}

TEST_CASE("coroutines wait for room in line, without a thread", "[bounds][N2]") {
  constexpr int kCoroutines = 1000;
  std::atomic<int> runs{0};
  TaskQueue queue(bounded(1, Overflow::block));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  queue.add_task([] {});  // all of the coroutines stand in line before there is room for one
  toto::EventLoop loop;
  std::vector<int> order;
  const auto body = [&](int number) -> toto::Task<> {
    auto room = co_await queue.admission();
    order.push_back(number);
    co_await room.yield_task([&runs] { ++runs; });
  };
  for (int number = 0; number < kCoroutines; ++number) {
    loop.spawn(body(number));
  }
  loop.post([&] { worker.release(); });
  loop.run();
  REQUIRE(runs == kCoroutines);
  for (int number = 0; number < kCoroutines; ++number) {
    REQUIRE(order[static_cast<std::size_t>(number)] == number);
  }
}

TEST_CASE("an admission is used once, and gives its room back if it is not used", "[bounds][N2][U8]") {
  TaskQueue queue(bounded(1, Overflow::reject));
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  const auto use = [&]() -> toto::Task<> {
    {
      const auto unused = co_await queue.admission();
      CHECK_FALSE(queue.try_add_task([] {}));
    }
    auto room = co_await queue.admission();
    room.add_task([] {});
    CHECK_FALSE(room.valid());
    CHECK_THROWS_AS(room.add_task([] {}), toto::NoState);
  };
  toto::sync_wait(use());
  worker.release();
  REQUIRE(queue.wait_idle_for(kPatience));
  queue.close();
  const auto closed = [&]() -> toto::Task<> { static_cast<void>(co_await queue.admission()); };
  CHECK_THROWS_AS(toto::sync_wait(closed()), toto::QueueClosed);
}

TEST_CASE("a bound of 0 is refused by name", "[bounds][U1]") {
  CHECK_THROWS_WITH(TaskQueue({.max_queued = 0}), contains("max_queued is 0"));
}
