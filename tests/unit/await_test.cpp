// SPDX-License-Identifier: MIT
//
// co_await on a handle: when it suspends, how often it resumes, from which coroutines and in which expressions. Where
// the coroutine continues is in home_test.cpp, what happens to a destroyed one in awaiter_frame_test.cpp.

#include <toto/tasks.hpp>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"

using namespace toto_tests;

namespace {

/// Awaits one handle and records the outcome.
struct Outcome {
  Gate over;
  int value = 0;
  std::string failure;
  std::thread::id on;
};
template <class Handle>
Observed observe(Awaits& /*awaits*/, Handle handle, Outcome& outcome) {
  try {
    outcome.value = co_await std::move(handle);
  } catch (const std::exception& error) {
    outcome.failure = error.what();
  }
  outcome.on = std::this_thread::get_id();
  outcome.over.open();
}

toto::Task<int> await_it(toto::TaskHandle<int> handle) {
  co_return co_await handle;
}

}  // namespace

TEST_CASE("awaiting a finished task does not suspend, and goes on at once on the same thread", "[await][G1][H3]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([] { return 3; });
  handle.wait();
  Awaits awaits;
  Outcome outcome;
  observe(awaits, std::move(handle), outcome);
  REQUIRE(outcome.over.is_open());
  CHECK(awaits.suspended == 0);
  CHECK(awaits.resumed == 1);
  CHECK(outcome.value == 3);
  CHECK(outcome.on == std::this_thread::get_id());
}

TEST_CASE("awaiting a task that is not over suspends once and resumes once", "[await][G2]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Awaits awaits;
  Outcome outcome;
  observe(awaits, queue.yield_task([] { return 4; }), outcome);
  CHECK_FALSE(outcome.over.is_open());
  CHECK(awaits.suspended == 1);
  CHECK(awaits.resumed == 0);
  worker.release();
  REQUIRE(outcome.over.wait());
  queue.wait_idle();
  CHECK(awaits.suspended == 1);
  CHECK(awaits.resumed == 1);
  CHECK(outcome.value == 4);
}

TEST_CASE("a failed task throws at the await, whether it was over before or not", "[await][G1][G2]") {
  toto::TaskQueue queue;
  const auto fail = []() -> int { throw std::runtime_error("no"); };
  auto over = queue.yield_task(fail);
  over.wait();
  Awaits awaits;
  Outcome first;
  observe(awaits, std::move(over), first);
  CHECK(first.failure == "no");
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Outcome second;
  observe(awaits, queue.yield_task(fail), second);
  worker.release();
  REQUIRE(second.over.wait());
  CHECK(second.failure == "no");
}

TEST_CASE("tasks that end while they are being awaited resume their coroutine exactly once", "[await][G3]") {
  constexpr int kRounds = 20'000;
  toto::TaskQueue queue(2);
  Awaits awaits;
  int sum = 0;
  for (int i = 0; i < kRounds; ++i) {
    Outcome outcome;
    observe(awaits, queue.yield_task([] { return 1; }), outcome);
    if (!outcome.over.wait()) {
      break;
    }
    sum += outcome.value;
  }
  queue.wait_idle();
  CHECK(sum == kRounds);
  CHECK(awaits.resumed == kRounds);
}

TEST_CASE("a second await of a handle is refused in words", "[await][G17]") {
  toto::TaskQueue queue;
  const auto twice = [](toto::TaskHandle<int> handle, std::string& words) -> toto::Task<int> {
    const int value = co_await handle;
    try {
      co_await handle;
    } catch (const toto::NoState& error) {
      words = error.what();
    }
    co_return value;
  };
  std::string words;
  CHECK(toto::sync_wait(twice(queue.yield_task([] { return 5; }), words)) == 5);
  CHECK_THAT(words, contains("result taken"));
}

TEST_CASE("of two coroutines that await one handle, one gets the result and the other one is told", "[await][G18]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto handle = queue.yield_task([] { return 6; });
  int values = 0;
  int refusals = 0;
  const auto reader = [](toto::TaskHandle<int>& shared, int& got, int& refused) -> toto::Task<> {
    try {
      got += co_await shared;
    } catch (const toto::NoState&) {
      ++refused;
    }
  };
  loop.spawn(reader(handle, values, refusals));
  loop.spawn(reader(handle, values, refusals));
  loop.post([&] { worker.release(); });
  loop.run();
  CHECK(values == 6);
  CHECK(refusals == 1);
}

TEST_CASE("awaiting a handle without a task throws NoState in the coroutine", "[await][G19]") {
  toto::TaskHandle<int> moved_from;
  const toto::TaskHandle<int> other = std::move(moved_from);
  CHECK_THROWS_AS(toto::sync_wait(await_it(toto::TaskHandle<int>())), toto::NoState);
  CHECK_THROWS_AS(toto::sync_wait([](toto::TaskHandle<int>& handle) -> toto::Task<int> {
                    co_return co_await std::move(handle).resume_inline();
                  }(moved_from)),
                  toto::NoState);
}

TEST_CASE("what was written before yield_task is visible to the task, and what it wrote to whoever gets the result",
          "[await][A9]") {
  // Plain variables all the way: ThreadSanitizer is the judge of the order, the values of the rest.
  toto::TaskQueue queue(2);
  toto::EventLoop loop;
  int wrong = 0;
  const auto rounds = [](toto::TaskQueue& tasks, int& errors) -> toto::Task<> {
    std::array<int, 8> plain{};
    for (int round = 1; round <= 2'000; ++round) {
      plain.fill(round);
      auto handle = tasks.yield_task([&plain, &errors, round] {
        errors += plain[3] == round ? 0 : 1;
        plain[3] = -round;
      });
      if (round % 3 == 0) {
        handle.wait();
        errors += plain[3] == -round ? 0 : 1;
      }
      co_await handle;
      errors += plain[3] == -round ? 0 : 1;
    }
  };
  loop.run_sync(rounds(queue, wrong));
  CHECK(wrong == 0);
}

TEST_CASE("handles can be awaited in coroutine types that toto does not know", "[await][G28]") {
  toto::TaskQueue queue;
  SECTION("without await_transform") {
    Gate over;
    int value = 0;
    [](toto::TaskQueue& tasks, int& got, Gate& done) -> FireAndForget {
      got = co_await tasks.yield_task([] { return 7; });
      co_await tasks.yield_task([] {});
      done.open();
    }(queue, value, over);
    REQUIRE(over.wait());
    CHECK(value == 7);
  }
  SECTION("with an await_transform that passes everything through a wrapper") {
    Awaits awaits;
    Outcome outcome;
    observe(awaits, queue.yield_task([] { return 8; }), outcome);
    REQUIRE(outcome.over.wait());
    CHECK(outcome.value == 8);
    CHECK(awaits.asked == 1);
  }
  SECTION("through a type-erased coroutine handle") {
    Gate over;
    int value = 0;
    auto awaiter = queue.yield_task([] { return 9; }).operator co_await();
    using Awaiter = decltype(awaiter);
    struct Erased {
      Awaiter& awaiter;
      bool await_ready() const { return awaiter.await_ready(); }
      bool await_suspend(std::coroutine_handle<> coroutine) const noexcept { return awaiter.await_suspend(coroutine); }
      int await_resume() const { return awaiter.await_resume(); }
    };
    [](Awaiter& inner, int& got, Gate& done) -> FireAndForget {
      Erased erased{inner};
      got = co_await erased;
      done.open();
    }(awaiter, value, over);
    REQUIRE(over.wait());
    CHECK(value == 9);
  }
}

TEST_CASE("an exception that a coroutine does not catch goes up to whoever awaits it", "[await][G25]") {
  toto::TaskQueue queue;
  const auto inner = [](toto::TaskQueue& tasks) -> toto::Task<int> {
    co_return co_await tasks.yield_task([]() -> int { throw std::out_of_range("far away"); });
  };
  const auto outer = [](toto::Task<int> task) -> toto::Task<int> { co_return 1 + co_await task; };
  CHECK_THROWS_AS(toto::sync_wait(outer(inner(queue))), std::out_of_range);
}

TEST_CASE("co_await works in try blocks, loops, conditional expressions, conditions and range-for", "[await][G25]") {
  toto::TaskQueue queue(2);
  const auto everything = [](toto::TaskQueue& tasks, std::string& log) -> toto::Task<> {
    const auto text = [&tasks](const char* what) { return tasks.yield_task([what] { return std::string(what); }); };
    const auto number = [&tasks](int value) { return tasks.yield_task([value] { return value; }); };
    try {
      log += co_await text("try ");
      co_await tasks.yield_task([] { throw std::runtime_error("caught "); });
      log += "not reached ";
    } catch (const std::runtime_error& error) {
      log += error.what();
    }
    for (int i = co_await number(0); i < co_await number(2); i += co_await number(1)) {
      log += std::to_string(i);
    }
    // Numbers: GCC 12 destroys strings twice here, whatever is awaited.
    log += std::to_string(co_await number(1) == 1 ? co_await number(5) : co_await number(6));
    if (co_await number(0) == 1 && co_await number(0) == 0) {
      log += " both";
    } else if (const int value = co_await number(3); value == 3) {
      log += " three";
    }
#if defined(__GNUC__) && !defined(__clang__) && __cplusplus > 202002L  // docs/how-to/gcc-12.md: "A newer GCC"
    const auto letters = co_await text(" abc");
    for (const char letter : letters) {
#else
    for (const char letter : co_await text(" abc")) {
#endif
      log += letter;
    }
    while (co_await number(static_cast<int>(log.size())) < 30) {
      log += '.';
    }
    switch (co_await number(2)) {
      case 2:
        log += co_await text(" two");
        break;
      default:
        log += " other";
    }
    log += std::to_string(co_await number(20) + co_await number(2) * co_await number(11));
    const auto& [first, second] = std::pair(co_await text(" left"), co_await text(" right"));
    log += first + second;
  };
  std::string log;
  toto::sync_wait(everything(queue, log));
  CHECK(log == "try caught 015 three abc...... two42 left right");
}
