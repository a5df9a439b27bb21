// SPDX-License-Identifier: MIT
//
// when_all: several handles and tasks at once.

#include <toto/tasks.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"

using namespace toto_tests;

namespace {

template <class A>
using Result = decltype(std::declval<A&>().operator co_await().await_resume());
template <class... As>
using TupleOf = Result<decltype(toto::when_all(std::declval<As>()...))>;
static_assert(std::is_same_v<TupleOf<>, std::tuple<>>);
static_assert(std::is_same_v<TupleOf<toto::TaskHandle<int>, toto::Task<>, toto::TaskHandle<std::string&>>,
                             std::tuple<int, std::monostate, std::reference_wrapper<std::string>>>);
static_assert(std::is_same_v<TupleOf<toto::TaskHandle<const int&>&>, std::tuple<std::reference_wrapper<const int>>>);
static_assert(std::is_same_v<TupleOf<std::vector<toto::TaskHandle<int>>>, std::vector<int>>);
static_assert(
    std::is_same_v<TupleOf<std::vector<toto::Task<std::unique_ptr<int>>>&>, std::vector<std::unique_ptr<int>>>);
static_assert(std::is_same_v<TupleOf<std::vector<toto::TaskHandle<>>>, void>);
static_assert(std::is_same_v<TupleOf<std::list<toto::TaskHandle<int&>>>, std::vector<std::reference_wrapper<int>>>);

toto::Task<int> number(int value) {
  co_return value;
}

/// Ends as soon as it may.
template <class R>
toto::Task<R> follow(toto::TaskHandle<R> handle) {
  co_return co_await handle;
}

/// Tasks that end one by one, when the test says so.
class Stepwise {
 public:
  explicit Stepwise(std::size_t count) : queue_(count), gates_(count) {
    queue_.on_error([](std::exception_ptr, const toto::TaskInfo&) {});  // failures that when_all does not deliver
  }

  toto::TaskHandle<int> task(std::size_t index) {
    return queue_.yield_task([this, index] {
      gates_[index].wait();
      return static_cast<int>(index);
    });
  }
  toto::TaskHandle<int> failing_task(std::size_t index) {
    return queue_.yield_task([this, index]() -> int {
      gates_[index].wait();
      throw std::runtime_error(std::to_string(index));
    });
  }
  /// Returns when the task has ended and its completion was delivered.
  void finish(std::size_t index) {
    gates_[index].open();
    ++finished_;
    eventually([this] {
      const toto::QueueStats stats = queue_.stats();
      return stats.completed + stats.failed >= finished_;
    });
  }
  toto::TaskQueue& queue() { return queue_; }

 private:
  toto::TaskQueue queue_;
  std::vector<Gate> gates_;
  std::size_t finished_ = 0;
};

}  // namespace

TEST_CASE("when_all of nothing is done at once", "[when_all][I1]") {
  bool over = false;
  [](bool& done) -> FireAndForget {
    const std::tuple<> nothing = co_await toto::when_all();
    static_cast<void>(nothing);
    const std::vector<int> none = co_await toto::when_all(std::vector<toto::TaskHandle<int>>());
    co_await toto::when_all(std::vector<toto::Task<>>());
    done = none.empty();
  }(over);
  CHECK(over);
}

TEST_CASE("when_all gives all results in the order of arguments, whatever ended first", "[when_all][I2]") {
  Stepwise steps(3);
  std::array<std::size_t, 3> order{};
  SECTION("forwards") {
    order = {0, 1, 2};
  }
  SECTION("backwards") {
    order = {2, 1, 0};
  }
  SECTION("from the middle") {
    order = {1, 2, 0};
  }
  Gate over;
  std::tuple<int, int, int> results;
  [](Stepwise& tasks, std::tuple<int, int, int>& to, Gate& done) -> FireAndForget {
    to = co_await toto::when_all(tasks.task(0), tasks.task(1), follow(tasks.task(2)));
    done.open();
  }(steps, results, over);
  for (const std::size_t index : order) {
    CHECK_FALSE(over.is_open());
    steps.finish(index);
  }
  REQUIRE(over.wait());
  CHECK(results == std::tuple(0, 1, 2));
}

TEST_CASE("when_all of handles that are all over does not suspend", "[when_all][I2][H3]") {
  toto::TaskQueue queue;
  auto first = queue.yield_task([] { return 1; });
  auto second = queue.yield_task([] { return 2; });
  first.wait();
  second.wait();
  int sum = 0;
  [](toto::TaskHandle<int>& a, toto::TaskHandle<int>& b, int& to) -> FireAndForget {
    const auto [x, y] = co_await toto::when_all(a, b);
    to = x + y;
  }(first, second, sum);
  CHECK(sum == 3);
  CHECK_FALSE(first.valid());  // a named handle is consumed like a moved one
}

TEST_CASE("when_all waits for all, then throws the failure that stands first in the order of arguments",
          "[when_all][I3]") {
  Stepwise steps(3);
  Gate over;
  std::string failure;
  [](Stepwise& tasks, std::string& to, Gate& done) -> FireAndForget {
    try {
      co_await toto::when_all(tasks.task(0), tasks.failing_task(1), tasks.failing_task(2));
    } catch (const std::runtime_error& error) {
      to = error.what();
    }
    done.open();
  }(steps, failure, over);
  steps.finish(2);
  CHECK_FALSE(over.is_open());
  steps.finish(1);
  CHECK_FALSE(over.is_open());  // the first argument is not over
  steps.finish(0);
  REQUIRE(over.wait());
  CHECK(failure == "1");
}

TEST_CASE("when_all of a range waits for all, then throws the failure that stands first", "[when_all][I3]") {
  Stepwise steps(3);
  toto::EventLoop loop;
  std::vector<toto::TaskHandle<int>> handles;
  handles.push_back(steps.task(0));
  handles.push_back(steps.failing_task(1));
  handles.push_back(steps.failing_task(2));
  for (const std::size_t index : {2U, 1U, 0U}) {
    steps.finish(index);
  }
  CHECK_THROWS_WITH(loop.run_sync(toto::when_all(handles)), "1");
}

TEST_CASE("results that when_all does not deliver are destroyed, failures go to on_error", "[when_all][I3]") {
  Lifetimes results;
  Record<std::string> unseen;
  {
    toto::TaskQueue queue;
    queue.on_error([&](std::exception_ptr failure, const toto::TaskInfo&) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        unseen.add(error.what());
      }
    });
    const auto give = [&] { return Counted(results); };
    const auto fail = [](const char* text) { throw std::runtime_error(text); };
    auto a = queue.yield_task(give);
    auto b = queue.yield_task(fail, "first");
    auto c = queue.yield_task(give);
    auto d = queue.yield_task(fail, "second");
    CHECK_THROWS_WITH(toto::sync_wait(toto::when_all(a, b, c, d)), "first");
  }
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
  CHECK(unseen.values() == std::vector<std::string>{"second"});
}

TEST_CASE("when_all takes vectors, lists, views and arrays of handles or tasks", "[when_all][I4]") {
  toto::TaskQueue queue(2);
  const auto handle = [&queue](int value) { return queue.yield_task([value] { return value; }); };
  std::vector<toto::TaskHandle<int>> handles;
  std::list<toto::Task<int>> tasks;
  std::array<toto::TaskHandle<int>, 2> two;
  for (int i = 0; i < 20; ++i) {
    handles.push_back(handle(i));
    tasks.push_back(number(i));
    two[static_cast<std::size_t>(i % 2)] = handle(i);
  }
  std::vector<int> expected(20);
  for (std::size_t i = 0; i < 20; ++i) {
    expected[i] = static_cast<int>(i);
  }
  CHECK(toto::sync_wait(toto::when_all(handles)) == expected);
  CHECK_FALSE(handles[0].valid());
  CHECK(toto::sync_wait(toto::when_all(std::move(tasks))) == expected);
  CHECK(toto::sync_wait(toto::when_all(two)) == std::vector<int>{18, 19});
#if !defined(__clang__) || __clang_major__ >= 16  // Clang 14 cannot compile the views of libstdc++
  auto lazy = std::views::iota(0, 20) | std::views::transform(handle);
  CHECK(toto::sync_wait(toto::when_all(lazy)) == expected);
#endif
}

TEST_CASE("when_all gives move-only results, nothing for void, and references to the objects themselves",
          "[when_all][I4]") {
  std::atomic<int> ran{0};
  toto::TaskQueue queue;
  std::string object = "itself";
  auto [unique, nothing, reference] =
      toto::sync_wait(toto::when_all(queue.yield_task([] { return std::make_unique<int>(1); }), queue.yield_task([] {}),
                                     queue.yield_task([&object]() -> std::string& { return object; })));
  CHECK(*unique == 1);
  CHECK(nothing == std::monostate());
  CHECK(&reference.get() == &object);
  std::vector<toto::TaskHandle<>> nothings;
  for (int i = 0; i < 10; ++i) {
    nothings.push_back(queue.yield_task([&] { ++ran; }));
  }
  toto::sync_wait(toto::when_all(nothings));
  CHECK(ran == 10);
}

TEST_CASE("tasks given to when_all start when it is awaited, one after another, and wait at the same time",
          "[when_all][I4]") {
  Meeting meeting(2);
  toto::TaskQueue queue(2);
  toto::EventLoop loop;
  std::string log;
  const auto task = [](toto::TaskQueue& tasks, std::string& to, Meeting& all, char name) -> toto::Task<bool> {
    to += name;
    const bool met = co_await tasks.yield_task([&all] { return all.arrive_and_wait(); });
    co_return met;
  };
  auto first = task(queue, log, meeting, 'a');
  auto second = task(queue, log, meeting, 'b');
  auto both = toto::when_all(first, second);
  CHECK(log.empty());
  const auto [a, b] = loop.run_sync(both);
  CHECK(log == "ab");
  CHECK(a);
  CHECK(b);
}

TEST_CASE("the same handle twice, or an empty one, is refused at once", "[when_all][I5]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([] { return 1; });
  CHECK_THROWS_AS(toto::when_all(handle, handle), toto::NoState);
  toto::TaskHandle<int> empty;
  CHECK_THROWS_AS(toto::when_all(empty), toto::NoState);
  toto::Task<int> task;
  CHECK_THROWS_AS(toto::when_all(task), toto::NoState);
  std::vector<toto::TaskHandle<int>> handles(2);
  CHECK_THROWS_AS(toto::when_all(handles), toto::NoState);
}

TEST_CASE("what when_all gives can be awaited once, and again is refused in words", "[when_all][G17]") {
  toto::TaskQueue queue;
  const auto twice = [](auto all) -> toto::Task<bool> {
    co_await all;
    try {
      co_await all;
    } catch (const toto::NoState&) {
      co_return true;
    }
    co_return false;
  };
  SECTION("of arguments") {
    CHECK(toto::sync_wait(twice(toto::when_all(queue.yield_task([] {}), number(1)))));
  }
  SECTION("of a range") {
    std::vector<toto::TaskHandle<>> handles;
    handles.push_back(queue.yield_task([] {}));
    CHECK(toto::sync_wait(twice(toto::when_all(handles))));
  }
}

TEST_CASE("a hundred tasks that end at the same moment resume their coroutine once", "[when_all][I6][I11]") {
  constexpr std::size_t kTasks = 100;
  toto::TaskQueue queue(4);
  for (int round = 0; round < 50; ++round) {
    Gate go;
    std::vector<toto::TaskHandle<>> handles;
    for (std::size_t i = 0; i < kTasks; ++i) {
      handles.push_back(queue.yield_task([&go] { go.wait(); }));
    }
    std::atomic<int> resumed{0};
    Gate over;
    [](std::vector<toto::TaskHandle<>> all, std::atomic<int>& count, Gate& done) -> FireAndForget {
      co_await toto::when_all(all);
      ++count;
      done.open();
    }(std::move(handles), resumed, over);
    go.open();
    REQUIRE(over.wait());
    queue.wait_idle();
    REQUIRE(resumed == 1);
  }
}

TEST_CASE("tasks that end while when_all is still being awaited resume their coroutine once", "[when_all][I6]") {
  constexpr int kRounds = 5'000;
  std::atomic<int> resumed{0};
  Arrivals over;
  toto::TaskQueue queue(2);
  for (int i = 0; i < kRounds; ++i) {
    [](toto::TaskQueue& tasks, std::atomic<int>& count, Arrivals& done) -> FireAndForget {
      co_await toto::when_all(tasks.yield_task([] {}), tasks.yield_task([] {}), follow(tasks.yield_task([] {})));
      ++count;
      done.arrive();
    }(queue, resumed, over);
  }
  REQUIRE(over.wait_for(kRounds));
  queue.wait_idle();
  CHECK(resumed == kRounds);
}

TEST_CASE("after when_all a coroutine continues where it was", "[when_all][H1]") {
  toto::TaskQueue queue(2);
  toto::TaskQueue other;
  toto::EventLoop loop;
  const auto on_loop = [](toto::TaskQueue& a, toto::TaskQueue& b) -> toto::Task<bool> {
    co_await toto::when_all(a.yield_task([] {}), b.yield_task([] {}));
    co_return toto::EventLoop::current() != nullptr;
  };
  CHECK(loop.run_sync(on_loop(queue, other)));
  const auto on_queue = [](toto::TaskQueue& mine, toto::TaskQueue& away) -> toto::Task<bool> {
    bool here = true;
    for (int i = 0; i < 100; ++i) {
      co_await toto::when_all(mine.yield_task([] {}), away.yield_task([] {}));
      here = here && toto::TaskQueue::current() == &mine;
    }
    co_return here;
  };
  CHECK(queue.yield_task(on_queue, std::ref(queue), std::ref(other)).get());
}

TEST_CASE("a coroutine destroyed in when_all leaves nothing behind: handles are dropped, tasks destroyed",
          "[when_all][G8]") {
  Lifetimes results;
  std::atomic<bool> resumed{false};
  {
    Gate begun;
    Gate go;
    toto::TaskQueue queue(2);
    Owned coroutine = [](toto::TaskQueue& tasks, Lifetimes& lifetimes, Gate& running, Gate& leave,
                         std::atomic<bool>& after) -> Owned {
      const auto task = [](toto::TaskHandle<Counted> handle, Counted) -> toto::Task<Counted> {
        co_return co_await handle;
      };
      const auto work = [&] {
        running.open();
        leave.wait();
        return Counted(lifetimes);
      };
      const auto queued = [&] { return Counted(lifetimes); };
      auto inner = tasks.yield_task(work);
      co_await toto::when_all(tasks.yield_task(work), task(std::move(inner), Counted(lifetimes)),
                              tasks.yield_task(queued));
      after = true;
    }(queue, results, begun, go, resumed);
    REQUIRE(begun.wait());
    coroutine.destroy();
    go.open();
    queue.wait_idle();
  }
  CHECK_FALSE(resumed);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("dropping what when_all gives, without awaiting it, detaches handles and starts no task", "[when_all]") {
  Gate ran;
  bool began = false;
  toto::TaskQueue queue;
  {
    const auto all = toto::when_all(queue.yield_task([&] { ran.open(); }), [](bool& flag) -> toto::Task<> {
      flag = true;
      co_return;
    }(began));
  }
  CHECK(ran.wait());
  queue.wait_idle();
  CHECK_FALSE(began);
}

TEST_CASE("when_all of cancelled tasks throws TaskCancelled where the coroutine was", "[when_all][K8]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  loop.post([&] { queue.cancel_queued(); });
  auto a = queue.yield_task([] {});
  auto b = queue.yield_task([] {});
  CHECK_THROWS_AS(loop.run_sync(toto::when_all(a, b)), toto::TaskCancelled);
}
