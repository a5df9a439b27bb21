// SPDX-License-Identifier: MIT
//
// Models of what a queue tells about itself: its watchdog, its observer.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::testing::require;

namespace {

using TimePoint = SimRuntime::Clock::time_point;

/// Keeps what the watchdog has told of as many queued tasks as this.
class Starving final : public toto::QueueObserver {
 public:
  explicit Starving(std::size_t queued) : queued_(queued) {}
  void queue_starving(std::string_view, std::size_t queued, toto::Duration since) noexcept override {
    if (queued == queued_ && told++ == 0) {
      first_since = since;
      first_at = SimRuntime::Clock::now();
    }
  }

  int told = 0;
  toto::Duration first_since{};
  TimePoint first_at{};

 private:
  const std::size_t queued_;
};

}  // namespace

TEST_CASE("the watchdog tells of tasks that have been queued for its whole period, and of no others",
          "[simulation][insight]") {
  explore("watchdog", {.deviations = 1, .random_schedules = 1'000}, [](Simulation& sim) {
    Starving starving(2);  // not the first task, whose thread may be slow to start
    std::optional<TimePoint> added;
    SimGate begun;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .observer = &starving, .watchdog = 1s});
      queue.add_task([&] {
        begun.open();
        sim.sleep_for(3500ms);
      });
      begun.wait();
      sim.sleep_for(1950ms);
      added = SimRuntime::Clock::now();
      queue.add_task([] {});
      queue.add_task([] {});
      queue.wait_idle();
    }
    require(starving.told == 0 || starving.first_at - *added >= 1s, "they have been queued for as long");
    require(starving.told == 0 || starving.first_since.nanoseconds() >= 1s, "and it says so");
  });
}

TEST_CASE("the watchdog tells within two periods", "[simulation][insight]") {
  explore("watchdog tells", {.deviations = 0, .random_schedules = 0, .eager = false}, [](Simulation& sim) {
    Starving starving(1);
    SimGate gate;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .observer = &starving, .watchdog = 1s});
      queue.add_task([&gate] { gate.wait(); });
      sim.sleep_for(1950ms);
      queue.add_task([] {});
      sim.sleep_for(1950ms);
      require(starving.told == 1, "once");
      require(starving.first_since.nanoseconds() == 1s, "from its first look on");
      gate.open();
      queue.wait_idle();
      sim.sleep_for(3s);
      require(starving.told == 1, "nothing is queued any more");
    }
  });
}

TEST_CASE("the watchdog does not take tasks that were cancelled for one that waits", "[simulation][insight]") {
  explore("watchdog and cancelling", {.deviations = 0, .random_schedules = 0, .eager = false}, [](Simulation& sim) {
    Starving starving(1);
    SimGate gate;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .observer = &starving, .watchdog = 1s});
      queue.add_task([&gate] { gate.wait(); });
      for (int i = 0; i < 5; ++i) {  // one is always queued, and none for long
        auto handle = queue.yield_task([] {});
        sim.sleep_for(700ms);
        queue.add_task([] {});
        handle.cancel();
        sim.sleep_for(100ms);
        queue.cancel_queued();
      }
      require(starving.told == 0, "none has been queued for as long");
      gate.open();
    }
  });
}
