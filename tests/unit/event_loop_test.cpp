// SPDX-License-Identifier: MIT
//
// EventLoop: what it runs and in which order, when run() returns, what its end does to what is left; sync_wait.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

static_assert(!std::is_copy_constructible_v<toto::EventLoop> && !std::is_move_constructible_v<toto::EventLoop>);

toto::Task<> note(std::vector<int>& log, int value) {
  log.push_back(value);
  co_return;
}
toto::Task<int> number(int value) {
  co_return value;
}

}  // namespace

TEST_CASE("a loop runs what is posted and spawned in order, on the thread that runs it", "[event_loop]") {
  toto::EventLoop loop;
  std::vector<int> log;
  std::thread::id on;
  loop.post([&] { log.push_back(1); });
  loop.spawn(note(log, 2));
  loop.post([&] {
    log.push_back(3);
    loop.post([&] { log.push_back(5); });  // behind what is posted already
  });
  loop.spawn(note(log, 4));
  loop.post([&] { on = std::this_thread::get_id(); });
  CHECK(log.empty());
  loop.run();
  CHECK(log == std::vector<int>{1, 2, 3, 4, 5});
  CHECK(on == std::this_thread::get_id());
}

TEST_CASE("run returns when nothing is left, and may be called again", "[event_loop]") {
  toto::EventLoop loop;
  loop.run();
  int count = 0;
  loop.post([&] { ++count; });
  loop.run();
  loop.run();
  loop.post([&] { ++count; });
  loop.run();
  CHECK(count == 2);
}

TEST_CASE("run does not return while a spawned coroutine waits", "[event_loop]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  bool ended = false;
  loop.spawn([](toto::TaskHandle<> handle, bool& done) -> toto::Task<> {
    co_await handle;
    done = true;
  }(queue.yield_task([] {}), ended));
  loop.post([&] { worker.release(); });
  loop.run();
  CHECK(ended);
}

TEST_CASE("stop makes run return after what it is doing, and keeps the rest for the next run", "[event_loop]") {
  toto::EventLoop loop;
  std::vector<int> log;
  loop.post([&] {
    loop.stop();
    log.push_back(1);
  });
  loop.post([&] { log.push_back(2); });
  loop.spawn(note(log, 3));
  loop.call_later(0s, [&] { log.push_back(4); });
  loop.run();
  CHECK(log == std::vector<int>{1});
  loop.run();
  CHECK(log.size() == 4);
}

TEST_CASE("stop before run makes that run return at once, and only that one", "[event_loop]") {
  toto::EventLoop loop;
  int count = 0;
  loop.post([&] { ++count; });
  loop.stop();
  loop.run();
  CHECK(count == 0);
  loop.run();
  CHECK(count == 1);
}

TEST_CASE("stop before run_sync makes that throw, and only that one", "[event_loop]") {
  toto::EventLoop loop;
  loop.stop();
  loop.stop();  // still counts as one request
  int begun = 0;
  const auto coroutine = [&]() -> toto::Task<int> {
    ++begun;
    co_await toto::sleep_for(1ms);
    co_return 7;
  };
  CHECK_THROWS_WITH(loop.run_sync(coroutine()), contains("stopped"));
  CHECK(begun == 1);
  CHECK(loop.run_sync(coroutine()) == 7);
}

TEST_CASE("stop before run also ends a loop that has nothing to do, so that the next run does its work",
          "[event_loop]") {
  toto::EventLoop loop;
  loop.stop();
  loop.run();
  int count = 0;
  loop.post([&] { ++count; });
  loop.run();
  CHECK(count == 1);
}

TEST_CASE("another thread may stop a loop that sleeps", "[event_loop]") {
  toto::EventLoop loop;
  bool fired = false;
  loop.call_later(1h, [&] { fired = true; });
  Gate running;
  loop.post([&] { running.open(); });
  std::thread other([&] {
    running.wait();
    loop.stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  loop.run();
  CHECK(std::chrono::steady_clock::now() - begin < kPatience);
  other.join();
  CHECK_FALSE(fired);
}

TEST_CASE("posting from eight threads while the loop runs loses nothing and keeps each thread's order",
          "[event_loop]") {
  constexpr int kThreads = 8;
  constexpr int kEach = 500;
  toto::EventLoop loop;
  std::vector<std::vector<int>> seen(kThreads);
  int left = kThreads * kEach;
  loop.call_later(kPatience, [&] { loop.stop(); });
  Threads threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.start([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&, thread, i] {
          seen[static_cast<std::size_t>(thread)].push_back(i);
          if (--left == 0) {
            loop.stop();
          }
        });
      }
    });
  }
  loop.run();
  threads.join();
  CHECK(left == 0);
  for (const auto& list : seen) {
    CHECK(std::is_sorted(list.begin(), list.end()));
  }
}

TEST_CASE("spawning from another thread runs the coroutine on the loop's thread", "[event_loop]") {
  Gate spawned;
  toto::TaskQueue queue;
  toto::EventLoop loop;
  std::thread::id on;
  std::thread other([&] {
    loop.spawn([](toto::TaskQueue& tasks, toto::EventLoop& mine, std::thread::id& where) -> toto::Task<> {
      co_await tasks.yield_task([] {});
      where = std::this_thread::get_id();
      mine.stop();
    }(queue, loop, on));
    spawned.open();
  });
  loop.call_later(kPatience, [&] { loop.stop(); });
  loop.run();
  other.join();
  CHECK(spawned.is_open());
  CHECK(on == std::this_thread::get_id());
}

TEST_CASE("call_later runs functions when they are due, in the order of their times", "[event_loop]") {
  toto::EventLoop loop;
  std::vector<int> log;
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration last{};
  loop.call_later(30ms, [&] {
    log.push_back(3);
    last = std::chrono::steady_clock::now() - begin;
  });
  loop.call_later(10ms, [&] { log.push_back(1); });
  loop.call_later(20ms, [&] { log.push_back(2); });
  loop.call_later(0s, [&] { log.push_back(0); });
  loop.run();
  CHECK(log == std::vector<int>{0, 1, 2, 3});
  CHECK(last >= 30ms);
}

TEST_CASE("functions that are due at the same time run in the order of calling", "[event_loop]") {
  toto::EventLoop loop;
  std::vector<int> log;
  for (int i = 0; i < 100; ++i) {
    loop.call_later(0s, [&log, i] { log.push_back(i); });
  }
  loop.run();
  REQUIRE(log.size() == 100);
  CHECK(std::is_sorted(log.begin(), log.end()));
}

TEST_CASE("a loop's timer that is stopped or destroyed calls nothing, and run() does not wait for it",
          "[event_loop][timers]") {
  toto::EventLoop loop;
  Lifetimes captures;
  bool called = false;
  auto stopped = loop.post_after(1h, [&called, counted = Counted(captures)] { called = true; });
  {
    const auto destroyed = loop.post_after(1h, [&called, counted = Counted(captures)] { called = true; });
    REQUIRE(destroyed.active());
    REQUIRE(captures.alive() == 2);
  }
  REQUIRE(captures.alive() == 1);
  stopped.stop();
  REQUIRE(captures.alive() == 0);
  REQUIRE_FALSE(stopped.active());
  bool due = false;
  auto later = loop.post_after(0s, [&due] { due = true; });
  loop.post_after(0s, [&later] { later.stop(); }).detach();  // too late, or not: it is due
  loop.run();
  REQUIRE_FALSE(called);
}

TEST_CASE("a loop's timer calls again after each period until it is stopped, also by itself", "[event_loop][timers]") {
  toto::EventLoop loop;
  int calls = 0;
  toto::Timer timer;
  const auto begin = std::chrono::steady_clock::now();
  timer = loop.post_every(2ms, [&] {
    if (++calls == 3) {
      timer.stop();
    }
  });
  loop.run();  // ends when it is stopped
  REQUIRE(calls == 3);
  REQUIRE(std::chrono::steady_clock::now() - begin >= 6ms);
}

TEST_CASE("a loop's timer goes on after a call that throws", "[event_loop][timers]") {
  toto::EventLoop loop;
  int calls = 0;
  const auto timer = loop.post_every(1ms, [&] {
    if (++calls == 1) {
      throw std::runtime_error("the first time");
    }
    loop.stop();
  });
  REQUIRE_THROWS_AS(loop.run(), std::runtime_error);
  loop.run();
  REQUIRE(calls == 2);
}

TEST_CASE("a loop's timer that another thread stops lets run() end", "[event_loop][timers]") {
  toto::EventLoop loop;
  auto open = loop.post_after(toto::Duration::never(), [] {});
  std::thread outsider([&] {
    loop.post([] {});
    open.stop();
  });
  loop.run();
  outsider.join();
  REQUIRE_FALSE(open.active());
}

TEST_CASE("a loop's timer may outlive the loop", "[event_loop][timers]") {
  Lifetimes captures;
  auto loop = std::make_unique<toto::EventLoop>();
  auto after = loop->post_after(1h, [counted = Counted(captures)] {});
  auto every = loop->post_every(1h, [counted = Counted(captures)] {});
  loop.reset();
  after.stop();
  every = {};
  REQUIRE(captures.alive() == 0);
}

TEST_CASE("call_later refuses negative delays and NaN by name", "[event_loop][U2]") {
  toto::EventLoop loop;
  CHECK_THROWS_WITH(loop.call_later(-1s, [] {}), contains("delay"));
  CHECK_THROWS_AS(loop.call_later(-1s, [] {}), std::invalid_argument);
  CHECK_THROWS_WITH(loop.post_after(-1s, [] {}), contains("delay"));
  CHECK_THROWS_WITH(loop.post_every(0s, [] {}), contains("period is 0"));
  CHECK_THROWS_AS(loop.call_later(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()), [] {}),
                  std::invalid_argument);
  loop.run();  // nothing was added
}

TEST_CASE("a loop refuses null callables and empty tasks where they are handed over", "[event_loop][misuse][U3]") {
  toto::EventLoop loop;
  const std::function<void()> empty;
  void (*const function)() = nullptr;
  CHECK_THROWS_AS(loop.post(empty), std::invalid_argument);
  CHECK_THROWS_AS(loop.post(std::function<int()>()), std::invalid_argument);
  CHECK_THROWS_AS(loop.post(function), std::invalid_argument);
  CHECK_THROWS_WITH(loop.post(empty), contains("fn is null"));
  CHECK_THROWS_AS(loop.call_later(0s, empty), std::invalid_argument);
  CHECK_THROWS_WITH(loop.call_later(0s, function), contains("fn is null"));
  CHECK_THROWS_AS(static_cast<void>(loop.post_after(1h, empty)), std::invalid_argument);
  CHECK_THROWS_WITH(static_cast<void>(loop.post_after(1h, function)), contains("fn is null"));
  CHECK_THROWS_AS(static_cast<void>(loop.post_every(1h, empty)), std::invalid_argument);
  CHECK_THROWS_WITH(static_cast<void>(loop.post_every(1h, function)), contains("fn is null"));
  CHECK_THROWS_AS(loop.spawn(toto::Task<>()), std::invalid_argument);
  CHECK_THROWS_WITH(loop.spawn(toto::Task<>()), contains("task is empty"));
  loop.run();  // at once: there is nothing in it

  std::vector<int> log;
  const std::function<void()> present = [&log] { log.push_back(1); };
  loop.post(present);
  loop.call_later(0s, present);
  loop.spawn(note(log, 1));
  loop.run();
  CHECK(log.size() == 3);
}

TEST_CASE("current is the loop that runs on this thread", "[event_loop]") {
  toto::EventLoop loop;
  toto::EventLoop inner;
  CHECK(toto::EventLoop::current() == nullptr);
  std::vector<toto::EventLoop*> seen;
  loop.post([&] {
    seen.push_back(toto::EventLoop::current());
    inner.post([&] { seen.push_back(toto::EventLoop::current()); });
    inner.run();
    seen.push_back(toto::EventLoop::current());
  });
  loop.run();
  CHECK(toto::EventLoop::current() == nullptr);
  CHECK(seen == std::vector<toto::EventLoop*>{&loop, &inner, &loop});
  toto::TaskQueue queue;
  CHECK(queue.yield_task([] { return toto::EventLoop::current(); }).get() == nullptr);
}

TEST_CASE("a loop refuses to run inside itself, and begins nothing", "[event_loop]") {
  toto::EventLoop loop;
  int refused = 0;
  int begun = 0;
  const auto begin = [&begun]() -> toto::Task<int> {
    ++begun;
    co_return 1;
  };
  loop.post([&] {
    try {
      loop.run();
    } catch (const std::logic_error&) {
      ++refused;
    }
    try {
      loop.run_sync(begin());
    } catch (const std::logic_error&) {
      ++refused;
    }
  });
  loop.run();
  CHECK(refused == 2);
  loop.run_sync([](toto::EventLoop& running, toto::Task<int> inner, int& told) -> toto::Task<> {
    try {
      running.run_sync(std::move(inner));
    } catch (const std::logic_error&) {
      ++told;
    }
    co_return;
  }(loop, begin(), refused));
  CHECK(refused == 3);
  CHECK(begun == 0);
}

TEST_CASE("what a posted function throws comes out of run, and the rest waits for the next run", "[event_loop]") {
  toto::EventLoop loop;
  std::vector<int> log;
  loop.post([] { throw std::runtime_error("posted"); });
  loop.post([&] { log.push_back(1); });
  CHECK_THROWS_WITH(loop.run(), "posted");
  CHECK(log.empty());
  loop.run();
  CHECK(log == std::vector<int>{1});
}

TEST_CASE("what spawned coroutines throw comes out of run, one at a time", "[event_loop]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  bool third = false;
  const auto fail = [](toto::TaskQueue& tasks, const char* text) -> toto::Task<> {
    co_await tasks.yield_task([] {});
    throw std::runtime_error(text);
  };
  loop.spawn(fail(queue, "first"));
  loop.spawn(fail(queue, "second"));
  loop.spawn([](toto::TaskQueue& tasks, bool& done) -> toto::Task<> {
    co_await tasks.yield_task([] {});
    done = true;
  }(queue, third));
  CHECK_THROWS_WITH(loop.run(), "first");
  CHECK_THROWS_WITH(loop.run(), "second");
  loop.run();
  CHECK(third);
}

TEST_CASE("run_sync gives the result of whatever is awaited, and runs the rest of the loop meanwhile", "[event_loop]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  std::vector<int> log;
  loop.post([&] { log.push_back(1); });
  HeldWorker worker(queue);
  loop.post([&] { worker.release(); });
  CHECK(loop.run_sync(queue.yield_task([] { return 2; })) == 2);
  CHECK(log == std::vector<int>{1});
  CHECK(loop.run_sync(number(3)) == 3);
  auto named = number(4);
  CHECK(loop.run_sync(named) == 4);
  auto handle = queue.yield_task([] { return std::string("five"); });
  CHECK(loop.run_sync(handle) == "five");
  CHECK(loop.run_sync(queue.yield_task([] { return 6; }).resume_on(loop)) == 6);
  auto [seven, eight] = loop.run_sync(toto::when_all(number(7), queue.yield_task([] { return 8; })));
  CHECK(seven + eight == 15);
  loop.run_sync(toto::sleep_for(0s));
  int object = 0;
  static_assert(std::is_same_v<decltype(loop.run_sync(queue.yield_task([&]() -> int& { return object; }))), int&>);
  CHECK(&loop.run_sync(queue.yield_task([&]() -> int& { return object; })) == &object);
  CHECK_THROWS_WITH(loop.run_sync(queue.yield_task([] { throw std::runtime_error("nine"); })), "nine");
}

TEST_CASE("run_sync returns as soon as its own awaitable is done, and what is left runs later", "[event_loop]") {
  toto::EventLoop loop;
  bool later = false;
  CHECK(loop.run_sync(number(1)) == 1);
  loop.call_later(10ms, [&] { later = true; });
  CHECK(loop.run_sync(number(2)) == 2);
  CHECK_FALSE(later);
  loop.run();
  CHECK(later);
}

TEST_CASE("run_sync on a loop that is stopped before the end throws and leaves nothing behind", "[event_loop]") {
  Lifetimes frames;
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  loop.post([&] { loop.stop(); });
  CHECK_THROWS_AS(loop.run_sync([](toto::TaskHandle<> handle, Counted) -> toto::Task<> { co_await handle; }(
                                                                           queue.yield_task([] {}), Counted(frames))),
                  toto::Error);
  CHECK(frames.alive() == 0);
  worker.release();
  queue.wait_idle();
  loop.run();
}

TEST_CASE("run_sync of an awaitable that is done at once, on a loop that was stopped, leaves nothing in the loop",
          "[event_loop]") {
  toto::EventLoop loop;
  loop.stop();
  CHECK_THROWS_AS(loop.run_sync(number(1)), toto::Error);
  loop.run();
  CHECK(loop.run_sync(number(2)) == 2);
}

TEST_CASE("a loop that ends destroys its coroutines and drops its functions without calling them", "[event_loop]") {
  Lifetimes owned;
  bool called = false;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  {
    toto::EventLoop loop;
    loop.post([&called, counted = Counted(owned)] { called = true; });
    loop.call_later(0s, [&called, counted = Counted(owned)] { called = true; });
    loop.call_later(1h, [&called, counted = Counted(owned)] { called = true; });
    loop.spawn([](bool& flag, Counted) -> toto::Task<> {
      flag = true;
      co_return;
    }(called, Counted(owned)));
    CHECK(owned.alive() == 4);
  }
  CHECK(owned.alive() == 0);
  CHECK_FALSE(called);
}

TEST_CASE("objects that die with a loop may post to it and spawn on it, but nothing comes of it", "[event_loop]") {
  class UsesLoopWhenItDies {
   public:
    UsesLoopWhenItDies(toto::EventLoop& loop, Lifetimes& dropped, bool& called)
        : loop_(&loop), dropped_(&dropped), called_(&called) {}
    UsesLoopWhenItDies(UsesLoopWhenItDies&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), dropped_(other.dropped_), called_(other.called_) {}
    UsesLoopWhenItDies& operator=(UsesLoopWhenItDies&&) = delete;
    ~UsesLoopWhenItDies() {
      if (loop_ != nullptr) {
        loop_->post([called = called_, counted = Counted(*dropped_)] { *called = true; });
        loop_->call_later(0s, [called = called_, counted = Counted(*dropped_)] { *called = true; });
        loop_->spawn([](bool& flag, Counted) -> toto::Task<> {
          flag = true;
          co_return;
        }(*called_, Counted(*dropped_)));
      }
    }

   private:
    toto::EventLoop* loop_;
    Lifetimes* dropped_;
    bool* called_;
  };
  Lifetimes dropped;
  bool called = false;
  {
    toto::EventLoop loop;
    SECTION("owned by a coroutine") {
      loop.spawn([](UsesLoopWhenItDies) -> toto::Task<> { co_return; }(UsesLoopWhenItDies(loop, dropped, called)));
    }
    SECTION("owned by a posted function") {
      loop.post([inside = UsesLoopWhenItDies(loop, dropped, called)] {});
    }
    SECTION("owned by a function with a time") {
      loop.call_later(1h, [inside = UsesLoopWhenItDies(loop, dropped, called)] {});
    }
  }
  CHECK(dropped.made > 0);
  CHECK(dropped.alive() == 0);
  CHECK_FALSE(called);
}

TEST_CASE("a spawned coroutine may end on a worker: the loop still collects it", "[event_loop]") {
  constexpr int kRounds = 500;
  Lifetimes frames;
  toto::TaskQueue queue(2);
  {
    toto::EventLoop loop;
    for (int i = 0; i < kRounds; ++i) {
      loop.spawn(
          [](toto::TaskQueue& target, Counted) -> toto::Task<> { co_await target.schedule(); }(queue, Counted(frames)));
    }
    loop.run();
    CHECK(frames.alive() == 0);
  }
}

TEST_CASE("sync_wait waits for anything that can be awaited, without a loop of one's own", "[sync_wait]") {
  toto::TaskQueue queue;
  CHECK(toto::sync_wait(number(1)) == 1);
  CHECK(toto::sync_wait(queue.yield_task([] { return 2; })) == 2);
  auto handle = queue.yield_task([] { return 3; });
  CHECK(toto::sync_wait(handle) == 3);
  CHECK_FALSE(handle.valid());
  toto::sync_wait(queue.schedule());
  toto::sync_wait(toto::sleep_for(1ms));
  CHECK_THROWS_WITH(toto::sync_wait([]() -> toto::Task<> {
                      throw std::runtime_error("thrown");
                      co_return;
                    }()),
                    "thrown");
  CHECK(toto::sync_wait<toto::StdRuntime>(number(4)) == 4);
}

TEST_CASE("sync_wait works inside a task of another queue", "[sync_wait]") {
  toto::TaskQueue outer;
  toto::TaskQueue inner;
  const auto ask = [](toto::TaskQueue& queue) -> toto::Task<int> {
    co_return co_await queue.yield_task([] { return 5; });
  };
  CHECK(outer.yield_task([&] { return toto::sync_wait(ask(inner)); }).get() == 5);
}

TEST_CASE("a coroutine that was started under sync_wait and is still waiting afterwards continues elsewhere",
          "[sync_wait][H2]") {
  Gate over;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  std::thread::id on;
  toto::sync_wait([](toto::TaskHandle<> handle, Gate& done, std::thread::id& where) -> toto::Task<> {
    [](toto::TaskHandle<> mine, Gate& finished, std::thread::id& place) -> FireAndForget {
      co_await mine;
      place = std::this_thread::get_id();
      finished.open();
    }(std::move(handle), done, where);
    co_return;
  }(queue.yield_task([] {}), over, on));
  worker.release();
  REQUIRE(over.wait());
  CHECK(on != std::this_thread::get_id());
}
