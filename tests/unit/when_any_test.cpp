// SPDX-License-Identifier: MIT
//
// when_any: the first of several; when_all_or_cancel and when_all_settled: other answers to failures.

#include <toto/tasks.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

template <class A>
using Result = decltype(std::declval<A&>().operator co_await().await_resume());
template <class... As>
using AnyOf = Result<decltype(toto::when_any(std::declval<As>()...))>;
static_assert(std::is_same_v<AnyOf<toto::TaskHandle<int>, toto::Task<int>>, toto::WhenAnyResult<int>>);
static_assert(std::is_same_v<AnyOf<toto::TaskHandle<>>, toto::WhenAnyResult<std::monostate>>);
static_assert(
    std::is_same_v<AnyOf<toto::TaskHandle<int>, toto::Task<>, toto::TaskHandle<std::string&>&, toto::Task<int>>,
                   toto::WhenAnyResult<std::variant<int, std::monostate, std::reference_wrapper<std::string>, int>>>);
static_assert(std::is_same_v<AnyOf<std::vector<toto::TaskHandle<std::unique_ptr<int>>>>,
                             toto::WhenAnyResult<std::unique_ptr<int>>>);
static_assert(std::is_same_v<AnyOf<std::list<toto::Task<>>&>, toto::WhenAnyResult<std::monostate>>);
template <class... As>
concept CanWaitForAny = requires { toto::when_any(std::declval<As>()...); };
static_assert(CanWaitForAny<toto::Task<>> && !CanWaitForAny<>);

static_assert(
    std::is_same_v<
        Result<decltype(toto::when_all_settled(std::declval<toto::TaskHandle<int>>(), std::declval<toto::Task<>>()))>,
        std::tuple<toto::Settled<int>, toto::Settled<void>>>);
static_assert(std::is_same_v<Result<decltype(toto::when_all_settled(std::declval<std::vector<toto::TaskHandle<>>>()))>,
                             std::vector<toto::Settled<void>>>);
static_assert(
    std::is_same_v<
        Result<decltype(toto::when_all_or_cancel(std::declval<toto::TaskHandle<int>>(), std::declval<toto::Task<>>()))>,
        std::tuple<int, std::monostate>>);

template <class R>
toto::Task<R> follow(toto::TaskHandle<R> handle) {
  co_return co_await handle;
}

/// A task that ends when it is asked to.
template <class Result>
auto until_stopped(Result result) {
  return [result = std::move(result)](const toto::StopToken& token) {
    eventually([&] { return token.stop_requested(); });
    return result;
  };
}

/// Ends with a number, or fails with it, when its gate opens.
auto number_behind(Gate& gate, int number, bool fails = false) {
  return [&gate, number, fails] {
    gate.wait();
    if (fails) {
      throw number;
    }
    return number;
  };
}

/// An awaitable of another library, which can be moved.
struct Foreign {
  std::unique_ptr<int> value;
  static bool await_ready() noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  std::unique_ptr<int> await_resume() noexcept { return std::move(value); }
};
static_assert(CanWaitForAny<Foreign> && CanWaitForAny<Foreign&> && !CanWaitForAny<const Foreign&>);
static_assert(!CanWaitForAny<const toto::TaskHandle<>&> && !CanWaitForAny<const std::vector<toto::TaskHandle<>>&>);

}  // namespace

TEST_CASE("when_any gives the first result and its index, wherever it stands", "[when_any][I7]") {
  for (std::size_t first = 0; first < 3; ++first) {
    std::vector<Gate> gates(3);
    toto::TaskQueue queue(3);
    std::vector<toto::TaskHandle<int>> handles;
    for (std::size_t i = 0; i < 3; ++i) {
      handles.push_back(queue.yield_task(number_behind(gates[i], static_cast<int>(i) * 10)));
    }
    gates[first].open();
    const auto [index, result] = toto::sync_wait(toto::when_any(handles));
    CHECK(index == first);
    CHECK(result == static_cast<int>(first) * 10);
    for (Gate& gate : gates) {
      gate.open();
    }
  }
}

TEST_CASE("when_any remembers which was the first, though others end before the coroutine goes on", "[when_any][I7]") {
  Gate first;
  Gate second;
  toto::TaskQueue queue(2);
  toto::EventLoop loop;
  auto a = queue.yield_task(number_behind(second, 1));
  auto b = queue.yield_task(number_behind(first, 2));
  loop.post([&] {  // the coroutine waits, and its loop is busy
    first.open();
    eventually([&] { return queue.stats().completed == 1; });
    eventually([&] { return queue.stats().idle == 1; });
    second.open();
    queue.wait_idle();
  });
  const auto [index, result] = loop.run_sync(toto::when_any(a, b));
  CHECK(index == 1);
  CHECK(result == 2);
}

TEST_CASE("when_any of different types gives a variant with an alternative for each", "[when_any][I7][I4]") {
  Gate never;
  std::string object = "itself";
  toto::TaskQueue queue(3);
  const auto blocked = [&never] { never.wait(); };
  {
    auto any = toto::sync_wait(
        toto::when_any(queue.yield_task(blocked), queue.yield_task([&]() -> std::string& { return object; })));
    REQUIRE(any.index == 1);
    REQUIRE(any.result.index() == 1);
    CHECK(&std::get<1>(any.result).get() == &object);
  }
  {
    auto any = toto::sync_wait(
        toto::when_any(queue.yield_task([] { return std::make_unique<int>(7); }), queue.yield_task(blocked)));
    REQUIRE(any.result.index() == 0);
    CHECK(*std::get<0>(any.result) == 7);
  }
  never.open();
}

TEST_CASE("when_any cancels the others: queued ones never run, running ones are asked to stop",
          "[when_any][I7][K1][K2]") {
  Lifetimes captures;
  std::atomic<bool> ran{false};
  Gate go;
  Gate end;
  toto::TaskQueue queue(2);
  auto running = queue.yield_task(until_stopped(1));
  auto winner = queue.yield_task(number_behind(go, 2));
  eventually([&] { return queue.stats().running == 2; });
  queue.add_task([&end] { end.wait(); });  // takes the winner's thread
  auto queued = queue.yield_task([&ran, capture = Counted(captures)] {
    ran = true;
    return 3;
  });
  toto::EventLoop loop;
  loop.post([&] { go.open(); });
  const auto [index, result] = loop.run_sync(toto::when_any(running, winner, queued));
  CHECK(index == 1);
  CHECK(result == 2);
  CHECK(captures.alive() == 0);
  end.open();
  queue.wait_idle();
  CHECK_FALSE(ran);
  CHECK(queue.stats().cancelled == 1);
}

TEST_CASE("the first to end decides, also by failing", "[when_any][I9]") {
  std::vector<Gate> gates(2);
  std::atomic<int> unseen{0};
  toto::TaskQueue queue(2);
  queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++unseen; });
  std::vector<toto::TaskHandle<int>> handles;
  handles.push_back(queue.yield_task(number_behind(gates[0], 1, true)));
  handles.push_back(queue.yield_task(number_behind(gates[1], 2, true)));
  gates[1].open();
  try {
    toto::sync_wait(toto::when_any(handles));
    FAIL("it threw nothing");
  } catch (int thrown) {
    CHECK(thrown == 2);
  }
  gates[0].open();
  queue.wait_idle();
  CHECK(eventually([&] { return unseen == 1; }));  // the other failure, which no one observes
}

TEST_CASE("when_any of nothing is refused at once", "[when_any][I8]") {
  CHECK_THROWS_AS(toto::when_any(std::vector<toto::TaskHandle<int>>()), std::invalid_argument);
  std::vector<toto::Task<>> none;
  CHECK_THROWS_WITH(toto::when_any(none), contains("awaitables is empty"));
}

TEST_CASE("when_any refuses the same handle twice, or an empty one, at once", "[when_any][I5]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([] { return 1; });
  CHECK_THROWS_AS(toto::when_any(handle, handle), toto::NoState);
  toto::Task<int> task;
  CHECK_THROWS_AS(toto::when_any(task), toto::NoState);
  std::vector<toto::TaskHandle<int>> handles(2);
  CHECK_THROWS_AS(toto::when_any(handles), toto::NoState);
  const auto twice = [](auto any) -> toto::Task<bool> {
    co_await any;
    try {
      co_await any;
    } catch (const toto::NoState&) {
      co_return true;
    }
    co_return false;
  };
  CHECK(toto::sync_wait(twice(toto::when_any(queue.yield_task([] {})))));
}

TEST_CASE("a handle that is ready wins without suspending, and no task is started", "[when_any][G1][H3]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([] { return 1; });
  handle.wait();
  bool started = false;
  bool over = false;
  [](auto ready, bool& flag, bool& done) -> FireAndForget {
    const auto task = [](bool& begun) -> toto::Task<int> {
      begun = true;
      co_return 2;
    };
    const auto any = co_await toto::when_any(task(flag), std::move(ready));
    done = any.index == 1 && any.result == 1;
  }(std::move(handle), started, over);
  CHECK(over);
  CHECK_FALSE(started);
}

TEST_CASE("after a task that ends at once, when_any starts no further one", "[when_any][I7]") {
  int begun = 0;
  const auto task = [](int& count) -> toto::Task<> {
    ++count;
    co_return;
  };
  const auto any = toto::sync_wait(toto::when_any(task(begun), task(begun)));
  CHECK(any.index == 0);
  CHECK(begun == 1);
}

TEST_CASE("a task that lost runs on to its end, and everything of it is destroyed then", "[when_any][I7]") {
  Lifetimes lifetimes;
  std::atomic<bool> ended{false};
  {
    Gate begun;
    Gate go;
    toto::TaskQueue queue(2);
    toto::TaskQueue home;
    const auto loser = [](toto::TaskHandle<> handle, Gate& here, std::atomic<bool>& done,
                          Counted kept) -> toto::Task<Counted> {
      here.open();
      co_await handle;
      done = true;
      co_return kept;
    };
    const auto race = [&](toto::TaskQueue& on) -> toto::Task<std::size_t> {
      auto slow = loser(on.yield_task([&go] { go.wait(); }), begun, ended, Counted(lifetimes));
      auto fast = on.yield_task([&begun, &lifetimes] {
        begun.wait();  // else it is over before the other one is started, which then is not
        return Counted(lifetimes);
      });
      const auto any = co_await toto::when_any(slow, fast);
      co_return any.index;
    };
    CHECK(home.yield_task(race, std::ref(queue)).get() == 1);
    CHECK_FALSE(ended);
    CHECK(lifetimes.alive() > 0);
    go.open();
    CHECK(eventually([&] { return lifetimes.alive() == 0; }));
  }
  CHECK(ended);
  CHECK(lifetimes.alive() == 0);
}

TEST_CASE("a coroutine destroyed in when_any leaves nothing behind", "[when_any][I10][G8]") {
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
      auto inner = tasks.yield_task(work);
      co_await toto::when_any(tasks.yield_task(work), task(std::move(inner), Counted(lifetimes)),
                              tasks.yield_task(work));
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

TEST_CASE("after when_any a coroutine continues where it was", "[when_any][H1]") {
  toto::TaskQueue queue(2);
  toto::TaskQueue other;
  const auto on_queue = [](toto::TaskQueue& mine, toto::TaskQueue& away) -> toto::Task<bool> {
    bool here = true;
    for (int i = 0; i < 100; ++i) {
      co_await toto::when_any(away.yield_task([] {}), away.yield_task([] {}), mine.yield_task([] {}));
      here = here && toto::TaskQueue::current() == &mine;
    }
    co_return here;
  };
  CHECK(queue.yield_task(on_queue, std::ref(queue), std::ref(other)).get());
}

TEST_CASE("a hundred that end at the same moment let one coroutine go on, once", "[when_any][I11][I6]") {
  toto::TaskQueue queue(4);
  Lifetimes results;
  for (int round = 0; round < 20; ++round) {
    Gate go;
    std::vector<toto::TaskHandle<Counted>> handles;
    for (int i = 0; i < 100; ++i) {
      handles.push_back(queue.yield_task([&] {
        go.wait();
        return Counted(results);
      }));
    }
    std::atomic<int> resumed{0};
    Gate over;
    [](std::vector<toto::TaskHandle<Counted>> all, std::atomic<int>& count, Gate& done) -> FireAndForget {
      co_await toto::when_any(all);
      ++count;
      done.open();
    }(std::move(handles), resumed, over);
    go.open();
    REQUIRE(over.wait());
    queue.wait_idle();
    REQUIRE(resumed == 1);
  }
  CHECK(eventually([&] { return results.alive() == 0; }));
}

TEST_CASE("when_all_settled keeps each result or failure apart", "[when_all_settled][I3]") {
  std::atomic<int> unseen{0};
  int object = 5;
  toto::TaskQueue queue;
  queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++unseen; });
  auto [number, failure, nothing, reference] = toto::sync_wait(toto::when_all_settled(
      queue.yield_task([] { return std::make_unique<int>(1); }),
      queue.yield_task([]() -> int { throw std::runtime_error("two"); }), follow(queue.yield_task([] {})),
      queue.yield_task([&object]() -> int& { return object; })));
  CHECK(number.has_value());
  CHECK(number.exception() == nullptr);
  CHECK(*std::move(number).value() == 1);
  CHECK_FALSE(failure);
  CHECK_THROWS_WITH(failure.value(), "two");
  CHECK(failure.exception() != nullptr);
  CHECK_NOTHROW(nothing.value());
  CHECK(&reference.value() == &object);

  std::vector<toto::TaskHandle<>> handles;
  handles.push_back(queue.yield_task([] { throw 1; }));
  handles.push_back(queue.yield_task([] {}));
  const std::vector<toto::Settled<void>> settled = toto::sync_wait(toto::when_all_settled(handles));
  REQUIRE(settled.size() == 2);
  CHECK_THROWS_AS(settled[0].value(), int);
  CHECK(settled[1].has_value());
  queue.wait_idle();
  CHECK(unseen == 0);
}

TEST_CASE("when_all_or_cancel gives all results in order", "[when_all_or_cancel][I2]") {
  toto::TaskQueue queue(2);
  const auto [one, text] = toto::sync_wait(toto::when_all_or_cancel(
      follow(queue.yield_task([] { return 1; })), queue.yield_task([] { return std::string("two"); })));
  CHECK(one == 1);
  CHECK(text == "two");
  CHECK(toto::sync_wait(toto::when_all_or_cancel()) == std::tuple<>());
  CHECK(toto::sync_wait(toto::when_all_or_cancel(std::vector<toto::TaskHandle<int>>())).empty());
}

TEST_CASE("when_all_or_cancel stops the rest at the first failure, waits for them, and throws it",
          "[when_all_or_cancel][I3][K1][K2]") {
  std::atomic<bool> stopped{false};
  std::atomic<bool> ran{false};
  Gate go;
  Gate end;
  toto::TaskQueue queue(2);
  auto running = queue.yield_task([&](const toto::StopToken& token) {
    eventually([&] { return token.stop_requested(); });
    stopped = token.stop_requested();
    throw toto::TaskCancelled("as told");
  });
  auto failing = queue.yield_task([&go] {
    go.wait();
    throw 7;
  });
  eventually([&] { return queue.stats().running == 2; });
  queue.add_task([&end] { end.wait(); });  // takes the failed one's thread
  auto queued = queue.yield_task([&] { ran = true; });
  toto::EventLoop loop;
  loop.post([&] { go.open(); });
  try {
    loop.run_sync(toto::when_all_or_cancel(running, queued, failing));
    FAIL("it threw nothing");
  } catch (int thrown) {
    CHECK(thrown == 7);
  }
  CHECK(stopped);  // nothing is left behind
  end.open();
  queue.wait_idle();
  CHECK_FALSE(ran);
}

TEST_CASE("when_all_or_cancel does not begin tasks after a failure", "[when_all_or_cancel][I3]") {
  bool began = false;
  const auto fail = []() -> toto::Task<> {
    throw 1;
    co_return;
  };
  const auto begin = [](bool& flag) -> toto::Task<> {
    flag = true;
    co_return;
  };
  CHECK_THROWS_AS(toto::sync_wait(toto::when_all_or_cancel(fail(), begin(began))), int);
  CHECK_FALSE(began);
}

TEST_CASE("a coroutine destroyed in when_all_or_cancel leaves nothing behind", "[when_all_or_cancel][G8]") {
  Lifetimes results;
  {
    Gate begun;
    Gate go;
    toto::TaskQueue queue(2);
    Owned coroutine = [](toto::TaskQueue& tasks, Lifetimes& lifetimes, Gate& running, Gate& leave) -> Owned {
      const auto work = [&] {
        running.open();
        leave.wait();
        return Counted(lifetimes);
      };
      auto inner = tasks.yield_task(work);
      co_await toto::when_all_or_cancel(tasks.yield_task(work), follow(std::move(inner)));
    }(queue, results, begun, go);
    REQUIRE(begun.wait());
    coroutine.destroy();
    go.open();
    queue.wait_idle();
  }
  CHECK(results.alive() == 0);
}

TEST_CASE("what a combinator takes may be anything that can be awaited and moved", "[when_any][when_all][I4]") {
  Gate go;
  toto::TaskQueue queue(2);
  toto::InstancePool<int> pool(5);
  toto::EventLoop loop;
  const auto number = [](int n) { return n; };
  SECTION("a limit of time") {
    auto slow = queue.yield_task(number_behind(go, 1));
    const auto any = loop.run_sync(toto::when_any(slow, toto::sleep_for(1ms)));
    CHECK(any.index == 1);
  }
  SECTION("by name, and stored before it is awaited") {
    auto sleep = toto::sleep_for(1ms);
    auto lease = pool.lease();
    auto inner = toto::when_all(queue.yield_task(number, 1), queue.yield_task(number, 2));
    auto all = toto::when_all(sleep, lease, inner, queue.yield_task(number, 3), queue.admission(),
                              toto::resume_on(loop), queue.yield_task(number, 4).timeout(1h));
    const auto results = loop.run_sync(all);
    CHECK(*std::get<1>(results) == 5);
    CHECK(std::get<2>(results) == std::tuple(1, 2));
    CHECK(std::get<3>(results) == 3);
    CHECK(std::get<4>(results).valid());
    CHECK(std::get<6>(results) == 4);
  }
  SECTION("what others have written") {
    Foreign named{std::make_unique<int>(6)};
    auto [first, second] = loop.run_sync(toto::when_all_or_cancel(named, Foreign{std::make_unique<int>(7)}));
    CHECK(*first == 6);
    CHECK(*second == 7);
    CHECK(named.value == nullptr);
  }
  SECTION("a range of it, whose failures are kept apart") {
    std::vector<decltype(toto::when_any(std::declval<toto::TaskHandle<int>>(), toto::sleep_for(1h)))> races;
    for (int i = 0; i < 3; ++i) {
      auto task = i == 1 ? queue.yield_task([]() -> int { throw 1; }) : queue.yield_task(number, i);
      task.wait();
      races.push_back(toto::when_any(std::move(task), toto::sleep_for(1h)));
    }
    const auto settled = loop.run_sync(toto::when_all_settled(races));
    REQUIRE(settled.size() == 3);
    CHECK(std::get<0>(settled[2].value().result) == 2);
    CHECK_THROWS_AS(settled[1].value(), int);
  }
  go.open();
}

TEST_CASE("results that can only be copied come out of every combinator", "[when_any][when_all][I4]") {
  struct CopyOnly {
    int value = 3;
    CopyOnly() = default;
    CopyOnly(const CopyOnly&) = default;
    CopyOnly& operator=(const CopyOnly&) = default;
  };
  toto::TaskQueue queue;
  const auto give = [] { return CopyOnly(); };
  std::vector<toto::TaskHandle<CopyOnly>> handles;
  handles.push_back(queue.yield_task(give));
  CHECK(toto::sync_wait(toto::when_all(handles)).at(0).value == 3);
  CHECK(std::get<0>(toto::sync_wait(toto::when_all(queue.yield_task(give)))).value == 3);
  CHECK(toto::sync_wait(toto::when_any(queue.yield_task(give))).result.value == 3);
}

TEST_CASE("when_all that waits for the first of many to end last resumes its coroutine once", "[when_all][I6]") {
  constexpr std::size_t kTasks = 50;
  std::array<Gate, kTasks> gates;
  toto::TaskQueue queue(kTasks);
  std::vector<toto::TaskHandle<int>> handles;
  for (std::size_t i = 0; i < kTasks; ++i) {
    handles.push_back(queue.yield_task(number_behind(gates[i], static_cast<int>(i))));
  }
  toto::EventLoop loop;
  loop.post([&] {  // the coroutine waits: each that ends is the one that is watched
    for (std::size_t i = kTasks; i-- > 0;) {
      gates[i].open();
      eventually([&] { return queue.stats().completed == kTasks - i; });
    }
  });
  const std::vector<int> results = loop.run_sync(toto::when_all(handles));
  CHECK(results.size() == kTasks);
  CHECK(results.back() == static_cast<int>(kTasks) - 1);
}
