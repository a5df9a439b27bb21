// SPDX-License-Identifier: MIT
//
// Task, toto's own coroutine type: lazy, one awaiter, and chains of them that do not eat the stack.

#include <toto/tasks.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/sanitizers.hpp"
#include "support/stack_position.hpp"

using namespace toto_tests;

namespace {

static_assert(!std::is_copy_constructible_v<toto::Task<>>);
static_assert(std::is_nothrow_move_constructible_v<toto::Task<>>);
static_assert(std::is_nothrow_move_assignable_v<toto::Task<int>>);
static_assert(std::is_same_v<toto::Task<>, toto::Task<void>>);

/// Much less than a stack, much more than the few frames between two awaits, instrumented or not.
constexpr std::size_t kFewFrames = 32 * 1024;

toto::Task<int> number(int value) {
  co_return value;
}
toto::Task<std::string> text(std::string value) {
  co_return value;
}

toto::Task<int> fail() {
  throw std::runtime_error("on purpose");
  co_return 0;
}

/// Awaits a chain of `length` tasks, each of which awaits the next; the innermost one awaits `last`.
toto::Task<int> link(toto::Task<int> next, StackExtent& stack) {
  stack.see();
  toto::Task<int> mine = std::move(next);  // destroyed when it has ended, not all of them at the very end
  const int below = co_await mine;
  stack.see();
  co_return below + 1;
}
toto::Task<int> chain(int length, toto::Task<int> last, StackExtent& stack) {
  toto::Task<int> outermost = std::move(last);
  for (int i = 0; i < length; ++i) {
    outermost = link(std::move(outermost), stack);
  }
  return outermost;
}

toto::Task<int> await_numbers(int count, StackExtent& stack) {
  int ones = 0;
  for (int i = 0; i < count; ++i) {
    ones += co_await number(1);
    stack.see();
  }
  co_return ones;
}

toto::Task<int> recurse(int depth, StackExtent& stack) {
  stack.see();
  const int below = depth == 0 ? -1 : co_await recurse(depth - 1, stack);
  stack.see();
  co_return below + 1;
}

toto::Task<int> await_handle(toto::TaskHandle<int> handle) {
  co_return co_await handle;
}

}  // namespace

TEST_CASE("a Task does nothing until it is awaited", "[task]") {
  bool began = false;
  const auto begin = [](bool& flag) -> toto::Task<> {
    flag = true;
    co_return;
  };
  auto task = begin(began);
  CHECK_FALSE(began);
  CHECK(task.valid());
  toto::sync_wait(task);
  CHECK(began);
}

TEST_CASE("a Task that is never awaited destroys its arguments, and only them", "[task]") {
  Lifetimes arguments;
  bool began = false;
  {
    const auto task = [](Counted, bool& flag) -> toto::Task<> {
      flag = true;
      co_return;
    }(Counted(arguments), began);
    CHECK(arguments.alive() == 1);
  }
  CHECK(arguments.alive() == 0);
  CHECK_FALSE(began);
}

TEST_CASE("a Task gives its value or throws its failure to whoever awaits it", "[task]") {
  const auto all = []() -> toto::Task<std::string> {
    std::string log = co_await text("text ");
    log += std::to_string(co_await number(1));
    try {
      co_await fail();
    } catch (const std::runtime_error& error) {
      log += error.what();
    }
    co_return log;
  };
  CHECK(toto::sync_wait(all()) == "text 1on purpose");
  CHECK_THROWS_AS(toto::sync_wait(fail()), std::runtime_error);
}

TEST_CASE("awaiting an empty or moved-from Task throws NoState", "[task]") {
  const auto await = [](toto::Task<int>& task) -> toto::Task<int> { co_return co_await task; };
  toto::Task<int> empty;
  CHECK_FALSE(empty.valid());
  CHECK_THROWS_AS(toto::sync_wait(await(empty)), toto::NoState);
  toto::Task<int> task = number(1);
  toto::Task<int> other = std::move(task);
  CHECK_FALSE(task.valid());
  CHECK_THROWS_AS(toto::sync_wait(await(task)), toto::NoState);
  task = std::move(other);
  CHECK(toto::sync_wait(await(task)) == 1);
}

TEST_CASE("awaiting a Task that has ended throws NoState", "[task]") {
  toto::Task<int> task = number(1);
  CHECK(toto::sync_wait(task) == 1);
  CHECK_THROWS_AS(toto::sync_wait(task), toto::NoState);
}

TEST_CASE("spawning, queueing or joining a Task that has ended gives NoState", "[task]") {
  const auto ended = [] {
    auto task = []() -> toto::Task<> { co_return; }();
    toto::sync_wait(task);
    return task;
  };
  SECTION("spawn") {
    toto::EventLoop loop;
    CHECK_THROWS_AS((loop.spawn(ended()), loop.run()), toto::NoState);
  }
  SECTION("when_all") {
    CHECK_THROWS_AS(toto::sync_wait(toto::when_all(ended())), toto::NoState);
  }
  SECTION("yield_task") {
    toto::TaskQueue queue;
    CHECK_THROWS_AS(queue.yield_task(ended).get(), toto::NoState);
  }
}

TEST_CASE("queueing or joining an empty Task gives NoState; a loop refuses one", "[task]") {
  SECTION("spawn") {
    toto::EventLoop loop;
    CHECK_THROWS_AS(loop.spawn(toto::Task<>()), std::invalid_argument);
    loop.run();  // nothing is left of it
  }
  SECTION("when_all") {
    CHECK_THROWS_AS(toto::sync_wait(toto::when_all(toto::Task<int>())), toto::NoState);
  }
  SECTION("yield_task") {
    toto::TaskQueue queue;
    CHECK_THROWS_AS(queue.yield_task([] { return toto::Task<int>(); }).get(), toto::NoState);
    CHECK(queue.yield_task([] { return 1; }).get() == 1);
  }
}

TEST_CASE("a Task that is already being awaited refuses a second coroutine, and the first one gets its value",
          "[task]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto shared = await_handle(queue.yield_task([] { return 5; }));
  int value = 0;
  int refusals = 0;
  const auto reader = [](toto::Task<int>& task, toto::EventLoop& on, int& got, int& refused) -> toto::Task<> {
    try {
      got += co_await task;
      on.stop();
    } catch (const toto::NoState&) {
      ++refused;
    }
  };
  loop.spawn(reader(shared, loop, value, refusals));
  loop.spawn(reader(shared, loop, value, refusals));
  loop.post([&] { worker.release(); });
  loop.call_later(kPatience, [&] { loop.stop(); });
  loop.run();
  CHECK(value == 5);
  CHECK(refusals == 1);
}

TEST_CASE("destroying a Task that has not ended destroys what it awaits as well", "[task]") {
  struct Note {
    std::string& log;
    const char* name;
    ~Note() { log += name; }
  };
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  std::string log;
  {
    toto::EventLoop loop;
    const auto inner = [](toto::TaskHandle<int> handle, std::string& to) -> toto::Task<int> {
      const Note note{to, "inner "};
      co_return co_await handle;
    };
    loop.spawn([](toto::Task<int> task, std::string& to) -> toto::Task<> {
      const Note note{to, "outer "};
      co_await task;
    }(inner(queue.yield_task([] { return 1; }), log), log));
    loop.post([&] { loop.stop(); });
    loop.run();
  }
  CHECK_THAT(log, contains("inner"));
  CHECK_THAT(log, contains("outer"));
  worker.release();
}

TEST_CASE("what a coroutine returns is converted to the Task's type", "[task][G11]") {
  const auto convert = []() -> toto::Task<std::string> { co_return "from a literal"; };
  CHECK(toto::sync_wait(convert()) == "from a literal");
  const auto pointer = []() -> toto::Task<std::unique_ptr<int>> {
    auto made = std::make_unique<int>(4);
    co_return made;
  };
  CHECK(*toto::sync_wait(pointer()) == 4);
  const auto braces = []() -> toto::Task<std::pair<int, std::string>> { co_return {1, "braces"}; };
  CHECK(toto::sync_wait(braces()).second == "braces");
}

TEST_CASE("awaiting many Tasks that end at once does not grow the stack", "[task][G20]") {
  StackExtent stack;
  REQUIRE(toto::sync_wait(await_numbers(1'000, stack)) == 1'000);
  REQUIRE(stack.bytes() < kFewFrames);  // the rest would crash
  CHECK(toto::sync_wait(await_numbers(1'000'000, stack)) == 1'000'000);
  CHECK(stack.bytes() < kFewFrames);
}

TEST_CASE("awaiting many finished handles does not grow the stack", "[await][G20]") {
  const auto await_all = [](toto::TaskQueue& queue, int batches, StackExtent& stack) -> toto::Task<int> {
    int sum = 0;
    for (int batch = 0; batch < batches; ++batch) {
      std::vector<toto::TaskHandle<int>> handles;
      for (int i = 0; i < 1'000; ++i) {
        handles.push_back(queue.yield_task([] { return 1; }));
      }
      queue.wait_idle();
      for (auto& handle : handles) {
        sum += co_await handle;
        stack.see();
      }
    }
    co_return sum;
  };
  toto::TaskQueue queue;
  StackExtent stack;
  REQUIRE(toto::sync_wait(await_all(queue, 1, stack)) == 1'000);
  REQUIRE(stack.bytes() < kFewFrames);
  const int batches = scaled(1'000, 50);
  CHECK(toto::sync_wait(await_all(queue, batches, stack)) == 1'000 * batches);
  CHECK(stack.bytes() < kFewFrames);
}

TEST_CASE("awaiting many unfinished handles of one's own queue does not grow the stack", "[await][G20]") {
  const auto follow = [](toto::TaskQueue& queue, int count, StackExtent& stack) -> toto::Task<int> {
    int sum = 0;
    for (int i = 0; i < count; ++i) {
      sum += co_await queue.yield_task([] { return 1; });  // the only worker is here
      stack.see();
    }
    co_return sum;
  };
  toto::TaskQueue queue;
  StackExtent stack;
  const int count = scaled(100'000, 10'000);
  CHECK(queue.yield_task(follow, std::ref(queue), count, std::ref(stack)).get() == count);
  CHECK(stack.bytes() < kFewFrames);
}

TEST_CASE("a long chain of Tasks neither starts nor ends in a growing stack", "[task][G21]") {
  StackExtent stack;
  REQUIRE(toto::sync_wait(chain(1'000, number(1), stack)) == 1'001);
  REQUIRE(stack.bytes() < kFewFrames);
  CHECK(toto::sync_wait(chain(100'000, number(1), stack)) == 100'001);
  CHECK(stack.bytes() < kFewFrames);
}

TEST_CASE(
    "a long chain of Tasks whose innermost one waits does not start in a growing stack, nor end in one if the "
    "compiler jumps",
    "[task][G21]") {
  const int length = toto::detail::kJumps ? 100'000 : 5'000;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  toto::EventLoop loop;
  StackExtent begun;
  StackExtent stack;
  loop.post([&] {
    begun = stack;
    worker.release();
  });
  CHECK(loop.run_sync(chain(length, await_handle(queue.yield_task([] { return 1; })), stack)) == length + 1);
  CHECK(begun.bytes() < kFewFrames);
  if (toto::detail::kJumps) {
    CHECK(stack.bytes() < kFewFrames);
  }
}

TEST_CASE("Tasks that call themselves take no stack", "[task][G21]") {
  const int depth = scaled(200'000, 50'000);
  StackExtent stack;
  CHECK(toto::sync_wait(recurse(depth, stack)) == depth);
  CHECK(stack.bytes() < kFewFrames);
}

TEST_CASE("a Task that awaits others, some of which end at once and some elsewhere, goes on where each has ended",
          "[task][G20]") {
  toto::TaskQueue queue;
  const auto move = [](toto::TaskQueue& target) -> toto::Task<> { co_await target.schedule(); };
  const auto stay = [](int value) -> toto::Task<int> { co_return co_await number(value); };
  const auto both = [&](StackExtent& stack) -> toto::Task<int> {
    int sum = 0;
    for (int i = 0; i < 1'000; ++i) {
      sum += co_await stay(1);
      stack.see();
      auto there = move(queue);
      co_await there;
      sum += toto::TaskQueue::current() == &queue ? 1 : 0;
      sum += co_await stay(1);
      stack.see();
    }
    co_return sum;
  };
  StackExtent stack;
  auto once = both(stack);
  CHECK(toto::sync_wait(once) == 3'000);
}

TEST_CASE("a long chain of coroutine tasks, each resumed by the end of the former, does not grow the stack",
          "[task][await][G21]") {
  toto::TaskQueue queue;
  StackExtent stack;
  const int length = scaled(100'000, 20'000);
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  toto::TaskHandle<int> last = queue.yield_task([] { return 0; });
  for (int i = 0; i < length; ++i) {
    last = queue.yield_task(
        [](toto::TaskHandle<int> former, StackExtent& extent) -> toto::Task<int> {
          const int count = co_await former;
          extent.see();
          co_return count + 1;
        },
        std::move(last), std::ref(stack));
  }
  worker.release();
  CHECK(last.get() == length);
  CHECK(stack.bytes() < kFewFrames);
}
