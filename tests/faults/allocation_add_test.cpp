// SPDX-License-Identifier: MIT
//
// add_task and yield_task when memory runs out: each allocation they make fails in turn, in each state of the queue,
// for each way in which a callable is kept. Either the task was accepted and runs, or nothing has changed.

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "faults/injection.hpp"
#include "faults/queue_in_state.hpp"
#include "support/catch.hpp"

using namespace toto_tests;

namespace {

/// Lets every allocation of `add(fixture)` fail in turn, in every state of the queue.
template <class Add>
std::size_t try_all_states(Add add) {
  std::size_t points = 0;
  for (const State state : kStates) {
    const Sweep swept =
        sweep([&] { return std::make_unique<QueueInState>(state); },
              [&](std::unique_ptr<QueueInState>& fixture) { add(*fixture); },
              [](std::unique_ptr<QueueInState>& fixture, bool threw) { return fixture->check(threw); }, kMaybeNone);
    INFO(name_of(state));
    REQUIRE(swept.complaint.empty());
    points += swept.points;
  }
  return points;
}

struct Big {
  std::shared_ptr<Probe> probe;
  std::array<char, 4096> ballast{};
  void operator()() const { ++probe->runs; }
};

struct alignas(64) OverAligned {
  std::shared_ptr<Probe> probe;
  void operator()() const { ++probe->runs; }
};

toto::Task<int> count_in_coroutine(std::shared_ptr<Probe> probe) {
  ++probe->runs;
  co_return 1;
}

}  // namespace

TEST_CASE("add_task of plain bytes changes nothing when an allocation fails", "[task_queue][faults][S7]") {
  const std::size_t points = try_all_states([](QueueInState& fixture) {
    Probe* const probe = fixture.probe.get();
    fixture.queue.add_task([probe] { ++probe->runs; });
  });
  REQUIRE(points > 0);
}

TEST_CASE("add_task with captures changes nothing when an allocation fails", "[task_queue][faults][S7]") {
  const std::size_t points = try_all_states([](QueueInState& fixture) {
    fixture.queue.add_task([probe = fixture.probe, text = std::string(100, 'x')] { ++probe->runs; });
  });
  REQUIRE(points > 0);
}

TEST_CASE("add_task of a large callable changes nothing when an allocation fails", "[task_queue][faults][S7]") {
  const std::size_t points = try_all_states([](QueueInState& fixture) { fixture.queue.add_task(Big{fixture.probe}); });
  REQUIRE(points > 0);
}

TEST_CASE("add_task of an over-aligned callable changes nothing when an allocation fails", "[task_queue][faults][S7]") {
  const std::size_t points =
      try_all_states([](QueueInState& fixture) { fixture.queue.add_task(OverAligned{fixture.probe}); });
  REQUIRE(points > 0);
}

TEST_CASE("add_task with arguments that allocate when copied changes nothing when that fails",
          "[task_queue][faults][S7]") {
  const std::string text(100, 'x');
  const std::size_t points = try_all_states([&](QueueInState& fixture) {
    fixture.queue.add_task(
        [](const std::string&, const std::shared_ptr<Probe>& probe, const std::string&) { ++probe->runs; }, text,
        fixture.probe, text);
  });
  REQUIRE(points > 0);
}

TEST_CASE("add_task of a coroutine function changes nothing when an allocation fails", "[task_queue][faults][S7]") {
  const std::size_t points =
      try_all_states([](QueueInState& fixture) { fixture.queue.add_task(&count_in_coroutine, fixture.probe); });
  REQUIRE(points > 0);
}

TEST_CASE("yield_task changes nothing when an allocation fails", "[task_queue][faults][S8]") {
  const std::size_t points = try_all_states([](QueueInState& fixture) {
    auto handle = fixture.queue.yield_task([probe = fixture.probe] { return ++probe->runs; });
    std::move(handle).detach();
  });
  REQUIRE(points > 0);
}

TEST_CASE("yield_task of a large callable changes nothing when an allocation fails", "[task_queue][faults][S8]") {
  const std::size_t points = try_all_states([](QueueInState& fixture) {
    auto handle = fixture.queue.yield_task(Big{fixture.probe});
    std::move(handle).detach();
  });
  REQUIRE(points > 0);
}

TEST_CASE("yield_task of a callable that takes a stop token changes nothing when an allocation fails",
          "[task_queue][faults][S8]") {
  const std::size_t points = try_all_states([](QueueInState& fixture) {
    auto handle = fixture.queue.yield_task([probe = fixture.probe](toto::StopToken) { return ++probe->runs; });
    std::move(handle).detach();
  });
  REQUIRE(points > 0);
}

TEST_CASE("yield_task of a coroutine function changes nothing when an allocation fails", "[task_queue][faults][S8]") {
  const std::size_t points = try_all_states([](QueueInState& fixture) {
    auto handle = fixture.queue.yield_task(&count_in_coroutine, fixture.probe);
    std::move(handle).detach();
  });
  REQUIRE(points > 0);
}

TEST_CASE("adding to a closed queue throws QueueClosed or bad_alloc when an allocation fails, and locks nothing up",
          "[task_queue][faults][S7]") {
  toto::TaskQueue queue(1, std::chrono::seconds(60), "a name that is too long to be kept without an allocation");
  queue.close();
  std::size_t refused = 0;
  for (std::size_t nth = 1;; ++nth) {
    bool failed = false;
    {
      const FailingAllocation failing(nth);
      try {
        queue.add_task([] {});
      } catch (const std::bad_alloc&) {
        ++refused;
      } catch (const toto::QueueClosed&) {
        ++refused;
      }
      failed = failing.failed();
    }
    REQUIRE(refused == nth);
    REQUIRE(queue.size() == 0);  // would wait forever for a mutex that was left locked
    if (!failed) {
      break;
    }
    note_fault("allocation");
  }
}
