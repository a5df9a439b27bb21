// SPDX-License-Identifier: MIT
//
// TaskGroup: nothing outlives its scope.

#include <toto/tasks.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;

namespace {

static_assert(!std::is_default_constructible_v<toto::TaskGroup>);
static_assert(!std::is_copy_constructible_v<toto::TaskGroup> && !std::is_move_constructible_v<toto::TaskGroup>);

toto::Task<> follow(toto::TaskHandle<> handle, std::atomic<int>& ended) {
  co_await handle;
  ++ended;
}

}  // namespace

TEST_CASE("a group without tasks gives the body's result", "[task_group]") {
  CHECK(toto::sync_wait(toto::with_task_group([](toto::TaskGroup&) -> toto::Task<int> { co_return 7; })) == 7);
  auto unique = toto::sync_wait(toto::with_task_group(
      [](toto::TaskGroup&) -> toto::Task<std::unique_ptr<int>> { co_return std::make_unique<int>(1); }));
  CHECK(*unique == 1);
  toto::sync_wait(toto::with_task_group([](toto::TaskGroup& group) -> toto::Task<> {
    static_cast<void>(group.cancelled());
    co_return;
  }));
}

TEST_CASE("a group waits for everything that was started in it", "[task_group]") {
  std::atomic<int> ended{0};
  toto::TaskQueue queue(4);
  toto::sync_wait(toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
    for (int i = 0; i < 50; ++i) {
      group.add(queue, [&ended](int by) { ended += by; }, 1);
      group.spawn(follow(queue.yield_task([] {}), ended));
      group.add(queue, [&](toto::TaskGroup& same) { same.add(queue, [&ended] { ++ended; }); }, std::ref(group));
      group.add(queue, [&ended]() -> toto::Task<std::string> {  // a coroutine in the queue, whose result is dropped
        co_await toto::TaskQueue::current()->schedule();
        ++ended;
        co_return "dropped";
      });
    }
    co_return;
  }));
  CHECK(ended == 200);
}

TEST_CASE("a group adds to views, named or temporary, whose bounds, priorities and tokens hold",
          "[task_group][views]") {
  std::atomic<int> running{0};
  std::atomic<bool> together{false};
  std::atomic<int> ended{0};
  toto::TaskQueue queue(4);
  const auto one_at_a_time = [&] {
    together = running.fetch_add(1) != 0 || together;
    std::this_thread::yield();
    --running;
    ++ended;
  };
  toto::sync_wait(toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
    const auto serial = queue.limited(1, "serial");
    for (int i = 0; i < 50; ++i) {
      group.add(serial, one_at_a_time);
      group.add(serial.with({.priority = 1}), one_at_a_time);
    }
    co_return;
  }));
  CHECK(ended == 100);
  CHECK_FALSE(together);

  toto::StopSource source;
  source.request_stop();
  CHECK_THROWS_AS(toto::sync_wait(toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
                    group.add(queue.with(source.get_token()), [&] { ++ended; });
                    co_return;
                  })),
                  toto::TaskCancelled);
  CHECK(ended == 100);
}

TEST_CASE("the first failure of a task cancels the rest and is thrown when all are over", "[task_group][K1][K2]") {
  std::atomic<bool> stopped{false};
  std::atomic<bool> body_was_told{false};
  std::atomic<bool> ran{false};
  std::atomic<int> unseen{0};
  Gate go;
  toto::TaskQueue queue(2);
  queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++unseen; });
  toto::EventLoop loop;
  const auto body = [&](toto::TaskGroup& group) -> toto::Task<int> {
    group.add(queue, [&](const toto::StopToken& token) {
      eventually([&] { return token.stop_requested(); });
      stopped = token.stop_requested();
      throw std::runtime_error("the second failure");
    });
    group.add(queue, [&go]() -> int {
      go.wait();
      throw std::runtime_error("the first failure");
    });
    eventually([&] { return queue.stats().running == 2; });
    group.add(queue, [](const toto::StopToken& token) { eventually([&] { return token.stop_requested(); }); });
    group.add(queue, [&ran] { ran = true; });  // behind that, which takes the failed one's thread
    go.open();
    while (!group.stop_token().stop_requested()) {
      co_await toto::sleep_for(std::chrono::milliseconds(1));
    }
    body_was_told = group.cancelled();
    group.add(queue, [&ran] { ran = true; });
    bool began = false;
    group.spawn([](bool& flag) -> toto::Task<> {
      flag = true;
      co_return;
    }(began));
    ran = ran || began;
    co_return 1;
  };
  CHECK_THROWS_WITH(loop.run_sync(toto::with_task_group(body)), "the first failure");
  CHECK(stopped);
  CHECK(body_was_told);
  queue.wait_idle();
  CHECK_FALSE(ran);
  CHECK(unseen == 1);
}

TEST_CASE("a failure of the body cancels the tasks, and is thrown when they are over", "[task_group]") {
  std::atomic<bool> ended{false};
  toto::TaskQueue queue;
  const auto add = [&](toto::TaskGroup& group) {
    group.add(queue,
              [&ended](const toto::StopToken& token) { ended = eventually([&] { return token.stop_requested(); }); });
    eventually([&] { return queue.stats().running == 1; });
  };
  SECTION("in the coroutine") {
    CHECK_THROWS_AS(toto::sync_wait(toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
                      add(group);
                      throw 1;
                      co_return;
                    })),
                    int);
  }
  SECTION("before there is one") {
    CHECK_THROWS_AS(toto::sync_wait(toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
                      add(group);
                      throw 1;
                    })),
                    int);
  }
  CHECK(ended);
}

TEST_CASE("a spawned coroutine that fails cancels the group", "[task_group]") {
  std::atomic<bool> ended{false};
  toto::TaskQueue queue;
  const auto body = [&](toto::TaskGroup& group) -> toto::Task<> {
    group.add(queue,
              [&ended](const toto::StopToken& token) { ended = eventually([&] { return token.stop_requested(); }); });
    eventually([&] { return queue.stats().running == 1; });
    group.spawn([]() -> toto::Task<> {
      co_await toto::sleep_for(std::chrono::milliseconds(1));
      throw std::runtime_error("spawned");
    }());
    co_return;
  };
  CHECK_THROWS_WITH(toto::sync_wait(toto::with_task_group(body)), "spawned");
  CHECK(ended);
}

TEST_CASE("cancelling a group is no failure", "[task_group][K1]") {
  std::atomic<int> ran{0};
  toto::TaskQueue queue;
  const auto body = [&](toto::TaskGroup& group) -> toto::Task<int> {
    group.add(queue, [](const toto::StopToken& token) {
      eventually([&] { return token.stop_requested(); });
      throw toto::TaskCancelled("as told");
    });
    eventually([&] { return queue.stats().running == 1; });
    for (int i = 0; i < 1'000; ++i) {
      group.add(queue, [&ran] { ++ran; });
    }
    group.cancel();
    group.cancel();
    co_return 3;
  };
  CHECK(toto::sync_wait(toto::with_task_group(body)) == 3);
  CHECK(ran == 0);
}

TEST_CASE("a task that somebody else cancels is a failure of the group", "[task_group][K8]") {
  toto::TaskQueue queue;
  const auto body = [&](toto::TaskGroup& group) -> toto::Task<> {
    HeldWorker held(queue);
    group.add(queue, [] {});
    queue.cancel_queued();
    co_return;
  };
  CHECK_THROWS_AS(toto::sync_wait(toto::with_task_group(body)), toto::TaskCancelled);
}

TEST_CASE("what is refused throws in the body, and the group stays whole", "[task_group][L5]") {
  std::atomic<int> ran{0};
  toto::TaskQueue open;
  toto::TaskQueue closed;
  closed.close();
  const auto body = [&](toto::TaskGroup& group) -> toto::Task<bool> {
    group.add(open, [&ran] { ++ran; });
    bool refused = false;
    try {
      group.add(closed, [&ran] { ++ran; });
    } catch (const toto::QueueClosed&) {
      refused = true;
    }
    try {
      group.spawn(toto::Task<>());
      refused = false;
    } catch (const toto::NoState&) {
    }
    co_return refused;
  };
  CHECK(toto::sync_wait(toto::with_task_group(body)));
  CHECK(ran == 1);
}

TEST_CASE("groups nest, and a failure goes up through them", "[task_group]") {
  std::atomic<int> ended{0};
  toto::TaskQueue queue(2);
  const auto body = [&](toto::TaskGroup& outer) -> toto::Task<> {
    outer.add(queue, [&ended](const toto::StopToken& token) {
      eventually([&] { return token.stop_requested(); });
      ++ended;
    });
    const auto inner = [&](toto::TaskGroup& group) -> toto::Task<> {
      group.add(queue, [&ended] {
        ++ended;
        throw 1;
      });
      co_return;
    };
    outer.spawn(toto::with_task_group(inner));
    co_return;
  };
  CHECK_THROWS_AS(toto::sync_wait(toto::with_task_group(body)), int);
  CHECK(ended == 2);
}

TEST_CASE("after its group a coroutine continues where it was", "[task_group][H1]") {
  toto::TaskQueue home;
  toto::TaskQueue away(2);
  const auto on_queue = [](toto::TaskQueue& mine, toto::TaskQueue& other) -> toto::Task<bool> {
    bool here = true;
    for (int i = 0; i < 100; ++i) {
      const auto body = [&](toto::TaskGroup& group) -> toto::Task<> {
        group.add(other, [] {});
        group.add(other, [] {});
        co_return;
      };
      co_await toto::with_task_group(body);
      here = here && toto::TaskQueue::current() == &mine;
    }
    co_return here;
  };
  CHECK(home.yield_task(on_queue, std::ref(home), std::ref(away)).get());
}

TEST_CASE("a group that is destroyed stops its tasks and waits for those that run", "[task_group][G8]") {
  Lifetimes lifetimes;
  std::atomic<bool> ended{false};
  std::atomic<bool> ran{false};
  std::atomic<bool> resumed{false};
  Gate begun;
  toto::TaskQueue queue;
  {
    const auto body = [&](toto::TaskGroup& group) -> toto::Task<> {
      const Counted local(lifetimes);
      group.add(queue, [&local, &begun, &ended](const toto::StopToken& token) {
        begun.open();
        eventually([&] { return token.stop_requested(); });
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        ended = local.lifetimes().alive() > 0;  // what it refers to is still there
      });
      group.add(queue, [&ran, &local] { ran = local.lifetimes().alive() > 0; });
      group.spawn([](const Counted& outer, std::atomic<bool>& after) -> toto::Task<> {
        co_await toto::sleep_for(std::chrono::hours(1));
        after = outer.lifetimes().alive() > 0;
      }(local, resumed));
      co_await toto::sleep_for(std::chrono::hours(1));
      resumed = true;
    };
    toto::EventLoop loop;
    loop.spawn(toto::with_task_group(body));
    loop.post([&] {
      begun.wait();
      loop.stop();
    });
    loop.run();
    CHECK_FALSE(ended);
  }
  CHECK(ended);
  CHECK_FALSE(ran);
  CHECK_FALSE(resumed);
  CHECK(lifetimes.alive() == 0);
}

TEST_CASE("a body may capture, and is kept until everything is over", "[task_group][E1]") {
  Lifetimes lifetimes;
  std::atomic<int> seen{0};
  toto::TaskQueue queue;
  {
    auto group = toto::with_task_group([&, capture = Counted(lifetimes)](toto::TaskGroup& tasks) -> toto::Task<> {
      tasks.add(queue, [&capture, &seen] { seen = capture.lifetimes().alive(); });
      co_return;
    });
    toto::sync_wait(group);
  }
  CHECK(seen > 0);
  CHECK(lifetimes.alive() == 0);
}
