// SPDX-License-Identifier: MIT
//
// Models of when_any, when_all_or_cancel and TaskGroup: the ends of several tasks against each other, against being
// cancelled, and against the destruction of the coroutine that waits for them.

#include <functional>
#include <memory>
#include <utility>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

using SimGroup = toto::BasicTaskGroup<SimRuntime>;
using SimStopToken = SimRuntime::StopToken;

}  // namespace

TEST_CASE("of two tasks that race, one wins, and the coroutine goes on once, with its result", "[simulation][I7][I6]") {
  explore("when_any", kOnlyOrder, [](Simulation& sim) {
    Tally living;
    Tally resumed;
    {
      SimQueue queue(2, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      const auto race = [](SimQueue& on, Tally& count, Tally& times) -> toto::Task<> {
        SimHandle<std::pair<int, Counted>> handles[2];
        for (int i = 0; i < 2; ++i) {
          handles[i] = on.yield_task([&count, i] { return std::pair<int, Counted>(i, Counted(count)); });
        }
        auto any = co_await toto::when_any(handles[0], handles[1]);
        ++times;
        require(any.index == static_cast<std::size_t>(any.result.first), "the index is the winner's");
      };
      loop.run_sync(race(queue, living, resumed));
    }
    require(resumed == 1, "once");
    require(living == 0, "every result was destroyed");
  });
}

TEST_CASE("a loser is cancelled before it runs, or runs to its end: never both", "[simulation][I7][K4]") {
  explore("when_any cancels", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    const auto race = [](SimQueue& on, Tally& count, Tally& runs) -> toto::Task<> {
      auto first = on.yield_task([] { return 1; });
      auto second = on.yield_task([&runs, capture = Counted(count)] {
        ++runs;
        return 2;
      });
      const auto any = co_await toto::when_any(first, second);
      require(any.index == 0 && any.result == 1, "in the order of the queue");
    };
    loop.run_sync(race(queue, living, ran));
    queue.wait_idle();
    const toto::QueueStats stats = queue.stats();
    require(living == 0, "its captures are destroyed");
    require(static_cast<std::size_t>(ran) + stats.cancelled == 1, "one of the two");
  });
}

TEST_CASE("a loser that cannot have begun is cancelled before the coroutine goes on", "[simulation][I7][K1]") {
  explore("when_any cancels at once", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    {
      SimGate gate;
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      const auto race = [](SimQueue& on, SimGate& closed, Tally& count, Tally& runs) -> toto::Task<> {
        auto first = on.yield_task([] { return 1; });
        on.add_task([&closed] { closed.wait(); });
        auto second = on.yield_task([&runs, capture = Counted(count)] {
          ++runs;
          return 2;
        });
        const auto any = co_await toto::when_any(second, first);
        require(any.index == 1, "the other one cannot run");
        require(count == 0, "its captures are gone at once");
      };
      loop.run_sync(race(queue, gate, living, ran));
      gate.open();
    }
    require(ran == 0, "it never runs");
  });
}

TEST_CASE("when_any destroyed while its tasks run touches nothing afterwards", "[simulation][I10][G8]") {
  explore("when_any destroyed", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      const auto race = [](SimQueue& on, Tally& count) -> toto::Task<> {
        const auto follow = [](SimHandle<Counted> handle) -> toto::Task<Counted> { co_return co_await handle; };
        auto first = on.yield_task([&count] { return Counted(count); });
        auto second = follow(on.yield_task([&count] { return Counted(count); }));
        co_await toto::when_any(first, second);
      };
      loop.spawn(race(queue, living));
      loop.post([&] { loop.stop(); });
      loop.run();
      SimRuntime::point("before the destruction");
    }
    require(living == 0, "every result was destroyed");
  });
}

TEST_CASE("a task that lost ends by itself, wherever its coroutine is by then", "[simulation][I7]") {
  explore("when_any leaves a task", kOnlyOrder, [](Simulation& sim) {
    Tally living;
    Tally ended;
    {
      SimQueue queue(2, 5ms);
      const auto checks = watch(sim, queue);
      const auto race = [](SimQueue& on, Tally& count, Tally& ends) -> toto::Task<> {
        const auto slow = [](SimHandle<void> handle, Tally& times, Counted) -> toto::Task<> {
          co_await handle;
          ++times;
        };
        auto fast = on.yield_task([] {});
        auto task = slow(on.yield_task([] {}), ends, Counted(count));
        co_await toto::when_any(task, fast);
      };
      queue.yield_task(race, std::ref(queue), std::ref(living), std::ref(ended)).get();
    }
    require(ended <= 1 && living == 0, "its frame is gone");
  });
}

TEST_CASE("when_all_or_cancel throws the first failure when all are over", "[simulation][I3][K4][inv.S2][inv.S3]") {
  explore("when_all_or_cancel", kOnlyOrder, [](Simulation& sim) {
    Tally living;
    Tally over;
    int thrown = 0;
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
    SimLoop loop;
    const auto all = [](SimQueue& on, Tally& count, Tally& ends, int& what) -> toto::Task<> {
      auto failing = on.yield_task([]() -> int { throw 7; });
      auto other = on.yield_task([&ends, capture = Counted(count)] { ++ends; });
      try {
        co_await toto::when_all_or_cancel(other, failing);
      } catch (int value) {
        what = value;
        require(count == 0, "nothing is left behind");
        const int before = ends;
        SimRuntime::point("after the end");
        require(ends == before, "nothing runs any more");
      }
    };
    loop.run_sync(all(queue, living, over, thrown));
    require(thrown == 7, "the failure");
  });
}

TEST_CASE("a group is over when the last of its tasks is, in all orders", "[simulation][I6]") {
  explore("task group", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally ended;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    const auto body = [&](SimGroup& group) -> toto::Task<int> {
      group.add(queue, [&ended] { ++ended; });
      group.spawn([](SimQueue& on, Tally& count) -> toto::Task<> {
        co_await on.yield_task([] {});
        ++count;
      }(queue, ended));
      co_return 5;
    };
    auto group = toto::with_task_group<SimRuntime>(body);
    require(loop.run_sync(group) == 5, "the body's result");
    require(ended == 2, "nothing outlives its scope");
  });
}

TEST_CASE("two tasks of a group that fail cancel it once", "[simulation][K4][inv.S1]") {
  explore("task group fails", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    int thrown = 0;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
    SimLoop loop;
    const auto body = [&](SimGroup& group) -> toto::Task<> {
      group.add(queue, [] { throw 1; });
      group.add(queue, [capture = Counted(living)](const SimStopToken&) { throw 2; });
      co_return;
    };
    auto group = toto::with_task_group<SimRuntime>(body);
    try {
      loop.run_sync(group);
    } catch (int value) {
      thrown = value;
    }
    require(thrown == 1, "the first failure");
    require(living == 0, "nothing outlives its scope");
  });
}

TEST_CASE("cancelling a group races with its tasks: each runs to its end, or not at all", "[simulation][K4]") {
  explore("task group cancelled", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    const auto body = [&](SimGroup& group) -> toto::Task<> {
      group.add(queue, [&ran, capture = Counted(living)] { ++ran; });
      group.cancel();
      group.add(queue, [&ran] { ran += 100; });
      co_return;
    };
    auto group = toto::with_task_group<SimRuntime>(body);
    loop.run_sync(group);
    require(living == 0, "over");
    const toto::QueueStats stats = queue.stats();
    require(static_cast<std::size_t>(ran) + stats.cancelled == 1, "one of the two");
  });
}

TEST_CASE("a group destroyed with its loop waits for the tasks that run", "[simulation][G8]") {
  explore("task group destroyed", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      {
        SimLoop loop;
        const auto body = [&](SimGroup& group) -> toto::Task<> {
          const Counted local(living);
          group.add(queue, [&] {
            SimRuntime::point("in the task");
            require(living == 1, "what it refers to is still there");
            ++ran;
          });
          co_await queue.yield_task([] {});
        };
        loop.spawn(toto::with_task_group<SimRuntime>(body));
        loop.post([&] { loop.stop(); });
        loop.run();
        SimRuntime::point("before the destruction");
      }
      require(living == 0, "nothing outlives its scope");
      const int before = ran;
      queue.wait_idle();
      require(ran == before, "not afterwards");
    }
  });
}

TEST_CASE("a group destroyed with its loop after a failure does not wait for that loop", "[simulation][G8]") {
  explore("task group failed and destroyed", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
      SimLoop loop;
      const auto body = [&](SimGroup& group) -> toto::Task<> {
        const Counted local(living);
        group.add(queue, [] { throw 1; });
        group.add(queue, [capture = Counted(living)] {});
        co_await queue.yield_task([] {});
      };
      loop.spawn(toto::with_task_group<SimRuntime>(body));
      loop.post([&] { loop.stop(); });
      try {
        loop.run();
      } catch (int) {
      }
      SimRuntime::point("before the destruction");
    }
    require(living == 0, "nothing outlives its scope");
  });
}

TEST_CASE("when all that race fail, the first failure is the outcome", "[simulation][I9]") {
  explore("when_any fails", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    int thrown = 0;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
      SimLoop loop;
      const auto race = [](SimQueue& on, Tally& count, int& what) -> toto::Task<> {
        auto first = on.yield_task([capture = Counted(count)] { throw 1; });
        auto second = on.yield_task([capture = Counted(count)] { throw 2; });
        try {
          co_await toto::when_any(second, first);
        } catch (int value) {
          what = value;
        }
      };
      loop.run_sync(race(queue, living, thrown));
    }
    // Both may have ended before they are awaited: then the first argument wins.
    require(thrown == 1 || thrown == 2, "one of the two");
    require(living == 0, "nothing is left behind");
  });
}

TEST_CASE("the first failure cancels what has not begun", "[simulation][I3][K4]") {
  explore("when_all_or_cancel cancels", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally ran;
    bool failed = false;
    SimGate gate;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      const auto all = [](SimQueue& on, SimGate& closed, Tally& runs, bool& thrown) -> toto::Task<> {
        auto failing = on.yield_task([] { throw 7; });
        on.add_task([&closed] { closed.wait(); });
        auto other = on.yield_task([&runs] { ++runs; });
        try {
          co_await toto::when_all_or_cancel(other, failing);
        } catch (int) {
          thrown = true;
        }
      };
      loop.run_sync(all(queue, gate, ran, failed));
      gate.open();
    }
    require(failed && ran == 0, "told at once; the other one never ran");
  });
}

TEST_CASE("when_all_settled waits for all, and keeps each outcome", "[simulation][I2][I3][I6]") {
  explore("when_all_settled", kOnlyOrder, [](Simulation& sim) {
    Tally living;
    Tally resumed;
    {
      SimQueue queue(2, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      const auto both = [](SimQueue& on, Tally& count, Tally& times) -> toto::Task<> {
        auto failing = on.yield_task([]() -> int { throw 7; });
        auto other = on.yield_task([&count] { return Counted(count); });
        auto [bad, good] = co_await toto::when_all_settled(failing, other);
        ++times;
        require(!bad && bad.exception() != nullptr && good.has_value(), "each as it ended");
      };
      loop.run_sync(both(queue, living, resumed));
    }
    require(resumed == 1 && living == 0, "once, and nothing is left behind");
  });
}

TEST_CASE("the first failure cancels what is queued behind it on the coroutine's own queue", "[simulation][K1][K4]") {
  explore("task group fails at home", {.random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    bool failed = false;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      const auto body = [&](SimGroup& group) -> toto::Task<> {
        group.add(queue, [] { throw 7; });
        for (int i = 0; i < 2; ++i) {
          group.add(queue, [&ran, capture = Counted(living)] { ++ran; });
        }
        co_return;
      };
      auto all = queue.yield_task([&]() -> toto::Task<> { co_await toto::with_task_group<SimRuntime>(body); });
      try {
        all.get();
      } catch (int) {
        failed = true;
      }
    }
    require(failed && ran == 0 && living == 0, "told at once; nothing of the rest ran");
  });
}

TEST_CASE("with two threads a failure cancels what is queued on the coroutine's own queue, once", "[simulation][K4]") {
  // Three threads that wait for each other.
  explore("task group fails at home, two threads", {.deviations = 1, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    bool failed = false;
    std::size_t cancelled = 0;
    {
      SimQueue queue(2, 5ms);
      const auto checks = watch(sim, queue);
      queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
      const auto body = [&](SimGroup& group) -> toto::Task<> {
        for (int i = 0; i < 2; ++i) {
          group.add(queue, [&ran, capture = Counted(living)] { ++ran; });
        }
        group.spawn([]() -> toto::Task<> {
          throw 7;
          co_return;
        }());
        co_return;
      };
      auto all = queue.yield_task([&]() -> toto::Task<> { co_await toto::with_task_group<SimRuntime>(body); });
      try {
        all.get();
      } catch (int) {
        failed = true;
      }
      queue.wait_idle();
      cancelled = queue.stats().cancelled;
    }
    require(failed && living == 0, "over");
    require(static_cast<std::size_t>(ran) + cancelled == 2, "each ran, or was cancelled");
  });
}

TEST_CASE("a race that is won elsewhere takes the losers out of the coroutine's own queue", "[simulation][I7][K1]") {
  // Three threads that wait for each other.
  explore("when_any at home", {.deviations = 1, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    {
      SimQueue queue(1, 5ms);
      SimQueue other(1, 5ms);
      const auto checks = watch(sim, queue);
      SimGate won;
      auto race = queue.yield_task([&]() -> toto::Task<> {
        auto winner = other.yield_task([&won] { won.wait(); });
        auto holder = queue.yield_task([&] {
          won.open();
          other.wait_idle();  // the winner has notified
        });
        auto loser = queue.yield_task([&ran, capture = Counted(living)] { ++ran; });
        const auto any = co_await toto::when_any(winner, holder, loser);
        require(any.index == 0, "the first");
      });
      race.get();
      queue.wait_idle();
    }
    require(ran == 0 && living == 0, "it never began");
  });
}
