// SPDX-License-Identifier: MIT
//
// Models of a task and its handle: completion against awaiting, dropping, destroying, cancelling, blocking.

#include <memory>
#include <optional>

#include "support/coroutines.hpp"
#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

toto::Task<> await_into(SimHandle<int> handle, int& result, Tally& resumed) {
  const int value = co_await handle;
  ++resumed;
  result = value;
}

toto::Task<> sleep_then(toto::Duration length, Tally& steps) {
  co_await toto::sleep_for<SimRuntime>(length);
  ++steps;
}

/// At that time; in eager time it may have become later.
bool woken_at(const Simulation& sim, std::chrono::nanoseconds time) {
  const auto elapsed = sim.elapsed().nanoseconds();
  return elapsed == time || (elapsed > time && !strict_time);
}

}  // namespace

TEST_CASE("completion that races with awaiting resumes the coroutine exactly once",
          "[simulation][G1][G2][G3][inv.I10]") {
  explore("completion against await", {}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    int result = 0;
    Tally resumed;
    loop.run_sync(await_into(queue.yield_task([] { return 7; }), result, resumed));
    require(result == 7 && resumed == 1, "resumed once, with the result");
  });
}

TEST_CASE("a coroutine on the queue continues on the worker that finished the task", "[simulation][H1][M3]") {
  explore("await inside the queue", {}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    const int value = queue
                          .yield_task(
                              [](SimQueue& own) -> toto::Task<int> {
                                const int inner = co_await own.yield_task([] { return 20; });
                                require(SimQueue::current() == &own, "back on the queue");
                                co_return inner + 1;
                              },
                              std::ref(queue))
                          .get();
    require(value == 21, "the result came through");
  });
}

TEST_CASE("a coroutine may have ended on another worker before the await that suspended it returns",
          "[simulation][G3][H1]") {
  explore("await beside another worker", {.deviations = 1}, [](Simulation& sim) {
    Tally ended;
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    queue.add_task([&]() -> toto::Task<> {
      require(co_await queue.yield_task([] { return 20; }) == 20, "the result");
      ++ended;
    });
    queue.wait_idle();
    require(ended == 1, "resumed once");
  });
}

TEST_CASE("a coroutine of one queue that awaits a task of another comes back", "[simulation][H1][H2]") {
  explore("await across queues", {.random_schedules = 8'000}, [](Simulation& sim) {
    SimQueue home(1, 5ms);
    SimQueue away(1, 5ms);
    const auto checks = watch(sim, home);
    const auto others = watch(sim, away);
    const int value = home.yield_task(
                              [](SimQueue& here, SimQueue& there) -> toto::Task<int> {
                                const int inner = co_await there.yield_task([] { return 20; });
                                require(SimQueue::current() == &here, "back at home");
                                co_return inner + 1;
                              },
                              std::ref(home), std::ref(away))
                          .get();
    require(value == 21, "the result came through");
  });
}

TEST_CASE("a coroutine whose queue gets no thread any more goes on where the task has ended", "[simulation][H1][S5]") {
  explore("await across queues, starts may fail", {.failing_starts = 1}, [](Simulation& sim) {
    Tally resumed;
    Tally refused;  // no thread for one of the two tasks
    {
      SimQueue home(1, 5ms);
      SimQueue away(1, 5ms);
      const auto checks = watch(sim, home);
      const auto others = watch(sim, away);
      const auto go = [&]() -> toto::Task<> {
        auto handle = away.yield_task([] {});
        co_await handle;
        require(SimQueue::current() == &home || SimQueue::current() == &away, "at home, or with the task");
        ++resumed;
      };
      try {
        home.yield_task(go).get();
      } catch (const std::system_error&) {
        ++refused;
      }
    }
    require(resumed + refused == 1, "once, unless it was refused");
  });
}

TEST_CASE("a handle dropped at any moment lets the task run and destroys the result once",
          "[simulation][G4][G5][G7][G23]") {
  explore("drop against completion", {}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      auto handle = queue.yield_task([&] {
        ++ran;
        return Counted(living);
      });
      SimRuntime::point("before the drop");
      handle = SimHandle<Counted>();
    }
    require(ran == 1 && living == 0, "it ran, and its result is gone");
  });
}

TEST_CASE("a coroutine destroyed on its loop while the task runs is never resumed", "[simulation][G8][G9][Q19]") {
  explore("destruction against completion", {}, [](Simulation& sim) {
    int result = 0;
    Tally resumed;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      {
        SimLoop loop;
        loop.spawn(await_into(queue.yield_task([] { return 7; }), result, resumed));
        loop.post([&] { loop.stop(); });
        loop.run();
        SimRuntime::point("before the destruction");
      }  // destroys the coroutine wherever its continuation is
      require(resumed <= 1, "at most once");
      const int before = resumed;
      queue.wait_idle();
      sim.sleep_for(1ms);
      require(resumed == before, "never after its destruction");
    }
  });
}

TEST_CASE("a coroutine whose loop is gone continues without a home", "[simulation][H2]") {
  explore("loop gone", {}, [](Simulation& sim) {
    Tally steps;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      auto loop = std::make_unique<SimLoop>();
      const auto home = loop->executor();
      auto outer = queue.yield_task(
          [](SimQueue& own, auto executor, Tally& count) -> toto::Task<> {
            auto inner = own.yield_task([] {});
            co_await std::move(inner).resume_on(executor);
            ++count;
          },
          std::ref(queue), home, std::ref(steps));
      SimRuntime::point("before the loop goes");
      loop.reset();
      outer.get();
    }
    require(steps == 1, "it went on");
  });
}

TEST_CASE("a coroutine that moves to a loop goes on once, on the loop or without a home", "[simulation][H2]") {
  explore("resume_on against the end of the loop", {}, [](Simulation& sim) {
    Tally steps;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      auto loop = std::make_unique<SimLoop>();
      auto outer = queue.yield_task(
          [](auto executor, SimQueue& own, Tally& count) -> toto::Task<> {
            co_await toto::resume_on<SimRuntime>(executor);
            ++count;
            co_await toto::resume_on<SimRuntime>(own);
            require(SimQueue::current() == &own, "and back on the queue");
            ++count;
          },
          loop->executor(), std::ref(queue), std::ref(steps));
      loop->post([&loop] { loop->stop(); });
      loop->run();
      SimRuntime::point("before the loop goes");
      loop.reset();
      outer.get();
    }
    require(steps == 2, "it went on");
  });
}

TEST_CASE("a coroutine that moves to a queue which has ended goes on where it is", "[simulation][H2][inv.I8]") {
  explore("resume_on after the end of the queue", {}, [](Simulation&) {
    Tally steps;
    const auto move_to = [&steps](auto executor) -> FireAndForget {
      co_await toto::resume_on<SimRuntime>(executor);
      ++steps;
    };
    auto queue = std::make_unique<SimQueue>(1, 5ms);
    const auto ended = queue->executor();
    queue->add_task([] {});
    queue.reset();
    move_to(ended);
    require(steps == 1, "at once");
  });
}

TEST_CASE("a blocking wait races with completion and the handle's destruction", "[simulation][J1][J5][J7]") {
  explore("get against completion", {.spurious_wakeups = 1}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    int value = 0;
    {
      auto handle = queue.yield_task([] { return 5; });
      value = handle.get();  // the state is destroyed as soon as the waiter has it
    }
    require(value == 5, "the value");
  });
}

TEST_CASE("a wait with a limit that races with completion leaves the handle whole", "[simulation][J2][J3][J4]") {
  explore("wait_for against completion", {.random_schedules = 6'000}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    auto handle = queue.yield_task([&] {
      sim.sleep_for(2ms);
      return 5;
    });
    static_cast<void>(handle.wait_for(0s));  // only looks
    const bool over = handle.wait_for(2ms);
    require(!over || handle.ready(), "true means over");
    require(handle.get() == 5, "the result is there in any case");
  });
}

TEST_CASE("a task polled by ready() may be freed the moment it is seen to be over", "[simulation][J4][J5]") {
  explore("ready against completion", {}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    auto handle = std::make_unique<SimHandle<int>>(queue.yield_task([] { return 5; }));
    static_cast<void>(handle->wait_for(1us));  // leaves the state's word as it was, or over
    while (!handle->ready()) {
      sim.sleep_for(1us);
    }
    handle.reset();
  });
}

TEST_CASE("several threads wait for one handle", "[simulation][J6]") {
  explore("two waiters", {.random_schedules = 8'000}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    const auto handle = queue.yield_task([] {});
    sim.run_threads({{"a", [&] { handle.wait(); }}, {"b", [&] { handle.wait(); }}});
    require(handle.ready(), "over");
  });
}

TEST_CASE("cancelling races with the dequeue: exactly one wins", "[simulation][K1][K2][K3][K4][J8][inv.I6]") {
  explore("cancel against dequeue", {}, [](Simulation& sim) {
    Tally living;
    bool ran = false;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    auto handle = queue.yield_task([&ran, captured = Counted(living)] { ran = true; });
    const bool cancelled = handle.cancel();
    if (cancelled) {
      require(living == 0, "the captures are destroyed at once");
      bool thrown = false;
      try {
        handle.get();
      } catch (const toto::TaskCancelled&) {
        thrown = true;
      }
      require(thrown && !ran, "it will never run");
    } else {
      handle.get();
      require(ran, "its result arrives");
    }
    queue.wait_idle();
    require(ran != cancelled, "exactly one of the two");
  });
}

TEST_CASE("cancelling a task races with a worker that claims what is in front of it",
          "[simulation][K4][inv.I7][inv.O2]") {
  explore("cancel against claim", {}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    queue.add_task([] {});  // whoever runs it comes to what is behind it
    auto handle = queue.yield_task([&ran] { ++ran; });
    const bool cancelled = handle.cancel();
    queue.wait_idle();
    require(ran == (cancelled ? 0 : 1), "exactly one of the two");
    require(queue.stats().cancelled == (cancelled ? 1U : 0U), "counted as what it was");
  });
}

TEST_CASE("cancelling a task in the middle leaves the others alone", "[simulation][K1][K9][inv.O2][inv.O3]") {
  explore("cancel in the middle", {.random_schedules = 6'000}, [](Simulation& sim) {
    std::string order;
    {
      SimGate gate;
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.add_task([&] { gate.wait(); });
      queue.add_task([&] { order += 'a'; });
      auto middle = queue.yield_task([&] { order += 'b'; });
      queue.add_task([&] { order += 'c'; });
      require(middle.cancel(), "it is queued behind a blocked task");
      const toto::QueueStats stats = queue.stats();
      require(stats.cancelled == 1 && stats.queued + stats.running == 3, "gone from the counts at once");
      gate.open();
    }
    require(order == "ac", "the others ran, in order");
  });
}

TEST_CASE("the last child of when_all resumes the coroutine once, in all orders", "[simulation][I2][I6]") {
  explore("when_all", {.random_schedules = 8'000}, [](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    Tally resumed;
    const auto both = [](SimQueue& on, Tally& times) -> toto::Task<int> {
      const auto [one, two] = co_await toto::when_all(on.yield_task([] { return 1; }), on.yield_task([] { return 2; }));
      ++times;
      co_return one * 10 + two;
    };
    require(loop.run_sync(both(queue, resumed)) == 12 && resumed == 1, "both, in order, once");
  });
}

TEST_CASE("when_all destroyed while its tasks run touches nothing afterwards", "[simulation][G8]") {
  explore("when_all destroyed", {.random_schedules = 8'000}, [](Simulation& sim) {
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      const auto both = [](SimQueue& on, Tally& count) -> toto::Task<> {
        auto first = on.yield_task([&count] { return Counted(count); });
        auto second = on.yield_task([&count] { return Counted(count); });
        co_await toto::when_all(first, second);
      };
      loop.spawn(both(queue, living));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    require(living == 0, "every result was destroyed");
  });
}

TEST_CASE("a blocking get() of the queue's only worker is refused", "[simulation][M1][H7]") {
  explore("get on the own worker", {}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    auto outer = queue.yield_task([&] {
      auto inner = queue.yield_task([] { return 1; });
      bool refused = false;
      try {
        static_cast<void>(inner.get());
      } catch (const toto::DeadlockError&) {
        refused = true;
      }
      return refused;
    });
    require(outer.get(), "DeadlockError");
  });
}

TEST_CASE("two workers that wait for each other's queued tasks are told", "[simulation][M2]") {
  // One deviation: each of the three threads blocks several times, and any may be the next.
  explore("two workers block", {.deviations = 1, .random_schedules = 8'000}, [](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    SimBarrier both(2);
    const auto task = [&] {
      both.arrive_and_wait();
      auto inner = queue.yield_task([] { return 1; });
      try {
        static_cast<void>(inner.get());
        return 0;
      } catch (const toto::DeadlockError&) {
        return 1;
      }
    };
    auto a = queue.yield_task(task);
    auto b = queue.yield_task(task);
    require(a.get() + b.get() >= 1, "the last one to block was told; the other made progress then");
  });
}

TEST_CASE("a slow program is never told of a deadlock", "[simulation][M2]") {
  explore("no false deadlock", {.random_schedules = 8'000}, [](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    auto outer = queue.yield_task([&] { return queue.yield_task([] { return 1; }).get(); });
    require(outer.get() == 1, "another worker ran it");
  });
}

TEST_CASE("a sleeping coroutine on a loop or a queue wakes at its time", "[simulation][K10]") {
  explore("sleep_for", {.random_schedules = 4'000}, [](Simulation& sim) {
    Tally steps;
    SimLoop loop;
    loop.run_sync(sleep_then(3ms, steps));
    require(steps == 1 && woken_at(sim, 3ms), "on a loop");
    SimQueue queue(1, 1ms);
    const auto checks = watch(sim, queue);
    queue.yield_task(sleep_then, toto::Duration(4ms), std::ref(steps)).get();
    require(steps == 2 && woken_at(sim, 7ms), "on a queue");
  });
}

TEST_CASE("a coroutine task is accepted work until it ends", "[simulation][L11][L15][inv.I8]") {
  explore("suspended while closing", {.failing_starts = 1, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally steps;
    Tally failed;  // no thread for it, or for the clock
    {
      SimQueue queue(1, 1ms);
      const auto checks = watch(sim, queue);
      queue.on_error([&failed](const std::exception_ptr&, const toto::TaskInfo&) { ++failed; });
      failed += add_if_possible(queue, [&steps] { return sleep_then(5ms, steps); }) ? 0 : 1;
    }
    require(steps + failed == 1, "the destructor waited for it");
  });
}

TEST_CASE("a task that throws anything leaves the worker alive and the order whole", "[simulation][F1][F3]") {
  explore("any exception", {}, [](Simulation& sim) {
    std::string order;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    Tally reported;
    queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) {
      ++reported;
      throw 'x';  // a hook that throws changes nothing
    });
    queue.add_task([] { throw 1; });
    auto thrower = queue.yield_task([&] {
      order += 'a';
      throw 2;
    });
    queue.add_task([&] { order += 'b'; });
    int caught = 0;
    try {
      thrower.get();
    } catch (int value) {
      caught = value;
    }
    queue.wait_idle();
    require(order == "ab" && caught == 2 && reported == 1, "each failure arrived where it belongs");
  });
}

TEST_CASE("of two coroutines that await one handle, one gets the result and the other one is told",
          "[simulation][G18]") {
  explore("two awaiters", {}, [](Simulation& sim) {
    Tally got;
    Tally refused;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    auto handle = queue.yield_task([] { return 6; });
    const auto reader = [](SimHandle<int>& shared, Tally& values, Tally& refusals) -> toto::Task<> {
      try {
        values += co_await shared;
      } catch (const toto::NoState&) {
        ++refusals;
      }
    };
    loop.spawn(reader(handle, got, refused));
    loop.spawn(reader(handle, got, refused));
    loop.run();
    require(got == 6 && refused == 1, "one got the result, the other one was told");
  });
}

TEST_CASE("a coroutine whose task is cancelled continues at its home, with TaskCancelled",
          "[simulation][K8][L15][L3]") {
  explore("cancelled while awaited", {}, [](Simulation& sim) {
    Tally cancelled;
    Tally resumed;
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      const auto waiter = [](SimHandle<Counted> handle, SimLoop& home, Tally& told, Tally& times) -> toto::Task<> {
        try {
          const Counted result = co_await handle;
        } catch (const toto::TaskCancelled&) {
          ++told;
        }
        require(SimLoop::current() == &home, "on its loop");
        ++times;
      };
      loop.spawn(waiter(queue.yield_task([&living] { return Counted(living); }), loop, cancelled, resumed));
      sim.spawn("closer", [&] { queue.close(toto::Pending::cancel); });
      loop.run();
      sim.join_all();
      queue.wait_idle();
      require(queue.stats().cancelled == (cancelled == 1 ? 1U : 0U), "told the truth");
    }
    require(resumed == 1 && living == 0, "once, and nothing is left behind");
  });
}
