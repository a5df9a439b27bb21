// SPDX-License-Identifier: MIT
//
// The other public calls of queues and wrappers when memory runs out: each allocation they make fails in turn.
// Either the call has done its work, or it threw std::bad_alloc and nothing has changed.

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "faults/injection.hpp"
#include "faults/queue_in_state.hpp"
#include "support/catch.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

const std::string kLongName = "a name that is too long to be kept without an allocation";

struct Counter {
  std::shared_ptr<Probe> probe;
  int value = 0;
  int add(int by) {
    ++probe->runs;
    return value += by;
  }
  toto::Task<int> add_in_coroutine(int by) { co_return add(by); }
};

template <class Call>
std::size_t sweep_wrapper_call(Call call) {
  std::size_t points = 0;
  for (const State state : kStates) {
    struct Fixture {
      explicit Fixture(State state_of_queue) : in_state(state_of_queue) {}
      QueueInState in_state;
      std::shared_ptr<Counter> object = std::make_shared<Counter>(std::make_shared<Probe>());
      toto::AwaitableInstance<Counter> wrapper{object, in_state.queue};
      std::optional<toto::TaskHandle<int>> handle;
    };
    const Sweep swept = sweep([&] { return std::make_unique<Fixture>(state); },
                              [&](std::unique_ptr<Fixture>& fixture) { fixture->handle = call(fixture->wrapper); },
                              [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
                                if (threw) {
                                  const std::string changed = fixture->in_state.changed();
                                  if (!changed.empty()) {
                                    return changed;
                                  }
                                  if (fixture->object.use_count() != 2) {
                                    return "the call still owns the object";
                                  }
                                }
                                fixture->in_state.open();
                                auto next = fixture->wrapper(&Counter::add, 10);
                                const int value = next.get();  // waits forever if the lost call kept its turn
                                return value == (threw ? 10 : 11) ? "" : "the next call gave nonsense";
                              },
                              kMaybeNone);
    INFO(name_of(state));
    REQUIRE(swept.complaint.empty());
    points += swept.points;
  }
  return points;
}

}  // namespace

TEST_CASE("making a queue leaks nothing when an allocation fails", "[task_queue][faults][S8]") {
  const Sweep swept = sweep(
      [] { return std::unique_ptr<toto::TaskQueue>(); },
      [](std::unique_ptr<toto::TaskQueue>& queue) { queue = std::make_unique<toto::TaskQueue>(2, 60s, kLongName); },
      [](std::unique_ptr<toto::TaskQueue>& queue, bool threw) -> std::string {
        if (threw) {
          return queue == nullptr ? "" : "there is a queue";
        }
        return queue->yield_task([] { return 1; }).get() == 1 ? "" : "it does not work";
      });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 2);
}

TEST_CASE("running out of memory while a named queue is made leaves no entry behind", "[task_queue][faults][W8][S8]") {
  int number = 0;
  const Sweep swept = sweep([&] { return kLongName + std::to_string(++number); },
                            [](const std::string& name) { static_cast<void>(toto::TaskQueue::instance(name, 2)); },
                            [](const std::string& name, bool threw) -> std::string {
                              if (threw && toto::TaskQueue::find(name) != nullptr) {
                                return "there is an entry";
                              }
                              toto::TaskQueue& queue = toto::TaskQueue::instance(name, 3);
                              if (queue.thread_count() != (threw ? 3U : 2U)) {
                                return "the later arguments did not count";
                              }
                              return queue.yield_task([] { return 1; }).get() == 1 ? "" : "it does not work";
                            });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 3);
}

TEST_CASE("starting a thread by hand changes nothing when an allocation fails", "[task_queue][faults][S8]") {
  const Sweep swept = sweep([] { return std::make_unique<QueueInState>(State::no_thread); },
                            [](std::unique_ptr<QueueInState>& fixture) { fixture->queue.run(); },
                            [](std::unique_ptr<QueueInState>& fixture, bool threw) -> std::string {
                              if (threw) {
                                const std::string changed = fixture->changed();
                                if (!changed.empty()) {
                                  return changed;
                                }
                                fixture->queue.run();
                              }
                              return fixture->queue.stats().threads == 1 ? "" : "there is not one thread";
                            });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 2);
}

TEST_CASE("setting an error hook keeps the former one when an allocation fails", "[task_queue][faults][S8]") {
  struct Fixture {
    std::atomic<int> former{0};
    std::atomic<int> latter{0};
    toto::TaskQueue queue{1, 60s, "hooked"};
  };
  const Sweep swept = sweep(
      [] {
        auto fixture = std::make_unique<Fixture>();
        fixture->queue.on_error(
            [&former = fixture->former](const std::exception_ptr&, const toto::TaskInfo&) { ++former; });
        return fixture;
      },
      [](std::unique_ptr<Fixture>& fixture) {
        fixture->queue.on_error([&latter = fixture->latter, ballast = std::array<char, 200>()](
                                    const std::exception_ptr&, const toto::TaskInfo&) {
          static_cast<void>(ballast);  // a hook of any size is one allocation
          ++latter;
        });
      },
      [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
        fixture->queue.add_task([] { throw std::runtime_error("for the hook"); });
        fixture->queue.wait_idle();
        return fixture->former == (threw ? 1 : 0) && fixture->latter == (threw ? 0 : 1) ? "" : "the wrong hook ran";
      });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points == 1);
}

TEST_CASE("a wrapper cannot be made, and nothing is lost, when an allocation fails",
          "[awaitable_instance][faults][S8]") {
  struct Fixture {
    toto::TaskQueue queue;
    std::shared_ptr<Probe> probe = std::make_shared<Probe>();
    std::optional<toto::AwaitableInstance<Counter>> wrapper;
  };
  const Sweep swept = sweep(
      [] { return std::make_unique<Fixture>(); },
      [](std::unique_ptr<Fixture>& fixture) { fixture->wrapper.emplace(Counter{fixture->probe}, fixture->queue); },
      [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
        if (threw) {
          return fixture->probe.use_count() == 1 ? "" : "the object was not destroyed";
        }
        return (*fixture->wrapper)(&Counter::add, 2).get() == 2 ? "" : "it does not work";
      });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 2);
}

TEST_CASE("a wrapper on a new named queue leaves no half-made queue when an allocation fails",
          "[awaitable_instance][faults][S8]") {
  int number = 0;
  const Sweep swept =
      sweep([&] { return "wrapped: " + kLongName + std::to_string(++number); },
            [](const std::string& name) { const toto::AwaitableInstance<Counter> wrapper(Counter{}, name); },
            [](const std::string& name, bool) -> std::string {
              toto::AwaitableInstance wrapper(Counter{std::make_shared<Probe>()}, name);
              return wrapper(&Counter::add, 3).get() == 3 ? "" : "it does not work";
            });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 3);
}

TEST_CASE("a call through a wrapper changes nothing when an allocation fails", "[awaitable_instance][faults][S8]") {
  const std::size_t points =
      sweep_wrapper_call([](const toto::AwaitableInstance<Counter>& wrapper) { return wrapper(&Counter::add, 1); });
  REQUIRE(points > 0);
}

TEST_CASE("a call of a coroutine method changes nothing when an allocation fails", "[awaitable_instance][faults][S8]") {
  const std::size_t points = sweep_wrapper_call(
      [](const toto::AwaitableInstance<Counter>& wrapper) { return wrapper(&Counter::add_in_coroutine, 1); });
  REQUIRE(points > 0);
}

TEST_CASE("taking the result of a cancelled task leaks nothing when an allocation fails", "[task_handle][faults][S8]") {
  struct Fixture {
    QueueInState in_state{State::busy};
    toto::TaskHandle<int> handle = in_state.queue.yield_task([probe = in_state.probe] { return ++probe->runs; });
  };
  const Sweep swept = sweep(
      [] {
        auto fixture = std::make_unique<Fixture>();
        fixture->handle.cancel();
        return fixture;
      },
      [](std::unique_ptr<Fixture>& fixture) {
        try {
          fixture->handle.get();
        } catch (const toto::TaskCancelled&) {
        }
      },
      [](std::unique_ptr<Fixture>& fixture, bool) -> std::string {
        return fixture->in_state.probe.use_count() == 1 ? "" : "captures are still alive";
      });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 1);
}

TEST_CASE("observing, cancelling, closing and waiting allocate nothing", "[task_queue][faults][S8]") {
  QueueInState fixture(State::busy);
  auto first = fixture.queue.yield_task([] { return 1; });
  auto second = fixture.queue.yield_task([] { return 2; });
  fixture.queue.add_task([text = std::string(100, 'x')] { static_cast<void>(text); });
  const CountedAllocations counted;
  static_cast<void>(fixture.queue.size());
  static_cast<void>(fixture.queue.stats());
  static_cast<void>(fixture.queue.name());
  static_cast<void>(fixture.queue.wait_idle_for(1ms));
  static_cast<void>(first.ready());
  static_cast<void>(first.wait_for(1ms));
  const bool cancelled = first.cancel();
  std::move(second).detach();
  const std::size_t dropped = fixture.queue.cancel_queued();
  fixture.queue.close();
  fixture.queue.close(toto::Pending::cancel);
  fixture.open();
  fixture.queue.wait_idle();
  const std::size_t here = counted.here();
  REQUIRE(here == 0);
  REQUIRE(cancelled);
  REQUIRE(dropped == 2);
}

TEST_CASE("shutting the named queues down changes nothing when an allocation fails", "[task_queue][faults][S8]") {
  toto::TaskQueue& queue = toto::TaskQueue::instance("not to be closed");
  bool refused = false;
  {
    const FailingAllocation failing(1);
    try {
      toto::TaskQueue::shutdown_instances(1s);
    } catch (const std::bad_alloc&) {
      refused = true;
    }
  }
  REQUIRE(refused);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}
