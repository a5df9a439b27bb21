// SPDX-License-Identifier: MIT
//
// A first failure, or the winner of a race, cancels what is queued, even if the queue that must do so is busy: it does
// that before anything else.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::TaskQueue;

namespace {

constexpr int kRest = 30;

enum class Failing { task, task_of_handles, body, spawned };

/// What must be cancelled: holds its worker until it is asked to stop; not for long, so that one that is not asked does
/// not hold up the test.
struct Rest {
  std::atomic<int>& ran;
  void operator()(const toto::StopToken& token) const {
    ++ran;
    eventually([&] { return token.stop_requested(); }, 20ms);
  }
};

[[noreturn]] void fail() {
  throw std::runtime_error("the first failure");
}

toto::Task<> spawned() {
  fail();
  co_return;
}

/// A coroutine on `queue`, whose home that is, with tasks on the same queue. How many ran besides the one that failed.
int rest_that_ran(TaskQueue& queue, Failing failing, int priority = 0) {
  std::atomic<int> ran{0};
  Gate all_added;
  const auto view = queue.with({.priority = priority});
  const auto body = [&](toto::TaskGroup& group) -> toto::Task<> {
    if (failing == Failing::task) {
      group.add(queue, [&] {
        all_added.wait();
        fail();
      });
    }
    for (int i = 0; i < kRest; ++i) {
      group.add(view, Rest{ran});
    }
    all_added.open();
    if (failing == Failing::spawned) {
      group.spawn(spawned());
    } else if (failing == Failing::body) {
      fail();
    }
    co_return;
  };
  const auto use = [&]() -> toto::Task<> {
    if (failing == Failing::task_of_handles) {
      std::vector<toto::TaskHandle<>> handles;
      handles.push_back(queue.yield_task([&] {
        all_added.wait();
        fail();
      }));
      for (int i = 0; i < kRest; ++i) {
        handles.push_back(view.yield_task(Rest{ran}));
      }
      all_added.open();
      co_await toto::when_all_or_cancel(std::move(handles));
    } else {
      co_await toto::with_task_group(body);
    }
  };
  auto all = queue.yield_task(use);
  CHECK_THROWS_WITH(all.get(), "the first failure");
  return ran;
}

}  // namespace

TEST_CASE("the first failure cancels what is queued on the coroutine's own queue",
          "[task_group][when_all_or_cancel][K1]") {
  const auto failing = GENERATE(Failing::task, Failing::task_of_handles, Failing::body, Failing::spawned);
  INFO("what fails: " << static_cast<int>(failing));
  SECTION("with one thread") {
    TaskQueue queue(1);
    CHECK(rest_that_ran(queue, failing) == 0);
  }
  SECTION("with two threads, of which one may have begun with the next") {
    TaskQueue queue(2);
    CHECK(rest_that_ran(queue, failing) <= 2);
  }
  if (failing == Failing::body || failing == Failing::spawned) {
    SECTION("with one thread, though that is urgent") {
      TaskQueue queue(1);
      CHECK(rest_that_ran(queue, failing, 3) == 0);
    }
  }
}

TEST_CASE("a busy queue cancels what a failure leaves before it does anything else", "[task_group][K1]") {
  std::atomic<int> ran{0};
  Gate home_is_full;
  Gate failed;
  Gate release;
  Gate held;
  TaskQueue home({.name = "home"});
  TaskQueue queue({.name = "queue"});
  std::atomic<int> cancelled{-1};
  const auto body = [&](toto::TaskGroup& group) -> toto::Task<> {
    group.add(queue, [&] {
      home_is_full.wait();
      fail();
    });
    queue.add_task([&] {
      failed.open();
      release.wait();
    });
    for (int i = 0; i < kRest; ++i) {
      group.add(queue, Rest{ran});
    }
    co_return;
  };
  auto all = home.yield_task([&]() -> toto::Task<> { co_await toto::with_task_group(body); });
  home.add_task([&] {
    held.open();
    failed.wait();
  });
  home.add_task([&] { cancelled = static_cast<int>(queue.stats().cancelled); });
  REQUIRE(held.wait());
  home_is_full.open();
  CHECK(eventually([&] { return cancelled >= 0; }));
  CHECK(cancelled == kRest);
  release.open();
  CHECK_THROWS_WITH(all.get(), "the first failure");
  CHECK(ran == 0);
}

TEST_CASE("after a race a coroutine cancels the losers before they begin on its own queue", "[when_any][I7]") {
  std::atomic<int> ran{0};
  Gate won;
  TaskQueue queue({.name = "queue"});
  TaskQueue other({.name = "other"});
  std::atomic<int> ran_before{-1};
  auto race = queue.yield_task([&]() -> toto::Task<> {
    std::vector<toto::TaskHandle<>> handles;
    handles.push_back(other.yield_task([&] { won.wait(); }));
    for (int i = 0; i < kRest; ++i) {
      handles.push_back(queue.yield_task([&] {
        if (++ran == 1) {
          won.open();
          other.wait_idle();  // the winner has notified
        }
      }));
    }
    const auto any = co_await toto::when_any(std::move(handles));
    ran_before = any.index == 0 ? ran.load() : -1;
  });
  race.get();
  queue.wait_idle();
  CHECK(ran_before == 1);
  CHECK(ran == 1);
}

namespace {

toto::Task<> end_on(TaskQueue& queue, bool fails, Counted) {
  co_await queue.call([] {});
  if (fails) {
    fail();
  }
}

}  // namespace

TEST_CASE("a Task whose result is not taken because another one failed has gone when the coroutine continues",
          "[when_all][task_group][G8]") {
  Lifetimes parameters;
  const auto left = [](TaskQueue& queue, Lifetimes& counted, Failing how) -> toto::Task<int> {
    try {
      auto first = end_on(queue, true, Counted(counted));
      auto second = end_on(queue, false, Counted(counted));
      if (how == Failing::task) {
        auto both = toto::when_all(std::move(first), std::move(second));
        co_await std::move(both);
      } else if (how == Failing::task_of_handles) {
        auto both = toto::when_all_or_cancel(std::move(first), std::move(second));
        co_await std::move(both);
      } else {
        const auto body = [&](toto::TaskGroup& group) -> toto::Task<> {
          group.spawn(std::move(first));
          group.spawn(std::move(second));
          co_return;
        };
        co_await toto::with_task_group(body);
      }
    } catch (const std::runtime_error&) {
      co_return counted.alive();
    }
    co_return -1;
  };
  TaskQueue queue;
  for (const Failing how : {Failing::task, Failing::task_of_handles, Failing::spawned}) {
    toto::EventLoop loop;
    CHECK(loop.run_sync(left(queue, parameters, how)) == 0);
  }
}

TEST_CASE("a Task that has ended goes with the coroutine that awaits it and others", "[when_all][G8]") {
  Lifetimes parameters;
  Gate gate;
  TaskQueue queue;
  {
    toto::EventLoop loop;
    loop.spawn([](TaskQueue& on, Lifetimes& counted, Gate& until) -> toto::Task<> {
      auto ended = [](Counted) -> toto::Task<int> { co_return 1; }(Counted(counted));
      auto runs = on.yield_task([&until] {
        until.wait();
        return 1;
      });
      auto both = toto::when_all_or_cancel(std::move(ended), std::move(runs));
      co_await std::move(both);
    }(queue, parameters, gate));
    loop.post([&loop] { loop.stop(); });
    loop.run();
    CHECK(parameters.alive() == 1);
  }
  CHECK(parameters.alive() == 0);
  gate.open();
}
