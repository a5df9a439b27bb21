// SPDX-License-Identifier: MIT
//
// Models of threads whose start hook throws while tasks are added.

#include <stdexcept>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

TEST_CASE("a start hook that throws loses no task, whoever adds meanwhile", "[simulation][thread_hooks][B17]") {
  explore("a start hook that throws", {.deviations = 1, .spurious_wakeups = 0, .weak_failures = 0},
          [](Simulation& sim) {
            int ran = 0;
            int calls = 0;
            int reports = 0;
            int open = 0;
            {
              SimQueue queue(1, 1ms);
              queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++reports; });
              queue.on_thread_start([&] {
                SimRuntime::point("in the hook");
                if (++calls == 1) {
                  throw std::runtime_error("not yet");
                }
                ++open;
              });
              queue.on_thread_end([&] { --open; });
              sim.run_threads({{"first", [&] { queue.add_task([&] { ++ran; }); }},
                               {"second", [&] { queue.add_task([&] { ++ran; }); }}});
              queue.wait_idle();
              require(ran == 2, "both have run");
            }
            require(open == 0, "each thread that has begun has ended");
            require(reports == 1, "the failure is reported once");
          });
}
