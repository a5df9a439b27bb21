// SPDX-License-Identifier: MIT
//
// Models of co_await queue.schedule(): a coroutine that comes to a queue, whatever else happens to it.

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// Comes to the queue, if that has not ended. `refused` counts those who came too late.
toto::Task<> come(SimQueue& queue, int& came, int& refused) {
  try {
    co_await queue.schedule();
    ++came;
  } catch (const toto::QueueClosed&) {
    ++refused;
  }
}

}  // namespace

TEST_CASE("a coroutine comes to a queue whose first thread another one starts, while it closes", "[simulation][L6]") {
  for (const toto::Duration idle_timeout : {toto::Duration(), toto::Duration(10ms)}) {
    explore("hop against the first thread and close", {}, [idle_timeout](Simulation& sim) {
      int came = 0;
      int refused = 0;
      int ran = 0;
      bool added = false;
      {
        SimQueue queue(1, idle_timeout, "hop");
        const auto watching = watch(sim, queue);
        SimRuntime::Thread adder("adder", [&] {
          try {
            queue.add_task([&ran] { ++ran; });
            added = true;
          } catch (const toto::QueueClosed&) {
          }
        });
        SimRuntime::Thread hopper("hopper", [&] {
          SimLoop loop;
          loop.run_sync(come(queue, came, refused));
        });
        queue.close();
        adder.join();
        hopper.join();
      }
      require(came + refused == 1, "the coroutine goes on once");
      require(ran == (added ? 1 : 0), "what was accepted runs");
    });
  }
}
