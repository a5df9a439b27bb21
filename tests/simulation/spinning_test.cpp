// SPDX-License-Identifier: MIT
//
// Models of threads that spin for a while before they sleep, as they do on several processors: a worker's last look, as
// the worker on the way, and a woken one that leaves tasks to those that are running them. The other models do not
// spin, because each look is a step.

#include <string>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

struct SpinningRuntime : SimRuntime {
  static constexpr bool spins = true;
};
using SpinningQueue = toto::BasicTaskQueue<SpinningRuntime>;

/// A spinning thread may be overtaken at each look.
constexpr Exploration kLooks{.deviations = 1, .spurious_wakeups = 0, .random_schedules = 2'000, .eager = false};

}  // namespace

TEST_CASE("what is added while a worker takes its last look is run, and so is what is added when it sleeps",
          "[simulation][A1][B3][B14][inv.I1][inv.I2][inv.I3]") {
  explore("the last look", {}, [](Simulation& sim) {
    std::string order;
    SpinningQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    queue.add_task([&] { order += '1'; });
    queue.wait_idle();
    queue.add_task([&] { order += '2'; });  // it looks
    sim.sleep_for(1ms);
    queue.add_task([&] { order += '3'; });  // it sleeps
    queue.wait_idle();
    sim.sleep_for(5ms);
    queue.add_task([&] { order += '4'; });  // it is about to leave
    queue.wait_idle();
    require(order == "1234", "all ran, in order");
  });
}

TEST_CASE("tasks that wait for each other all run at once, though one worker looks, and is on the way",
          "[simulation][C3][C4][inv.I2][inv.I3]") {
  explore("a barrier and the last look", kLooks, [](Simulation& sim) {
    SpinningQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    for (int i = 0; i < 2; ++i) {
      SimBarrier both(2);
      queue.add_task([&] { both.arrive_and_wait(); });
      queue.add_task([&] { both.arrive_and_wait(); });
      queue.wait_idle();
      sim.sleep_for(1ms);
    }
  });
}

TEST_CASE("a worker that another one has woken comes for a task that is not taken quickly",
          "[simulation][C3][C4][inv.I2]") {
  explore("left to others for a while", kLooks, [](Simulation& sim) {
    SpinningQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    SimBarrier all(2);
    queue.add_task([&] { all.arrive_and_wait(); });
    queue.add_task([&] { all.arrive_and_wait(); });
    queue.wait_idle();
    sim.sleep_for(1ms);  // both sleep
    queue.add_task([&] {
      SimGate gate;
      queue.add_task([&] { gate.open(); });
      gate.wait();
    });
    queue.wait_idle();
  });
}

TEST_CASE("no thread is started while a worker takes its last look", "[simulation][C6][inv.I3]") {
  explore("a thread too many", {}, [](Simulation& sim) {
    SpinningQueue queue(2, toto::Duration::never());
    queue.add_task([] {});
    queue.wait_idle();
    const auto checks =
        sim.on_step([&] { sim.check(queue.stats().threads == 1, "one thread is enough for one task"); });
    queue.add_task([] {});
    queue.wait_idle();
    sim.sleep_for(1ms);
    queue.add_task([] {});
    queue.wait_idle();
  });
}
