// SPDX-License-Identifier: MIT
//
// Models of what a queue reports about itself: its watchdog, its observer.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

using SimThread = SimRuntime::Thread;
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

/// Writes down one letter for each event of each task: q(ueued), b(egun), s(uspended), f(inished), c(ancelled).
class Witness final : public toto::QueueObserver {
 public:
  void task_queued(const toto::TaskEvent& event) noexcept override { add(event, 'q'); }
  void task_started(const toto::TaskEvent& event) noexcept override { add(event, 'b'); }
  void task_suspended(const toto::TaskEvent& event) noexcept override { add(event, 's'); }
  void task_finished(const toto::TaskEvent& event, toto::TaskEnd end) noexcept override {
    add(event, end == toto::TaskEnd::cancelled ? 'c' : 'f');
  }

  /// How many tasks there were whose events read like this.
  std::size_t count(std::string_view events) const {
    std::size_t count = 0;
    for (const auto& [task, text] : events_) {
      count += text == events ? 1U : 0U;
    }
    return count;
  }
  std::size_t tasks() const { return events_.size(); }
  /// Each plain task was queued, begun and finished, or queued and cancelled, once and in this order.
  void require_order() const { require(count("qbf") + count("qc") == tasks(), "in order and once: " + text()); }

 private:
  void add(const toto::TaskEvent& event, char letter) noexcept {
    const toto::detail::Lock lock(mutex_);
    events_[event.task] += letter;
  }
  std::string text() const {
    std::string all;
    for (const auto& [task, text] : events_) {
      all += text + ' ';
    }
    return all;
  }

  SimRuntime::Mutex mutex_;
  std::map<std::uint64_t, std::string> events_;
};

}  // namespace

TEST_CASE("an observer sees the events of a task in order and once, whoever cancels it", "[simulation][insight][K4]") {
  explore("observed cancelling", {}, [](Simulation&) {
    Witness witness;
    std::size_t cancelled = 0;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .observer = &witness, .track_tasks = true});
      auto handle = queue.yield_task([] {});
      SimThread canceller("canceller", [&] { handle.cancel(); });
      queue.add_task([] {});
      queue.cancel_queued();
      canceller.join();
      queue.wait_idle();
      require(queue.dump().find("task ") == std::string::npos, "nothing is listed any more");
      cancelled = queue.stats().cancelled;
    }
    witness.require_order();
    require(witness.tasks() == 2 && witness.count("qc") == cancelled, "as the queue counts them");
  });
}

TEST_CASE("an observer sees the events of a task in order and once, with a token and a deadline",
          "[simulation][insight][K5][K6][K11]") {
  explore("observed token", {.deviations = 1}, [](Simulation& sim) {
    Witness witness;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .observer = &witness, .track_tasks = true});
      SimRuntime::StopSource source;
      SimThread stopper("stopper", [&] { source.request_stop(); });
      queue.with(source.get_token()).add_task([&sim] { sim.sleep_for(1ms); });
      queue.with({.start_by = 1ms}).add_task([] {});
      stopper.join();
      queue.wait_idle();
    }
    witness.require_order();
    require(witness.tasks() == 2, "both are seen");
  });
}

TEST_CASE("an observer sees the events of a task in order and once, when the queue closes",
          "[simulation][insight][L6]") {
  explore("observed close", {}, [](Simulation&) {
    Witness witness;
    int ran = 0;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .observer = &witness, .track_tasks = true});
      queue.add_task([&ran] { ++ran; });
      SimThread adder("adder", [&] {
        try {
          queue.add_task([&ran] { ++ran; });
        } catch (const toto::QueueClosed&) {
        }
      });
      queue.close(toto::Pending::cancel);
      adder.join();
      queue.wait_idle();
    }
    witness.require_order();
    require(witness.tasks() == 2 && static_cast<int>(witness.count("qbf")) == ran, "who has run is seen to have run");
  });
}

TEST_CASE("an observer sees a coroutine task begin once and finish once, and dump tells where it is",
          "[simulation][insight]") {
  explore("observed coroutine", {.deviations = 1}, [](Simulation&) {
    Witness witness;
    {
      SimQueue queue({.thread_count = 2, .idle_timeout = 5ms, .observer = &witness, .track_tasks = true});
      SimGate gate;
      SimQueue other(1, 5ms);
      const auto wait = [&gate] { gate.wait(); };
      auto handle = queue.yield_task([&]() -> toto::Task<> { co_await other.yield_task(wait); });
      SimThread looker("looker", [&queue] {
        const std::string text = queue.dump();
        require(text.find("task ") == std::string::npos || text.find(" for ") != std::string::npos,
                "in whatever state");
      });
      looker.join();
      gate.open();
      handle.get();
      queue.wait_idle();
      require(queue.dump().find("task ") == std::string::npos, "nothing is listed any more");
    }
    require(witness.count("qbsf") + witness.count("qbfs") == 1 && witness.tasks() == 1,
            "it may be over before it is said to have left its worker");
  });
}

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
    require(starving.told == 0 || starving.first_since.nanoseconds() <= starving.first_at - *added, "nor any longer");
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
      for (int i = 0; i < 5; ++i) {  // one is always queued, but none for long
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

TEST_CASE("stats say how long tasks wait and run", "[simulation][insight][O6]") {
  explore("times", {.deviations = 1}, [](Simulation& sim) {
    SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .track_tasks = true});
    const auto checks = watch(sim, queue);
    queue.add_task([&sim] { sim.sleep_for(5ms); });
    auto second = queue.yield_task([&sim]() -> toto::Task<> {
      sim.sleep_for(1ms);
      co_await toto::sleep_for<SimRuntime>(3ms);
    });
    queue.yield_task([] {}).cancel();
    sim.sleep_for(2ms);
    const toto::QueueTimes then = queue.stats().times;
    queue.wait_idle();
    const toto::QueueTimes end = queue.stats().times;
    require(end.oldest_queued == 0ns, "nothing is queued");
    if (strict_time) {
      require(then.oldest_queued == 2ms && then.queued == 0ns && then.running == 0ns, "the second waits");
      require(end.queued == 5ms && end.longest_queued == 5ms, "the second has waited for the first");
      require(end.running == 9ms && end.longest_running == 5ms, "suspended times count");
    }
  });
}
