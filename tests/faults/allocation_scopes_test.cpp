// SPDX-License-Identifier: MIT
//
// Calls in the frame, time limits, when_any, when_all_settled, when_all_or_cancel and task groups when memory or
// threads run out: the error comes out where the coroutine is waited for, every accepted task runs or is cancelled, and
// nothing is left behind.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <toto/task_scope.hpp>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "faults/injection.hpp"
#include "faults/queue_in_state.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/process_info.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

using Token = std::shared_ptr<Probe>;

struct Fixture {
  toto::TaskQueue queue{2};
  Token probe = std::make_shared<Probe>();

  /// Everything has ended, one way or the other, and the queue works.
  std::string check() {
    queue.wait_idle();
    const toto::QueueStats stats = queue.stats();
    if (stats.completed + stats.cancelled != stats.submitted || stats.continuations != 0) {
      return "not all that was accepted has run";
    }
    if (stats.completed != static_cast<std::uint64_t>(probe->runs)) {
      return "ran " + std::to_string(probe->runs) + " times, and " + std::to_string(stats.completed) + " are counted";
    }
    // The end of a timer's call, and of a coroutine nobody waits for, may be a moment later.
    if (!eventually([&] { return probe.use_count() == 1; })) {
      return "captures, results or frames are still alive";
    }
    return queue.yield_task([] { return 1; }).get() == 1 ? "" : "does not work";
  }
};

/// Every allocation on this thread fails in turn, the coroutine's frames among them.
template <class Coroutine>
std::size_t sweep_coroutine(Coroutine coroutine) {
  const Sweep swept =
      sweep([] { return std::make_unique<Fixture>(); },
            [&](std::unique_ptr<Fixture>& fixture) { toto::sync_wait(coroutine(fixture->queue, fixture->probe)); },
            [](std::unique_ptr<Fixture>& fixture, bool) { return fixture->check(); });
  REQUIRE(swept.complaint.empty());
  return swept.points;
}

Token run(const Token& probe) {
  ++probe->runs;
  return probe;
}

toto::TaskHandle<Token> start(toto::TaskQueue& queue, const Token& probe) {
  return queue.yield_task([probe] { return run(probe); });
}

toto::Task<Token> nested(toto::TaskQueue& queue, Token probe) {
  auto handle = start(queue, probe);
  co_return co_await handle;
}

std::vector<toto::TaskHandle<Token>> several(toto::TaskQueue& queue, const Token& probe) {
  std::vector<toto::TaskHandle<Token>> handles;
  handles.reserve(4);
  for (int i = 0; i < 4; ++i) {
    handles.push_back(start(queue, probe));
  }
  return handles;
}

toto::Task<> await_a_call(toto::TaskQueue& queue, Token probe) {
  auto function = [probe] { return run(probe); };
  auto call = queue.call(std::move(function));
  static_cast<void>(co_await call);
}

toto::Task<> await_with_a_limit(toto::TaskQueue& queue, Token probe) {
  toto::TaskHandle<Token> handle = start(queue, probe);
  auto limited = std::move(handle).timeout(1h);
  static_cast<void>(co_await limited);
}

toto::Task<> await_any_of_a_tuple(toto::TaskQueue& queue, Token probe) {
  toto::TaskHandle<Token> first = start(queue, probe);
  toto::TaskHandle<Token> second = start(queue, probe);
  static_cast<void>(co_await toto::when_any(std::move(first), std::move(second)));
}

toto::Task<> await_any_of_a_range(toto::TaskQueue& queue, Token probe) {
  static_cast<void>(co_await toto::when_any(several(queue, probe)));
}

toto::Task<> await_any_of_coroutines(toto::TaskQueue& queue, Token probe) {
  static_cast<void>(co_await toto::when_any(nested(queue, probe), nested(queue, probe)));
}

toto::Task<> await_all_settled(toto::TaskQueue& queue, Token probe) {
  toto::TaskHandle<Token> first = start(queue, probe);
  static_cast<void>(co_await toto::when_all_settled(std::move(first), nested(queue, probe)));
}

toto::Task<> await_a_range_settled(toto::TaskQueue& queue, Token probe) {
  static_cast<void>(co_await toto::when_all_settled(several(queue, probe)));
}

toto::Task<> await_all_or_cancel(toto::TaskQueue& queue, Token probe) {
  toto::TaskHandle<Token> first = start(queue, probe);
  static_cast<void>(co_await toto::when_all_or_cancel(std::move(first), nested(queue, probe), nested(queue, probe)));
}

toto::Task<> await_a_range_or_cancel(toto::TaskQueue& queue, Token probe) {
  static_cast<void>(co_await toto::when_all_or_cancel(several(queue, probe)));
}

toto::Task<> member(toto::TaskQueue& queue, Token probe) {
  static_cast<void>(co_await nested(queue, std::move(probe)));
}

toto::Task<> fill(toto::TaskGroup& group, toto::TaskQueue& queue, Token probe) {
  group.add(queue, [probe] { ++probe->runs; });
  group.spawn(member(queue, probe));
  group.add(queue, [probe] { ++probe->runs; });
  co_return;
}

toto::Task<> await_a_group(toto::TaskQueue& queue, Token probe) {
  auto body = [&queue, &probe](toto::TaskGroup& group) { return fill(group, queue, probe); };
  auto group = toto::with_task_group(std::ref(body));
  co_await group;
}

bool no_timer_thread() {
  return !kProcessInfo || eventually([] { return threads_named("toto-timer") == 0; });
}

}  // namespace

TEST_CASE("a call in the frame survives each failing allocation", "[task_queue][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_a_call) >= 2);
}

TEST_CASE("a time limit survives each failing allocation", "[task_handle][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_with_a_limit) >= 4);
}

TEST_CASE("a time limit without a thread for the clock throws, and the task runs", "[task_handle][faults][S2]") {
  REQUIRE(no_timer_thread());
  Fixture fixture;
  fixture.queue.yield_task([&] { ++fixture.probe->runs; }).get();
  Gate gate;
  Gate begun;
  fixture.queue.add_task([&] {
    begun.open();
    gate.wait();
    ++fixture.probe->runs;
  });
  REQUIRE(begun.wait());
  {
    const ThreadStarts starts(&ThreadStarts::always);
    const auto behind = fixture.queue.limited(1, "behind");
    toto::TaskHandle<Token> handle = fixture.queue.yield_task([&gate, probe = fixture.probe] {
      gate.wait();
      return run(probe);
    });
    auto limited = std::move(handle).timeout(1h);
    REQUIRE_THROWS_AS(toto::sync_wait(limited), std::system_error);
    REQUIRE(starts.refused() >= 1);
  }
  gate.open();
  REQUIRE(fixture.check().empty());
}

TEST_CASE("when_any survives each failing allocation", "[when_any][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_any_of_a_tuple) >= 4);
  REQUIRE(sweep_coroutine(&await_any_of_a_range) >= 5);
  REQUIRE(sweep_coroutine(&await_any_of_coroutines) >= 5);
}

TEST_CASE("when_all_settled survives each failing allocation", "[when_all][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_all_settled) >= 4);
  REQUIRE(sweep_coroutine(&await_a_range_settled) >= 5);
}

TEST_CASE("when_all_or_cancel survives each failing allocation", "[when_all][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_all_or_cancel) >= 5);
  REQUIRE(sweep_coroutine(&await_a_range_or_cancel) >= 5);
}

TEST_CASE("a task group survives each failing allocation", "[task_group][faults][S8]") {
  REQUIRE(sweep_coroutine(&await_a_group) >= 6);
}

TEST_CASE("a task group whose queue can start no thread ends with that error", "[task_group][faults][S2]") {
  Fixture fixture;
  {
    const ThreadStarts starts(&ThreadStarts::always);
    REQUIRE_THROWS_AS(toto::sync_wait(await_a_group(fixture.queue, fixture.probe)), std::system_error);
    REQUIRE(fixture.queue.stats().submitted == 0);
  }
  REQUIRE(fixture.probe->runs == 0);
  REQUIRE(fixture.check().empty());
}

TEST_CASE("a scope loses nothing when an allocation fails, in it or in one of its coroutines", "[faults][S8][L19]") {
  const std::size_t points = sweep_coroutine([](toto::TaskQueue& queue, const Token& probe) -> toto::Task<> {
    toto::TaskScope scope(toto::current_executor());
    scope.spawn([](toto::TaskQueue& away, Token mine) -> toto::Task<> {
      const auto home = toto::current_executor();
      co_await away.schedule();
      auto handle = start(away, mine);
      co_await std::move(handle).resume_on(home);
      co_await toto::resume_on(away);
      co_await toto::resume_on(home);
    }(queue, probe));
    scope.spawn([](toto::TaskQueue& away, Token mine) -> toto::Task<> {
      co_await toto::when_all(start(away, mine),
                              [](toto::TaskQueue& there) -> toto::Task<> { co_await there.schedule(); }(away));
    }(queue, probe));
    co_await scope.join();
  });
  REQUIRE(points >= 10);
}

TEST_CASE("spawn starts nothing when an allocation fails", "[faults][S8]") {
  const std::size_t points = sweep_coroutine([](toto::TaskQueue& queue, const Token& probe) -> toto::Task<> {
    toto::spawn(queue, [](Token mine) -> toto::Task<> {
      ++mine->runs;
      co_return;
    }(probe));
    toto::spawn(toto::current_executor(), [](Token mine) -> toto::Task<> {
      static_cast<void>(mine);
      co_return;
    }(probe));
    co_return;
  });
  REQUIRE(points >= 4);
}
