// SPDX-License-Identifier: MIT
//
// Models of a queue's life: adding, the idle timeout, reuse, closing, destruction. Each is explored exhaustively with
// two deviations, unless it says why not; see support/explore.hpp.

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "support/coroutines.hpp"
#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

TEST_CASE("one thread runs tasks in the order of adding", "[simulation][A1][A10][inv.O1][inv.O3][inv.I12]") {
  explore("one thread, order of adding", {}, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.add_task([&] { order += '1'; });
      auto second = queue.yield_task([&] { order += '2'; });
      queue.add_task([&] { order += '3'; });
      std::move(second).detach();
    }
    require(order == "123", "tasks ran in order");
  });
}

TEST_CASE("two producers on one queue each keep their own order", "[simulation][A2]") {
  explore("two producers", {.failing_starts = 1, .random_schedules = 8'000}, [](Simulation& sim) {
    std::string order;
    Tally accepted;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      const auto add = [&](char name) {
        accepted += add_if_possible(queue, [&order, name] { order += name; }) ? 1 : 0;
      };
      sim.run_threads({{"a",
                        [&] {
                          add('a');
                          add('b');
                        }},
                       {"b", [&] { add('x'); }}});
    }
    require(static_cast<int>(order.size()) == accepted, "what was accepted ran");
    const std::size_t b = order.find('b');
    require(b == std::string::npos || order.find('a', b) == std::string::npos, "in its producer's order");
  });
}

TEST_CASE("tasks begin in the order of the queue with two threads", "[simulation][A3][inv.I7][inv.O1]") {
  explore("two threads claim in order", {}, [](Simulation& sim) {
    SimRuntime::Atomic<int> stamp{0};
    int stamps[3] = {};
    {
      SimQueue queue(2, 5ms);
      const auto checks = watch(sim, queue);
      for (int i = 0; i < 3; ++i) {
        queue.add_task([&stamp, mine = &stamps[i]] { *mine = stamp.fetch_add(1) + 1; });
      }
    }
    // A worker may pause between its claim and its stamp, but the other one cannot claim the third task before
    // the second.
    require(stamps[0] + stamps[1] + stamps[2] == 6 && stamps[2] >= 2, "claims ascend");
  });
}

TEST_CASE("never more tasks run at once than there are threads", "[simulation][A4][A5][inv.I5]") {
  explore("bound of running tasks", {}, [](Simulation& sim) {
    Tally running;
    Tally most;
    {
      SimQueue queue(2, toto::Duration());
      const auto checks = watch(sim, queue);
      for (int i = 0; i < 3; ++i) {
        queue.add_task([&] {
          most += std::max(0, ++running - most);
          SimRuntime::point("inside a task");
          --running;
        });
      }
    }
    require(most >= 1 && most <= 2 && running == 0, "at most two at once");
  });
}

TEST_CASE("two tasks of a one-thread queue never overlap across the replacement of its thread",
          "[simulation][A5][B5]") {
  explore("no overlap at timeout 0", {.failing_starts = 1}, [](Simulation& sim) {
    bool inside = false;
    Tally ran;
    Tally accepted;
    {
      SimQueue queue(1, toto::Duration());
      const auto checks = watch(sim, queue);
      const auto task = [&] {
        require(!inside, "one task at a time");
        inside = true;
        SimRuntime::point("inside a task");
        inside = false;
        ++ran;
      };
      accepted += add_if_possible(queue, task) ? 1 : 0;
      sim.sleep_for(1ms);
      accepted += add_if_possible(queue, task) ? 1 : 0;
      accepted += add_if_possible(queue, task) ? 1 : 0;
    }
    require(ran == accepted, "what was accepted ran");
  });
}

TEST_CASE("a task may add a task to its own queue", "[simulation][A7]") {
  explore("task adds a task", {}, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.add_task([&] {
        queue.add_task([&] { order += 'c'; });
        order += 'a';
      });
      queue.yield_task([&] { order += 'b'; }).get();
      queue.wait_idle();
    }
    require(order.size() == 3 && order.find('a') < order.find('c'), "it ran, after the one that added it");
  });
}

TEST_CASE("an idle thread leaves exactly at its timeout after the end of the task", "[simulation][B1][B11][B16][O1]") {
  explore("exact expiry", {.random_schedules = 1'000}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    require(queue.size() == 0 && sim.threads_started() == 0, "no thread before the first task");
    queue
        .yield_task([&] {
          sim.sleep_for(7ms);  // longer than the timeout: a busy thread is not idle
          require(queue.stats().idle == 0 && queue.size() == 1, "not counted as idle");
        })
        .get();
    const toto::Duration end = sim.elapsed();
    require(end == toto::Duration(7ms) || !strict_time, "the task took its time");
    sim.sleep_for(4999us);
    require(queue.size() == 1 || sim.elapsed().nanoseconds() >= 12ms, "alive just before the timeout");
    sim.sleep_for(2us);
    require(queue.size() == 0 || !strict_time, "gone just after it");
    queue.yield_task([] {}).get();
    require(sim.threads_started() == 2 || !strict_time, "a fresh thread ran the next task");
  });
}

TEST_CASE("a task added while the last worker times out still runs",
          "[simulation][B2][B3][B4][B14][inv.I1][inv.I2][inv.O3]") {
  explore("expiry against add", {.failing_starts = 1, .random_schedules = 40'000}, [](Simulation& sim) {
    Tally ran;
    Tally accepted;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    for (int i = 0; i < 2; ++i) {
      if (i > 0) {
        sim.sleep_for(5ms);
      }
      try {
        queue.yield_task([&] { ++ran; }).get();
        ++accepted;
      } catch (const std::system_error&) {
      }
    }
    require(ran == accepted && accepted >= 1, "what was accepted ran");
    require(sim.threads_started() <= 2, "at most one further thread");
  });
}

TEST_CASE("no task is lost at the idle timeout with two adders and two threads", "[simulation][A8][B3][B4]") {
  // One deviation: main, the other adder, a worker and the next one make four threads.
  explore("expiry against two adders", {.deviations = 1, .random_schedules = 60'000}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    queue.add_task([&] { ++ran; });
    const auto add = [&] {
      sim.sleep_for(5ms);
      queue.add_task([&] { ++ran; });
    };
    sim.spawn("other", add);
    add();
    sim.join_all();
    queue.wait_idle();
    require(ran == 3, "all ran");
  });
}

TEST_CASE("with an idle timeout of 0 every task runs and every thread leaves", "[simulation][B5][B12]") {
  explore("timeout 0", {.random_schedules = 8'000}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(1, toto::Duration());
    const auto checks = watch(sim, queue);
    for (int i = 0; i < 3; ++i) {
      queue.yield_task([&] { ++ran; }).get();
    }
    require(ran == 3, "all ran");
    while (queue.size() != 0) {  // a livelock if a thread stays
      sim.sleep_for(1ms);
    }
  });
}

TEST_CASE("a thread with an unlimited idle timeout stays", "[simulation][B6]") {
  explore("unlimited timeout", {.random_schedules = 0}, [](Simulation& sim) {
    SimQueue queue(1, std::chrono::hours::max());
    const auto checks = watch(sim, queue);
    queue.yield_task([] {}).get();
    sim.sleep_for(std::chrono::hours(24 * 365));
    require(queue.size() == 1, "still there after a year");
  });
}

TEST_CASE("a spurious wake-up neither ends a thread early nor extends its deadline", "[simulation][B7]") {
  explore("spurious wake-ups", {.spurious_wakeups = 2, .random_schedules = 2'000}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    queue.yield_task([] {}).get();
    sim.sleep_for(4999us);
    require(queue.size() == 1 || sim.elapsed().nanoseconds() >= 5ms, "alive just before the timeout");
    sim.sleep_for(2us);
    require(queue.size() == 0 || !strict_time, "gone just after it");
  });
}

TEST_CASE("a worker whose task was taken by another keeps its remaining idle time", "[simulation][B8]") {
  const auto model = [](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    SimBarrier both(2);
    std::chrono::nanoseconds first = 1h;
    std::chrono::nanoseconds last = 0s;
    std::set<const void*> workers;
    SimRuntime::Mutex mutex;
    const auto note = [&] {
      const toto::detail::Lock lock(mutex);
      last = sim.elapsed().nanoseconds();
      first = std::min(first, last);
      struct OfThisThread;
      workers.insert(&SimRuntime::Local<int, OfThisThread>::get());
    };
    const auto meet = [&] {
      both.arrive_and_wait();
      note();
    };
    queue.add_task(meet);
    queue.add_task(meet);
    queue.wait_idle();  // two idle threads
    const auto all_stay = sim.on_step([&, until = first + 5ms] {
      sim.check(queue.size() >= 2 || sim.elapsed().nanoseconds() >= until, "nobody left before its own deadline");
    });
    sim.sleep_for(3ms);
    workers.clear();
    queue.add_task(note);
    queue.add_task(note);
    queue.wait_idle();
    sim.sleep_for(2001us);
    require(queue.size() >= 1 || sim.elapsed().nanoseconds() >= last + 5ms, "whoever ran something is alive");
    require(queue.size() == workers.size() || !strict_time, "and nobody else");
    sim.sleep_for(3ms);
    require(queue.size() == 0 || !strict_time, "all have left at 5 ms after the last task");
  };
  explore("stolen wake-up", {.eager = false}, model);
  // One deviation: an early expiry lets any of three threads be the next, many times.
  explore("stolen wake-up, eager", {.deviations = 1, .random_schedules = 2'000}, model);
}

TEST_CASE("surplus threads expire while one is kept busy", "[simulation][B9][B10]") {
  const auto model = [](Simulation& sim) {
    SimQueue queue(2, 4ms);
    const auto checks = watch(sim, queue);
    SimBarrier both(2);
    queue.add_task([&] { both.arrive_and_wait(); });
    queue.add_task([&] { both.arrive_and_wait(); });
    queue.wait_idle();
    require(queue.size() == 2 || !strict_time, "two threads");
    for (int i = 0; i < 2; ++i) {
      sim.sleep_for(2500us);  // never at the moment of a deadline, when either side may be first
      queue.yield_task([] {}).get();
    }
    require(queue.size() == 1 || !strict_time, "exactly one is left");
  };
  explore("surplus expires", {.eager = false}, model);
  // One deviation: an early expiry lets any of three threads be the next, many times.
  explore("surplus expires, eager", {.deviations = 1, .random_schedules = 2'000}, model);
}

TEST_CASE("an idle thread is reused before one is started", "[simulation][C1][C2][C6]") {
  explore("reuse", {.random_schedules = 4'000}, [](Simulation& sim) {
    SimQueue queue(3, 1s);
    const auto checks = watch(sim, queue);
    for (int i = 0; i < 3; ++i) {
      queue.yield_task([] {}).get();
      queue.wait_idle();
    }
    require(sim.threads_started() == 1 || !strict_time, "one thread served three tasks, one after another");
  });
}

TEST_CASE("no thread is started while a worker is on its way, though another one has woken up by itself",
          "[simulation][C6][inv.I3]") {
  explore("one is on its way", {.deviations = 1, .spurious_wakeups = 1, .random_schedules = 20'000},
          [](Simulation& sim) {
            SimQueue queue(3, toto::Duration::never());
            SimBarrier both(2);
            SimGate gate;
            queue.add_task([&] { both.arrive_and_wait(); });
            queue.add_task([&] { both.arrive_and_wait(); });
            queue.wait_idle();
            const auto checks =
                sim.on_step([&] { sim.check(queue.stats().threads == 2, "two threads are enough for two tasks"); });
            queue.add_task([&] { gate.wait(); });  // may be taken by the one that was not woken for it
            queue.add_task([] {});
            gate.open();
            queue.wait_idle();
          });
}

TEST_CASE("tasks that wait for each other all run at once", "[simulation][C3][C4][inv.I3]") {
  const auto meet = [](SimQueue& queue) {
    SimBarrier both(2);
    queue.add_task([&] { both.arrive_and_wait(); });
    queue.add_task([&] { both.arrive_and_wait(); });
    queue.wait_idle();
  };
  explore("barrier of two", kOnlyOrder, [&](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    meet(queue);
  });
  // One deviation: when two idle threads meet, any of the three may be the next, several times.
  explore("barrier of two idle threads", {.deviations = 1, .random_schedules = 15'000}, [&](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    meet(queue);
    meet(queue);
  });
}

TEST_CASE("three tasks that wait for each other are each given a thread", "[simulation][C4]") {
  // No deviation: with main these are four threads, and any of them may be the next when they have met.
  explore("barrier of three", {.deviations = 0, .random_schedules = 20'000}, [](Simulation& sim) {
    SimQueue queue(3, 5ms);
    const auto checks = watch(sim, queue);
    SimBarrier all(3);
    for (int i = 0; i < 3; ++i) {
      queue.add_task([&] { all.arrive_and_wait(); });
    }
    queue.wait_idle();
  });
}

TEST_CASE("a long task takes no other task hostage", "[simulation][C3][C4]") {
  explore("no hostages", {.random_schedules = 6'000}, [](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    SimGate gate;
    queue.add_task([&] { gate.wait(); });
    auto opener = queue.yield_task([&] { gate.open(); });
    opener.get();
    queue.wait_idle();
  });
}

TEST_CASE("run() starts one worker, and no more than thread_count", "[simulation][C5]") {
  explore("run()", {.failing_starts = 1}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    const auto run = [&queue] {
      try {
        queue.run();
      } catch (const std::system_error&) {
      }
    };
    run();
    run();
    require(queue.size() <= 1, "one thread at the most");
    try {
      queue.yield_task([] {}).get();
    } catch (const std::system_error&) {
      run();
    }
    require(sim.threads_started() >= 1 && sim.threads_started() <= 3, "a thread a call at the most");
  });
}

TEST_CASE("the destructor runs everything that was accepted", "[simulation][L1][L2]") {
  explore("destructor drains", {.failing_starts = 1, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally ran;
    Tally accepted;
    {
      SimQueue queue(2, 5ms);
      const auto checks = watch(sim, queue);
      for (int i = 0; i < 3; ++i) {
        accepted += add_if_possible(queue, [&] { ++ran; }) ? 1 : 0;
      }
    }
    require(ran == accepted && accepted >= 2, "what was accepted ran");
  });
}

TEST_CASE("the destructor joins a worker that is just leaving", "[simulation][L12][L13][L14][inv.I9]") {
  explore("destructor against expiry", {.random_schedules = 8'000}, [](Simulation& sim) {
    Tally ran;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.yield_task([&] { ++ran; }).get();
      sim.sleep_for(5ms);
    }
    {
      SimQueue never_used(2, 5ms);
    }
    require(ran == 1, "it ran");
  });
}

namespace {

toto_tests::FireAndForget hop(SimQueue& queue, SimRuntime::Atomic<int>& told) {
  try {
    co_await queue.schedule();
  } catch (const toto::QueueClosed&) {
  }
  told.fetch_add(1);
}

}  // namespace

TEST_CASE("a coroutine that hops to a queue which closes while its first thread starts is resumed",
          "[simulation][L6]") {
  explore("hop, first thread, close", {}, [](Simulation&) {
    SimRuntime::Atomic<int> told{0};
    {
      SimQueue queue(1, 5ms);
      SimRuntime::Thread first("first", [&] { hop(queue, told); });
      SimRuntime::Thread second("second", [&] { hop(queue, told); });
      queue.close();
      first.join();
      second.join();
    }
    require(told.load() == 2, "each came to the queue, or was told that it cannot");
  });
}

TEST_CASE("an add that races with close is refused or runs", "[simulation][L4][L5][L6][inv.I8]") {
  explore("add against close", {.failing_starts = 1, .random_schedules = 10'000}, [](Simulation& sim) {
    Tally ran;
    Tally accepted;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      sim.run_threads({{"adder",
                        [&] {
                          for (int i = 0; i < 2; ++i) {
                            try {
                              accepted += add_if_possible(queue, [&] { ++ran; }) ? 1 : 0;
                            } catch (const toto::QueueClosed&) {
                            }
                          }
                        }},
                       {"closer", [&] {
                          queue.close();
                          queue.close();
                        }}});
      bool refused = false;
      try {
        queue.add_task([] {});
      } catch (const toto::QueueClosed&) {
        refused = true;
      }
      require(refused, "adding after close is refused");
    }
    require(ran == accepted, "what was accepted ran, and nothing else");
  });
}

TEST_CASE("a task that adds during the drain is refused", "[simulation][L7]") {
  explore("add during drain", {}, [](Simulation& sim) {
    Tally ran;
    Tally refused;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.add_task([&] {
        try {
          queue.add_task([&] { ++ran; });
          ++ran;
        } catch (const toto::QueueClosed&) {
          ++refused;
        }
      });
    }
    require((ran == 2 && refused == 0) || (ran == 0 && refused == 1), "accepted and run, or refused");
  });
}

TEST_CASE("closing with cancel completes what has not begun", "[simulation][L3][K7][inv.I8]") {
  explore("close and cancel", {.random_schedules = 8'000}, [](Simulation& sim) {
    Tally ran;
    Tally cancelled;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      SimHandle<void> handles[3];
      for (auto& handle : handles) {
        handle = queue.yield_task([&ran] { ++ran; });
      }
      queue.close(toto::Pending::cancel);
      for (auto& handle : handles) {
        try {
          handle.get();
        } catch (const toto::TaskCancelled&) {
          ++cancelled;
        }
      }
    }
    require(ran + cancelled == 3, "each ran or was cancelled");
  });
}

TEST_CASE("a queue may be destroyed by its own task", "[simulation][L9][L10]") {
  explore("destroyed by its own task", {.random_schedules = 8'000}, [](Simulation& sim) {
    Tally ran;
    auto* const queue = new SimQueue(1, 5ms);
    SimGate gate;
    queue->add_task([&, queue] {
      gate.wait();
      delete queue;
      ++ran;
    });
    auto last = queue->yield_task([&] { ++ran; });
    gate.open();
    last.get();
    require(ran == 2, "what was left ran afterwards");
    sim.sleep_for(10ms);
  });
}

TEST_CASE("a task may destroy its queue while the one who added it is still on the way out", "[simulation][L9]") {
  explore("destroyed while being added to", {}, [](Simulation& sim) {
    SimGate gone;
    auto* const queue = new SimQueue(1, 5ms);
    queue->add_task([] {});  // so that there may be an idle worker to wake
    SimRuntime::point("between the tasks");
    queue->add_task([&gone, queue] {
      delete queue;
      gone.open();
    });
    gone.wait();
    sim.sleep_for(20ms);
  });
}

TEST_CASE("a queue of two may be destroyed by its own task while the other works", "[simulation][L9]") {
  explore("destroyed by one of two", {.random_schedules = 6'000}, [](Simulation& sim) {
    SimRuntime::Atomic<int> ran{0};
    auto* const queue = new SimQueue(2, 5ms);
    SimGate gate;
    SimGate done;
    queue->add_task([&, queue] {
      gate.wait();
      delete queue;
      ran.fetch_add(1);
      done.open();
    });
    queue->add_task([&] { ran.fetch_add(1); });
    queue->add_task([&] { ran.fetch_add(1); });
    gate.open();
    done.wait();
    sim.sleep_for(10ms);
    require(ran.load() == 3, "all ran");
  });
}

TEST_CASE("waiting until idle ends when everything is done", "[simulation][L11][O5]") {
  explore("wait_idle", {}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimGate gate;
    queue.add_task([&] {
      gate.wait();
      ++ran;
    });
    require(!queue.wait_idle_for(1ms), "busy");
    gate.open();
    queue.wait_idle();
    require(ran == 1 && queue.stats().running == 0, "done");
  });
}

TEST_CASE("a task that adds itself again and again lets the queue end", "[simulation][L8]") {
  explore("endless task", {}, [](Simulation& sim) {
    Tally rounds;
    Tally refused;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      std::function<void()> again = [&] {
        ++rounds;
        SimRuntime::relax();  // otherwise a thread that is never interrupted loops forever
        try {
          queue.add_task(again);
        } catch (const toto::QueueClosed&) {
          ++refused;
        }
      };
      queue.add_task(again);
      SimRuntime::point("before the end");
      queue.close();
      queue.wait_idle();
    }
    require(rounds >= 1 && refused == 1, "until it was refused");
  });
}

TEST_CASE("threads that ask for a new name at once get one queue, made once", "[simulation][W1][W2][W3]") {
  explore("registry", {.random_schedules = 4'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    SimQueue* found[2] = {};
    Tally ran;
    const auto ask = [&](std::size_t number) { found[number] = &SimQueue::instance("name", number + 1); };
    sim.run_threads({{"a", [&] { ask(0); }}, {"b", [&] { ask(1); }}});
    require(found[0] == found[1] && SimQueue::find("name") == found[0], "one queue");
    require(found[0]->stats().threads_started == 0, "none has started a thread");
    require(found[0]->thread_count() == 1 || found[0]->thread_count() == 2, "as the first one wanted it");
    found[0]->yield_task([&ran] { ++ran; }).get();
    require(ran == 1, "and it works");
  });
}
