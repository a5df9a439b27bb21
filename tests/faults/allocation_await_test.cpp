// SPDX-License-Identifier: MIT
//
// Coroutines, loops and combinators when memory runs out: everything that allocates on the awaiting thread fails in
// turn. The error comes out where the coroutine is waited for, the tasks that were accepted still run, and nothing is
// left behind.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "faults/injection.hpp"
#include "faults/queue_in_state.hpp"
#include "support/catch.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// Awaits coroutines that use a queue; every allocation on this thread fails in turn, the frames among them.
template <class Coroutine>
std::size_t sweep_coroutine(Coroutine coroutine) {
  struct Fixture {
    toto::TaskQueue queue{2};
    std::shared_ptr<Probe> probe = std::make_shared<Probe>();
  };
  const Sweep swept =
      sweep([] { return std::make_unique<Fixture>(); },
            [&](std::unique_ptr<Fixture>& fixture) { toto::sync_wait(coroutine(fixture->queue, fixture->probe)); },
            [](std::unique_ptr<Fixture>& fixture, bool) -> std::string {
              fixture->queue.wait_idle();
              const toto::QueueStats stats = fixture->queue.stats();
              if (stats.completed != stats.submitted || stats.continuations != 0) {
                return "not all that was accepted has run";
              }
              if (fixture->probe.use_count() != 1) {
                return "captures, results or frames are still alive";
              }
              return fixture->queue.yield_task([] { return 1; }).get() == 1 ? "" : "does not work";
            });
  REQUIRE(swept.complaint.empty());
  return swept.points;
}

using Token = std::shared_ptr<Probe>;

toto::Task<> await_one(toto::TaskQueue& queue, Token probe) {
  auto handle = queue.yield_task([probe] { return probe; });
  static_cast<void>(co_await handle);
}

toto::Task<> await_a_tuple(toto::TaskQueue& queue, Token probe) {
  toto::TaskHandle<Token> first = queue.yield_task([probe] { return probe; });
  toto::TaskHandle<int> second = queue.yield_task([probe] { return 2; });
  static_cast<void>(co_await toto::when_all(std::move(first), std::move(second)));
}

toto::Task<> await_a_range(toto::TaskQueue& queue, Token probe) {
  std::vector<toto::TaskHandle<Token>> handles;
  for (int i = 0; i < 5; ++i) {
    handles.push_back(queue.yield_task([probe] { return probe; }));
  }
  static_cast<void>(co_await toto::when_all(std::move(handles)));
}

toto::Task<Token> nested(toto::TaskQueue& queue, Token probe) {
  auto handle = queue.yield_task([probe] { return probe; });
  co_return co_await handle;
}

toto::Task<> await_tasks(toto::TaskQueue& queue, Token probe) {
  static_cast<void>(co_await toto::when_all(nested(queue, probe), nested(queue, probe)));
}

toto::Task<> hop(toto::TaskQueue& queue, Token probe) {
  co_await queue.schedule();
  ++probe->runs;
}

toto::Task<> sleep_on_the_loop(toto::TaskQueue&, Token probe) {
  co_await toto::sleep_for(1us);
  ++probe->runs;
}

struct OwnExecutor {
  template <class Callable>
  void post(Callable&& callable) noexcept {
    std::forward<Callable>(callable)();
  }
};

toto::Task<> resume_on_an_own_executor(toto::TaskQueue& queue, Token probe) {
  OwnExecutor executor;
  toto::TaskHandle<Token> handle = queue.yield_task([probe] { return probe; });
  static_cast<void>(co_await std::move(handle).resume_on(executor));
}

toto::Task<> resume_on_a_queue(toto::TaskQueue& queue, Token probe) {
  toto::TaskHandle<Token> handle = queue.yield_task([probe] { return probe; });
  static_cast<void>(co_await std::move(handle).resume_on(queue));
}

}  // namespace

TEST_CASE("awaiting a handle survives each failing allocation", "[coroutine][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_one) >= 3);
}

TEST_CASE("when_all of a tuple survives each failing allocation", "[when_all][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_a_tuple) >= 4);
}

TEST_CASE("when_all of a range survives each failing allocation", "[when_all][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_a_range) >= 5);
}

TEST_CASE("when_all of coroutines survives each failing allocation", "[when_all][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_tasks) >= 5);
}

TEST_CASE("hopping to a queue survives each failing allocation", "[schedule][faults][S8]") {
  REQUIRE(sweep_coroutine(&hop) >= 3);
}

TEST_CASE("sleeping on a loop survives each failing allocation", "[sleep_for][faults][S8]") {
  REQUIRE(sweep_coroutine(&sleep_on_the_loop) >= 3);
}

TEST_CASE("resume_on survives each failing allocation", "[task_handle][faults][S8]") {
  REQUIRE(sweep_coroutine(&resume_on_an_own_executor) >= 4);
  REQUIRE(sweep_coroutine(&resume_on_a_queue) >= 3);
}

TEST_CASE("a loop that cannot be given something for lack of memory does what it had before",
          "[event_loop][faults][S8]") {
  struct Fixture {
    toto::EventLoop loop;
    Token probe = std::make_shared<Probe>();
    std::atomic<int> former{0};
  };
  const auto prepare = [] {
    auto fixture = std::make_unique<Fixture>();
    fixture->loop.post([&former = fixture->former] { ++former; });
    return fixture;
  };
  const auto check = [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
    if (threw && fixture->probe.use_count() != 1) {
      return "captures are still alive";
    }
    fixture->loop.run();
    if (fixture->former != 1) {
      return "what was posted before did not run";
    }
    if (fixture->probe->runs != (threw ? 0 : 1)) {
      return "ran " + std::to_string(fixture->probe->runs) + " times";
    }
    return fixture->probe.use_count() == 1 ? "" : "captures are still alive at the end";
  };

  const Sweep posting = sweep(
      prepare,
      [](std::unique_ptr<Fixture>& fixture) { fixture->loop.post([probe = fixture->probe] { ++probe->runs; }); },
      check);
  REQUIRE(posting.complaint.empty());
  REQUIRE(posting.points >= 1);

  const Sweep timing = sweep(
      prepare,
      [](std::unique_ptr<Fixture>& fixture) {
        fixture->loop.call_later(1us, [probe = fixture->probe] { ++probe->runs; });
      },
      check);
  REQUIRE(timing.complaint.empty());
  REQUIRE(timing.points >= 2);

  struct Spawned {
    static toto::Task<> count(Token probe) {
      ++probe->runs;
      co_return;
    }
  };
  const Sweep spawning = sweep(
      prepare, [](std::unique_ptr<Fixture>& fixture) { fixture->loop.spawn(Spawned::count(fixture->probe)); }, check);
  REQUIRE(spawning.complaint.empty());
  REQUIRE(spawning.points >= 2);
}

TEST_CASE("a loop that cannot be made for lack of memory leaks nothing", "[event_loop][faults][S8]") {
  const Sweep swept = sweep([] { return std::unique_ptr<toto::EventLoop>(); },
                            [](std::unique_ptr<toto::EventLoop>& loop) { loop = std::make_unique<toto::EventLoop>(); },
                            [](std::unique_ptr<toto::EventLoop>& loop, bool threw) -> std::string {
                              return threw == (loop == nullptr) ? "" : "half-made";
                            });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 2);
}

TEST_CASE("a coroutine whose frame has no memory leaves nothing behind, and its queue unchanged",
          "[task_queue][faults][S10]") {
  // The frame is made in the caller, before anything is given to the queue.
  const Sweep swept = sweep([] { return std::make_unique<QueueInState>(State::busy); },
                            [](std::unique_ptr<QueueInState>& fixture) {
                              auto task = nested(fixture->queue, fixture->probe);
                              fixture->queue.add_task([](toto::Task<Token> inner) { return inner; }, std::move(task));
                            },
                            [](std::unique_ptr<QueueInState>& fixture, bool threw) -> std::string {
                              if (threw) {
                                return fixture->changed();
                              }
                              fixture->open();
                              fixture->queue.wait_idle();
                              return fixture->probe.use_count() == 1 ? "" : "the frame is still alive";
                            });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 1);
}
