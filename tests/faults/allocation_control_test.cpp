// SPDX-License-Identifier: MIT
//
// Views, bounds, admissions, timers and observers when memory or threads run out: a call that throws has changed
// nothing, no room is lost, and what was accepted runs.

#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <toto/tasks.hpp>
#include <utility>

#include "faults/injection.hpp"
#include "faults/queue_in_state.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

const char* const kLongName = "a view whose name is too long to be kept without an allocation";

/// Every allocation of `add(queue, probe)` on this thread fails in turn, in each state of the queue: it adds a task
/// that runs once, or throws, and has changed nothing.
template <class Add>
std::size_t sweep_adding(Add add) {
  std::size_t points = 0;
  for (const State state : kStates) {
    const Sweep swept =
        sweep([&] { return std::make_unique<QueueInState>(state); },
              [&](std::unique_ptr<QueueInState>& fixture) { add(fixture->queue, fixture->probe); },
              [](std::unique_ptr<QueueInState>& fixture, bool threw) { return fixture->check(threw); }, kMaybeNone);
    CAPTURE(name_of(state));
    REQUIRE(swept.complaint.empty());
    points += swept.points;
  }
  return points;
}

/// A queue of one busy thread that has room for two tasks.
struct BoundedFixture {
  explicit BoundedFixture(int filled, toto::Overflow overflow = toto::Overflow::reject)
      : queue({.thread_count = 1, .name = "bounded", .max_queued = 2, .overflow = overflow}) {
    queue.add_task([this] {
      begun.open();
      gate.wait();
    });
    begun.wait();
    for (int i = 0; i < filled; ++i) {
      queue.add_task([] {});
    }
  }
  ~BoundedFixture() { gate.open(); }
  BoundedFixture(const BoundedFixture&) = delete;
  BoundedFixture& operator=(const BoundedFixture&) = delete;

  /// Everything that was accepted runs, and then there is as much room as in the beginning.
  std::string check(bool threw) {
    gate.open();
    queue.wait_idle();
    if (probe.use_count() != 1) {
      return "captures are still alive";
    }
    if (probe->runs != (threw ? 0 : 1)) {
      return "ran " + std::to_string(probe->runs) + " times";
    }
    Gate again;
    Gate hold;
    auto busy = queue.yield_task([&] {
      again.open();
      hold.wait();
    });
    again.wait();
    int room = 0;
    while (room < 10 && queue.try_add_task([] {})) {
      ++room;
    }
    hold.open();
    busy.get();
    return room == 2 ? "" : "there is room for " + std::to_string(room) + " tasks instead of 2";
  }

  Gate begun;
  Gate gate;
  std::shared_ptr<Probe> probe = std::make_shared<Probe>();
  toto::TaskQueue queue;
};

template <class Call>
std::size_t sweep_bounded(int filled, Call call) {
  const Sweep swept =
      sweep([&] { return std::make_unique<BoundedFixture>(filled); },
            [&](std::unique_ptr<BoundedFixture>& fixture) { call(*fixture); },
            [](std::unique_ptr<BoundedFixture>& fixture, bool threw) { return fixture->check(threw); }, kMaybeNone);
  REQUIRE(swept.complaint.empty());
  return swept.points;
}

toto::Task<> add_with_admission(BoundedFixture& fixture, bool with_handle) {
  auto room = co_await fixture.queue.admission();
  if (with_handle) {
    auto handle = room.yield_task([probe = fixture.probe] { ++probe->runs; });
    std::move(handle).detach();
  } else {
    room.add_task([probe = fixture.probe] { ++probe->runs; });
  }
}

/// What timers report to the queue's error hook.
struct Errors {
  std::atomic<int> no_memory{0};
  std::atomic<int> no_thread{0};
  std::atomic<int> other{0};

  auto hook() {
    return [this](const std::exception_ptr& error, const toto::TaskInfo&) {
      try {
        std::rethrow_exception(error);
      } catch (const std::bad_alloc&) {
        ++no_memory;
      } catch (const std::system_error&) {
        ++no_thread;
      } catch (...) {
        ++other;
      }
    };
  }
};

struct CountingObserver final : toto::QueueObserver {
  std::atomic<int> queued{0};
  std::atomic<int> started{0};
  std::atomic<int> finished{0};
  void task_queued(const toto::TaskEvent&) noexcept override { ++queued; }
  void task_started(const toto::TaskEvent&) noexcept override { ++started; }
  void task_finished(const toto::TaskEvent&, toto::TaskEnd) noexcept override { ++finished; }
};

bool no_timer_thread() {
  return !kProcessInfo || eventually([] { return threads_named("toto-timer") == 0; });
}

}  // namespace

TEST_CASE("making a view leaves the queue as it was when an allocation fails", "[queue_view][faults][S8]") {
  const auto make = [](auto call) {
    const Sweep swept = sweep([] { return std::make_unique<QueueInState>(State::busy); },
                              [&](std::unique_ptr<QueueInState>& fixture) { static_cast<void>(call(fixture->queue)); },
                              [&](std::unique_ptr<QueueInState>& fixture, bool) -> std::string {
                                if (std::string wrong = fixture->changed(); !wrong.empty()) {
                                  return wrong;
                                }
                                call(fixture->queue).add_task([probe = fixture->probe] { ++probe->runs; });
                                return fixture->check(false);
                              },
                              kMaybeNone);
    REQUIRE(swept.complaint.empty());
    return swept.points;
  };
  REQUIRE(make([](toto::TaskQueue& queue) { return queue.limited(2, kLongName); }) >= 2);
  REQUIRE(make([](toto::TaskQueue& queue) { return queue.limited(1, "one"); }) >= 1);
  REQUIRE(make([](toto::TaskQueue& queue) { return queue.with({.priority = 3}); }) == 0);
  make([](toto::TaskQueue& queue) { return queue.with({.start_by = 1h}); });
  make([](toto::TaskQueue& queue) { return queue.with(toto::StopToken()); });
  make([](toto::TaskQueue& queue) { return queue.limited(1, kLongName).with({.priority = -3}); });
}

TEST_CASE("adding through a view changes nothing when an allocation fails", "[queue_view][faults][S7]") {
  using Token = std::shared_ptr<Probe>;
  REQUIRE(sweep_adding([](toto::TaskQueue& queue, const Token& probe) {
            queue.limited(1, kLongName).add_task([probe] { ++probe->runs; });
          }) >= 5);
  REQUIRE(sweep_adding([](toto::TaskQueue& queue, const Token& probe) {
            queue.limited(2, "two").yield_task([probe] { ++probe->runs; }).detach();
          }) >= 5);
  REQUIRE(sweep_adding([](toto::TaskQueue& queue, const Token& probe) {
            queue.with({.priority = 5}).add_task([probe] { ++probe->runs; });
          }) >= 5);
  REQUIRE(sweep_adding([](toto::TaskQueue& queue, const Token& probe) {
            queue.with({.priority = -5, .start_by = 1h}).yield_task([probe] { ++probe->runs; }).detach();
          }) >= 5);
  toto::StopSource source;
  REQUIRE(sweep_adding([&](toto::TaskQueue& queue, const Token& probe) {
            queue.with(source.get_token()).add_task([probe] { ++probe->runs; });
          }) >= 5);
  REQUIRE(sweep_adding([&](toto::TaskQueue& queue, const Token& probe) {
            queue.limited(1, "one")
                .with(source.get_token())
                .yield_task([probe](const toto::StopToken&) { ++probe->runs; })
                .detach();
          }) >= 5);
}

TEST_CASE("try_add_task changes nothing when an allocation fails, and its room is not lost",
          "[task_queue][faults][S7]") {
  REQUIRE(sweep_adding([](toto::TaskQueue& queue, const std::shared_ptr<Probe>& probe) {
            static_cast<void>(queue.try_add_task([probe] { ++probe->runs; }));
          }) >= 4);
  // With recycled memory there may be no allocation to fail: the sweep looks at what happens then, too.
  static_cast<void>(sweep_bounded(1, [](BoundedFixture& fixture) {
    static_cast<void>(fixture.queue.try_add_task([probe = fixture.probe] { ++probe->runs; }));
  }));
  static_cast<void>(sweep_bounded(0, [](BoundedFixture& fixture) {
    static_cast<void>(fixture.queue.try_add_task_for(1h, [probe = fixture.probe] { ++probe->runs; }));
  }));
  REQUIRE(sweep_bounded(1, [](BoundedFixture& fixture) {
            fixture.queue.limited(1, kLongName).add_task([probe = fixture.probe] { ++probe->runs; });
          }) >= 2);
  static_cast<void>(sweep_bounded(1, [](BoundedFixture& fixture) {
    fixture.queue.with({.priority = 1}).add_task([probe = fixture.probe] { ++probe->runs; });
  }));
}

TEST_CASE("the oldest task makes room, or nothing has happened, when an allocation fails", "[task_queue][faults][S7]") {
  for (const auto overflow : {toto::Overflow::discard_oldest}) {
    const Sweep swept = sweep([&] { return std::make_unique<BoundedFixture>(2, overflow); },
                              [](std::unique_ptr<BoundedFixture>& fixture) {
                                fixture->queue.add_task([probe = fixture->probe] { ++probe->runs; });
                              },
                              [&](std::unique_ptr<BoundedFixture>& fixture, bool threw) -> std::string {
                                const toto::QueueStats stats = fixture->queue.stats();
                                if (threw && (stats.cancelled != 0 || stats.submitted != 3)) {
                                  return "a call that threw has changed the queue: submitted " +
                                         std::to_string(stats.submitted) + ", cancelled " +
                                         std::to_string(stats.cancelled);
                                }
                                return fixture->check(threw);
                              },
                              kMaybeNone);
    CAPTURE(static_cast<int>(overflow));
    REQUIRE(swept.complaint.empty());
  }
}

TEST_CASE("an admission is had or not, and its room is not lost, when an allocation fails", "[admission][faults][S8]") {
  for (const bool with_handle : {false, true}) {
    // There is room.
    REQUIRE(sweep_bounded(
                1, [&](BoundedFixture& fixture) { toto::sync_wait(add_with_admission(fixture, with_handle)); }) >= 2);
    // There is none before the queue continues.
    REQUIRE(sweep_bounded(2, [&](BoundedFixture& fixture) {
              toto::EventLoop loop;
              loop.spawn(add_with_admission(fixture, with_handle));
              loop.post([&fixture] { fixture.gate.open(); });
              loop.run();
            }) >= 3);
  }
}

TEST_CASE("a timer is there or not when an allocation fails", "[timer][faults][S8]") {
  const auto once = [](toto::TaskQueue& queue, const std::shared_ptr<Probe>& probe) {
    return queue.add_task_after(0ms, [probe] { ++probe->runs; });
  };
  const auto often = [](toto::TaskQueue& queue, const std::shared_ptr<Probe>& probe) {
    return queue.add_task_every(1ms, [probe] { ++probe->runs; });
  };
  const auto try_each = [](auto start) {
    struct Fixture {
      toto::TaskQueue queue;
      std::shared_ptr<Probe> probe = std::make_shared<Probe>();
      toto::Timer timer;
    };
    const Sweep swept =
        sweep([] { return std::make_unique<Fixture>(); },
              [&](std::unique_ptr<Fixture>& fixture) { fixture->timer = start(fixture->queue, fixture->probe); },
              [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
                if (threw) {
                  return fixture->probe.use_count() == 1 && !fixture->timer.active() ? "" : "something is left";
                }
                if (!eventually([&] { return fixture->probe->runs >= 1; })) {
                  return "does not run";
                }
                fixture->timer.stop();
                fixture->queue.wait_idle();
                return eventually([&] { return fixture->probe.use_count() == 1; }) ? "" : "the timer is still alive";
              });
    REQUIRE(swept.complaint.empty());
    return swept.points;
  };
  REQUIRE(try_each(once) >= 1);
  REQUIRE(try_each(often) >= 1);
}

TEST_CASE("a timer whose call cannot be added for lack of memory tells on_error, and goes on", "[timer][faults][S8]") {
  Errors errors;
  Gate gate;
  Gate begun;
  std::atomic<int> runs = 0;
  toto::TaskQueue queue({.thread_count = 1, .name = "timed"});
  queue.on_error(errors.hook());
  {
    // The thread of the queue is busy, so the timer thread would have to make the task.
    queue.add_task([&] {
      begun.open();
      gate.wait();
    });
    REQUIRE(begun.wait());
    const std::string captured(200, 'x');
    auto timer = queue.add_task_every(1ms, [&runs, captured] { ++runs; });
    {
      const NoMemoryElsewhere none;
      eventually([&] { return errors.no_memory >= 2 || queue.stats().queued > 0; });
    }
    note_fault("allocation");
    gate.open();
    REQUIRE(eventually([&] { return runs >= 2; }));
    REQUIRE(timer.active());
  }
  queue.wait_idle();
  REQUIRE(errors.other == 0);
  REQUIRE(errors.no_thread == 0);
}

TEST_CASE("a timer whose queue can start no thread tells on_error, and goes on", "[timer][faults][S2]") {
  Errors errors;
  std::atomic<int> runs = 0;
  toto::TaskQueue queue({.thread_count = 1, .idle_timeout = toto::Duration(), .name = "timed"});
  queue.on_error(errors.hook());
  auto timer = queue.add_task_every(1ms, [&runs] { ++runs; });
  REQUIRE(eventually([&] { return runs >= 1; }));
  {
    const ThreadStarts starts(&ThreadStarts::always);
    REQUIRE(eventually([&] { return errors.no_thread >= 3; }));
  }
  const int before = runs;
  REQUIRE(eventually([&] { return runs >= before + 2; }));
  timer.stop();
  queue.wait_idle();
  REQUIRE(errors.no_memory == 0);
  REQUIRE(errors.other == 0);
}

TEST_CASE("without a thread for the clock there is no timer, and nothing is left", "[timer][faults][S2]") {
  REQUIRE(no_timer_thread());
  const auto captured = std::make_shared<int>(1);
  toto::TaskQueue queue;
  queue.yield_task([] {}).get();
  {
    const ThreadStarts starts(&ThreadStarts::always);
    REQUIRE_THROWS_AS(static_cast<void>(queue.add_task_after(0ms, [captured] {})), std::system_error);
    REQUIRE_THROWS_AS(static_cast<void>(queue.add_task_every(1ms, [captured] {})), std::system_error);
    REQUIRE(starts.refused() == 2);
  }
  REQUIRE(captured.use_count() == 1);
  std::atomic<int> runs = 0;
  auto timer = queue.add_task_after(0ms, [&runs] { ++runs; });
  REQUIRE(eventually([&] { return runs == 1; }));
}

TEST_CASE("an observer hears of each task from its beginning to its end when an allocation fails",
          "[observer][faults][S8]") {
  struct Fixture {
    CountingObserver observer;
    std::shared_ptr<Probe> probe = std::make_shared<Probe>();
    toto::TaskQueue queue{toto::QueueOptions{.thread_count = 1, .name = "observed", .observer = &observer}};
  };
  const auto try_each = [](auto add) {
    const Sweep swept = sweep([] { return std::make_unique<Fixture>(); },
                              [&](std::unique_ptr<Fixture>& fixture) { add(fixture->queue, fixture->probe); },
                              [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
                                fixture->queue.wait_idle();
                                const CountingObserver& seen = fixture->observer;
                                if (fixture->probe.use_count() != 1) {
                                  return "captures are still alive";
                                }
                                if (seen.queued != seen.finished || seen.started != (threw ? 0 : 1)) {
                                  return "was told of " + std::to_string(seen.queued) + " queued, " +
                                         std::to_string(seen.started) + " started, " + std::to_string(seen.finished) +
                                         " finished";
                                }
                                return fixture->probe->runs == (threw ? 0 : 1) ? "" : "ran, or did not";
                              });
    REQUIRE(swept.complaint.empty());
    return swept.points;
  };
  REQUIRE(try_each([](toto::TaskQueue& queue, const std::shared_ptr<Probe>& probe) {
            queue.add_task([probe] { ++probe->runs; });
          }) >= 1);
  REQUIRE(try_each([](toto::TaskQueue& queue, const std::shared_ptr<Probe>& probe) {
            queue.yield_task([probe] { ++probe->runs; }).detach();
          }) >= 1);
  REQUIRE(try_each([](toto::TaskQueue& queue, const std::shared_ptr<Probe>& probe) {
            static_cast<void>(queue.try_add_task([probe] { ++probe->runs; }));
          }) >= 1);
}
