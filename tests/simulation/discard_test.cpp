// SPDX-License-Identifier: MIT
//
// Models of Overflow::discard_oldest while others stand in line for room, or have booked all there is.

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::Overflow;

TEST_CASE("an adder that discards the oldest task takes its room, whoever stands in line", "[simulation][N1][N4]") {
  explore("discard beside a line", {}, [](Simulation& sim) {
    Tally ran;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1, .overflow = Overflow::discard_oldest});
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        sim.sleep_for(3ms);
        ++ran;
      });
      queue.add_task([&ran] { ++ran; });
      bool added = false;
      SimRuntime::Thread in_line("in line", [&] { added = queue.try_add_task_for(20ms, [&ran] { ++ran; }); });
      sim.sleep_for(1ms);
      queue.add_task([&ran] { ++ran; });  // used to discard everything, and then to spin until nobody stood in line
      in_line.join();
      queue.wait_idle();
      require(static_cast<int>(queue.stats().cancelled) + ran == (added ? 4 : 3), "each ran or was cancelled");
    }
  });
}
