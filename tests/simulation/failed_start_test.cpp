// SPDX-License-Identifier: MIT
//
// Models of threads that cannot be started: at the first task, later, at the restart after expiry.

#include <system_error>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

TEST_CASE("a failed start leaves the tasks to the worker that lives", "[simulation][S1][S4][inv.I2]") {
  explore("a later start fails", {.start_faults = {.after = 1}, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(2, toto::Duration::never());
    const auto checks = watch(sim, queue);
    for (int i = 0; i < 3; ++i) {
      queue.add_task([&] { ++ran; });
    }
    queue.wait_idle();
    require(ran == 3, "all ran on the one worker");
  });
}

TEST_CASE("an idle worker takes the place of one that another adder relied on, and that does not start",
          "[simulation][S1][S4][inv.I2]") {
  explore("an idle substitute", {.start_faults = {.after = 1}, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally ran;
    SimGate begun;
    SimGate gate;
    SimQueue queue(2, toto::Duration::never());
    const auto checks = watch(sim, queue);
    queue.add_task([&] {
      begun.open();
      gate.wait();
      ++ran;
    });
    begun.wait();
    const auto add = [&] { queue.add_task([&ran] { ++ran; }); };
    sim.run_threads({{"starts", add}, {"relies", [&] {
                                         gate.open();
                                         SimRuntime::point("the worker may become idle");
                                         add();
                                       }}});
    queue.wait_idle();
    require(ran == 3, "all ran on the one worker");
  });
}

TEST_CASE("with no worker and none to be had, adding throws and queues nothing", "[simulation][S2][S3][inv.I4]") {
  explore("the first start fails", {.start_faults = {.only = 1}}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    bool refused = false;
    try {
      queue.add_task([&] { ++ran; });
    } catch (const std::system_error&) {
      refused = true;
    }
    require(refused && ran == 0, "refused");
    require(queue.size() == 0 && queue.stats().submitted == 0, "nothing has changed");
    queue.add_task([&] { ++ran; });
    queue.wait_idle();
    require(ran == 1, "once threads can be had again, everything runs");
  });
}

TEST_CASE("a failed restart after expiry is told to the adder, and nothing is stranded", "[simulation][S5]") {
  explore("restart fails", {.start_faults = {.only = 2}, .random_schedules = 6'000}, [](Simulation& sim) {
    int accepted = 0;
    Tally ran;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      for (int i = 0; i < 3; ++i) {
        accepted += add_if_possible(queue, [&] { ++ran; }) ? 1 : 0;
        sim.sleep_for(5ms);
      }
    }
    require(ran == accepted && accepted >= 2, "what was accepted ran");
  });
}

TEST_CASE("two adders whose first thread fails are each told, or served", "[simulation][S2][S6][inv.I4]") {
  explore("two adders, starts may fail", {.failing_starts = 2, .random_schedules = 10'000}, [](Simulation& sim) {
    Tally ran;
    Tally accepted;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      const auto add = [&] { accepted += add_if_possible(queue, [&] { ++ran; }) ? 1 : 0; };
      sim.run_threads({{"a", add}, {"b", add}});
    }
    require(ran == accepted, "what was accepted ran, and nothing else");
  });
}

TEST_CASE("a start that fails while the last worker expires strands nobody", "[simulation][S4][S5][S6][B4]") {
  // One deviation: two workers that leave and are replaced, and main.
  explore("failed start against expiry", {.deviations = 1, .failing_starts = 1, .random_schedules = 20'000},
          [](Simulation& sim) {
            Tally ran;
            int accepted = 0;
            SimQueue queue(2, 5ms);
            const auto checks = watch(sim, queue);
            const auto add = [&] { accepted += add_if_possible(queue, [&] { ++ran; }) ? 1 : 0; };
            add();
            sim.sleep_for(5ms);
            add();
            add();
            queue.wait_idle();
            require(ran == accepted, "what was accepted ran");
          });
}

TEST_CASE("with a timeout of 0 and starts that fail, what was accepted runs", "[simulation][S6][B5]") {
  explore("timeout 0, starts may fail", {.failing_starts = 2, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally ran;
    int accepted = 0;
    {
      SimQueue queue(1, toto::Duration());
      const auto checks = watch(sim, queue);
      for (int i = 0; i < 3; ++i) {
        accepted += add_if_possible(queue, [&] { ++ran; }) ? 1 : 0;
      }
    }
    require(ran == accepted, "what was accepted ran");
  });
}

TEST_CASE("an adder that waits for the first thread is told when the queue closes", "[simulation][S2][L6]") {
  explore("first thread against close", {.failing_starts = 1, .random_schedules = 6'000}, [](Simulation& sim) {
    Tally ran;
    Tally accepted;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      const auto add = [&] {
        try {
          accepted += add_if_possible(queue, [&] { ++ran; }) ? 1 : 0;
        } catch (const toto::QueueClosed&) {
        }
      };
      sim.run_threads({{"a", add}, {"b", add}, {"closer", [&] { queue.close(); }}});
      sim.sleep_for(1ms);
      require(queue.stats().threads == 0 || !strict_time, "no thread stays for adders that were refused");
    }
    require(ran == accepted, "what was accepted ran, and nothing else");
  });
}

TEST_CASE("a coroutine whose queue gets no thread for long goes on as soon as there is one",
          "[simulation][H2][S5][S6]") {
  // Started: the queue's thread, which leaves at once, and the timers'. The next ten starts fail; no other thread
  // comes.
  explore("no thread for a continuation, for long", {.start_faults = {.after = 2, .until = 13}}, [](Simulation& sim) {
    SimQueue queue(1, toto::Duration());
    const auto checks = watch(sim, queue);
    auto woken = queue.yield_task([]() -> toto::Task<int> {
      co_await toto::sleep_for<SimRuntime>(1ms);
      co_return 7;
    });
    require(woken.get() == 7, "it went on");
  });
}
