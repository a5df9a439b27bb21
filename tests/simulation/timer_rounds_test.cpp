// SPDX-License-Identifier: MIT
//
// Models of a periodic timer whose next call is due at the moment at which the one before ends.

#include <cstdint>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

TEST_CASE("a timer's call that was added runs, though the one before is just ending", "[simulation][N4]") {
  // One deviation: main, two workers and the clock make four threads.
  explore("rounds of a timer", {.deviations = 1}, [](Simulation& sim) {
    Tally ran;
    int running = 0;
    SimQueue queue({.thread_count = 2, .idle_timeout = 5ms});
    const auto checks = watch(sim, queue);
    auto timer = queue.add_task_every(1ms, [&] {
      require(running++ == 0, "calls of one timer do not overlap");
      ++ran;
      SimRuntime::point("in the call");
      --running;
    });
    sim.sleep_for(2500us);
    queue.wait_idle();
    const std::uint64_t completed = queue.stats().completed;
    require(static_cast<std::uint64_t>(ran) >= completed, "each call that has ended did run");
    timer.stop();
    queue.wait_idle();
  });
}

TEST_CASE("the thread of the timers ends with the named queues, or serves a timer that comes meanwhile",
          "[simulation][timers]") {
  explore("an end of the timers' thread", {.deviations = 1, .random_schedules = 5'000}, [](Simulation& sim) {
    SimQueue queue;
    toto::BasicTimer<SimRuntime> far;  // is never due: nobody waits for it
    sim.run_threads({{"ends it",
                      [] {
                        // A queue with a watchdog, whose timer goes with the queue.
                        SimQueue::instance({.name = "watched", .watchdog = 1h});
                        require(SimQueue::shutdown_instances(toto::Duration::never()), "the named queues have ended");
                      }},
                     {"needs it", [&] {
                        far = queue.add_task_after(toto::Duration::never(), [] {});
                        SimRuntime::Atomic<int> ran{0};
                        auto timer = queue.add_task_after(1ms, [&ran] { ran.store(1); });
                        while (ran.load() == 0) {
                          SimRuntime::relax();
                        }
                        queue.wait_idle();
                      }}});
    far.stop();
    require(SimQueue::shutdown_instances(toto::Duration::never()), "they still have");
    require(sim.threads_alive("toto-timer") == 0, "the thread has ended");
  });
}

TEST_CASE("a loop's timer that has missed its times for an hour goes on at once, be its period a nanosecond",
          "[simulation][timers]") {
  explore("times that a loop has missed", {.deviations = 1}, [](Simulation& sim) {
    SimLoop loop;
    int calls = 0;
    toto::BasicTimer<SimRuntime> timer;
    timer = loop.post_every(1ns, [&] {
      if (++calls == 3) {
        timer.stop();
      }
    });
    sim.sleep_for(1h);
    loop.run();
    require(calls == 3, "it was called until it was stopped");
  });
}
