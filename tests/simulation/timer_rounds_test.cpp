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
    std::uint64_t ran = 0;
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
    require(ran >= completed, "each call that has ended did run");
    timer.stop();
    queue.wait_idle();
  });
}
