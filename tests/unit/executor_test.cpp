// SPDX-License-Identifier: MIT
//
// Executors: a user's own, references to them, current_executor(), and hopping onto a queue with schedule().

#include <toto/task_scope.hpp>
#include <toto/tasks.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/own_executor.hpp"
#include "support/record.hpp"

using namespace toto_tests;

namespace {

struct MayThrow {
  void post(toto::Resumption) {}
};
struct NoPost {};
static_assert(toto::UserExecutor<MessageThread> && toto::UserExecutor<PromptExecutor> &&
              toto::UserExecutor<ManualExecutor>);
static_assert(!toto::UserExecutor<MayThrow> && !toto::UserExecutor<NoPost>);
static_assert(std::is_convertible_v<toto::TaskQueue&, toto::ExecutorRef>);
static_assert(std::is_convertible_v<toto::EventLoop&, toto::ExecutorRef>);
static_assert(std::is_convertible_v<MessageThread&, toto::ExecutorRef>);
static_assert(!std::is_convertible_v<MayThrow&, toto::ExecutorRef>);
static_assert(!std::is_constructible_v<toto::ExecutorRef, int&>);
static_assert(!std::is_copy_constructible_v<toto::ExecutorScope>);
static_assert(std::is_copy_constructible_v<toto::Resumption> && std::is_nothrow_invocable_v<const toto::Resumption&>);

/// Awaits and then counts.
template <class Awaitable>
FireAndForget count_after(Awaitable awaitable, int& count) {
  co_await awaitable;
  ++count;
}

}  // namespace

TEST_CASE("a program's own executor is a place to continue, and a home from then on", "[executor][H1][H2]") {
  Gate over;
  toto::TaskQueue queue;
  std::vector<std::thread::id> on;
  bool known = false;
  MessageThread gui;
  [](toto::TaskQueue& tasks, MessageThread& window, std::vector<std::thread::id>& places, bool& same,
     Gate& done) -> FireAndForget {
    const toto::ExecutorRef ref(window);
    co_await tasks.yield_task([] {}).resume_on(ref);
    places.push_back(std::this_thread::get_id());
    same = toto::current_executor() == ref;
    co_await tasks.yield_task([] {});  // comes back
    places.push_back(std::this_thread::get_id());
    co_await toto::when_all(tasks.yield_task([] {}), tasks.yield_task([] {}));
    places.push_back(std::this_thread::get_id());
    co_await toto::sleep_for(std::chrono::milliseconds(1));
    places.push_back(std::this_thread::get_id());
    done.open();
  }(queue, gui, on, known, over);
  REQUIRE(over.wait());
  CHECK(on == std::vector<std::thread::id>(4, gui.id()));
  CHECK(known);
}

TEST_CASE("no lock is held while a program's own executor is given something: it may run it right away",
          "[executor][H5]") {
  PromptExecutor prompt;
  Gate over;
  toto::TaskQueue queue;
  [](toto::TaskQueue& tasks, PromptExecutor& executor, Gate& done) -> FireAndForget {
    auto handle = tasks.yield_task([] {});
    co_await std::move(handle).resume_on(executor);
    for (int i = 0; i < 10; ++i) {
      co_await toto::sleep_for(std::chrono::milliseconds(1));
      co_await toto::sleep_for(std::chrono::milliseconds(0));  // while the timer thread is still in post()
      co_await tasks.call([] {});
    }
    done.open();
  }(queue, prompt, over);
  CHECK(over.wait());
}

TEST_CASE("a Resumption continues one coroutine, whichever copy is called, and how often", "[executor]") {
  toto::TaskQueue queue;
  ManualExecutor manual;
  const toto::ExecutorRef ref(manual);
  int count = 0;
  for (int i = 0; i < 2; ++i) {
    auto handle = queue.yield_task([] {});
    handle.wait();
    count_after(std::move(handle).resume_on(ref), count);
  }
  REQUIRE(manual.posted.size() == 2);
  CHECK(count == 0);
  const toto::Resumption copy = manual.posted[0];
  copy();
  CHECK(count == 1);
  manual.posted[0]();
  copy();
  CHECK(count == 1);
  manual.posted[1]();
  CHECK(count == 2);
  manual.run_all();
  CHECK(count == 2);
}

TEST_CASE("a Resumption whose coroutine was destroyed does nothing", "[executor][G9]") {
  Lifetimes results;
  std::atomic<bool> resumed{false};
  toto::TaskQueue queue;
  ManualExecutor manual;
  auto handle = queue.yield_task([&] { return Counted(results); });
  handle.wait();
  Owned coroutine = [](auto awaitable, std::atomic<bool>& flag) -> Owned {
    co_await awaitable;
    flag = true;
  }(std::move(handle).resume_on(manual), resumed);
  coroutine.destroy();
  REQUIRE(manual.posted.size() == 1);
  manual.run_all();
  CHECK_FALSE(resumed);
  CHECK(results.alive() == 0);
}

TEST_CASE("a sleeping coroutine that is destroyed leaves its executor, and the others there are not disturbed",
          "[executor][sleep_for]") {
  ManualExecutor manual;
  const toto::ExecutorRef ref(manual);
  toto::TaskQueue queue;
  std::array<int, 3> woken{};
  std::vector<Owned> sleepers;
  for (int& count : woken) {
    auto handle = queue.yield_task([] {});
    handle.wait();
    sleepers.push_back([](auto awaitable, int& counted) -> Owned {
      co_await awaitable;
      co_await toto::sleep_for(std::chrono::seconds(0));
      ++counted;
    }(std::move(handle).resume_on(ref), count));
  }
  manual.run_all();  // now they sleep, unless the timer thread was quick
  sleepers[1].destroy();
  const int before = woken[1];
  CHECK(eventually([&] {
    manual.run_all();
    return woken[0] == 1 && woken[2] == 1;
  }));
  CHECK(woken[1] == before);
}

TEST_CASE("current_executor is the queue, the loop or the executor that this thread works for", "[executor]") {
  CHECK_FALSE(toto::current_executor());
  toto::TaskQueue queue;
  CHECK(queue.yield_task([] { return toto::current_executor(); }).get() == queue.executor());
  toto::EventLoop loop;
  toto::ExecutorRef on_loop;
  loop.post([&] { on_loop = toto::current_executor(); });
  loop.run();
  CHECK(on_loop == loop.executor());
  CHECK_FALSE(on_loop == queue.executor());
  CHECK_FALSE(toto::current_executor());
}

TEST_CASE("a reference taken with current_executor brings a coroutine back", "[executor][H2]") {
  toto::TaskQueue queue;
  toto::TaskQueue other;
  const auto there_and_back = [](toto::TaskQueue& away) -> toto::Task<bool> {
    const toto::ExecutorRef home = toto::current_executor();
    toto::TaskQueue* const before = toto::TaskQueue::current();
    co_await away.schedule();
    const bool moved = toto::TaskQueue::current() == &away;
    co_await away.yield_task([] {}).resume_on(home);
    co_return moved&& toto::TaskQueue::current() == before;
  };
  CHECK(queue.yield_task(there_and_back, std::ref(other)).get());
}

TEST_CASE("an ExecutorRef may outlive its queue and its loop", "[executor]") {
  toto::ExecutorRef queue_ref;
  toto::ExecutorRef loop_ref;
  {
    toto::TaskQueue queue;
    toto::EventLoop loop;
    queue_ref = queue.executor();
    loop_ref = loop.executor();
  }
  const toto::ExecutorRef copy = queue_ref;
  CHECK(copy == queue_ref);
  CHECK_FALSE(queue_ref == loop_ref);
  CHECK(static_cast<bool>(loop_ref));
}

TEST_CASE("schedule moves a coroutine onto a queue, behind what is queued", "[schedule][A10]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Record<int> order;
  toto::TaskQueue* on = nullptr;
  queue.add_task([&] { order.add(1); });
  [](toto::TaskQueue& target, Record<int>& log, toto::TaskQueue*& where) -> FireAndForget {
    co_await target.schedule();
    where = toto::TaskQueue::current();
    log.add(2);
  }(queue, order, on);
  queue.add_task([&] { order.add(3); });
  CHECK(queue.size() == 4);  // the worker, two tasks, one continuation
  worker.release();
  queue.wait_idle();
  CHECK(order.values() == std::vector<int>{1, 2, 3});
  CHECK(on == &queue);
}

TEST_CASE("schedule gives way to other tasks of the queue one is on", "[schedule]") {
  toto::TaskQueue queue;
  Record<int> order;
  const auto polite = [](toto::TaskQueue& mine, Record<int>& log) -> toto::Task<> {
    log.add(1);
    mine.add_task([&log] { log.add(2); });
    co_await mine.schedule();
    log.add(3);
  };
  queue.yield_task(polite, std::ref(queue), std::ref(order)).get();
  CHECK(order.values() == std::vector<int>{1, 2, 3});
}

TEST_CASE("a coroutine destroyed while it waits in schedule leaves the queue", "[schedule][G9]") {
  std::atomic<bool> resumed{false};
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  const auto hop = [](toto::TaskQueue& target, std::atomic<bool>& flag) -> Owned {
    co_await target.schedule();
    flag = true;
  };
  Owned coroutine = hop(queue, resumed);
  CHECK(queue.size() == 2);
  coroutine.destroy();
  CHECK(queue.size() == 1);
  worker.release();
  queue.wait_idle();
  CHECK_FALSE(resumed);
}

TEST_CASE("cancelling queued tasks leaves coroutines in schedule alone, and their place in order", "[schedule]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Record<int> order;
  const auto hop = [](toto::TaskQueue& target, Record<int>& log, int name) -> Owned {
    co_await target.schedule();
    log.add(name);
  };
  const Owned first = hop(queue, order, 1);
  queue.add_task([&] { order.add(-1); });
  const Owned second = hop(queue, order, 2);
  Owned third = hop(queue, order, -3);
  CHECK(queue.cancel_queued() == 1);
  queue.add_task([&] { order.add(4); });
  third.destroy();
  worker.release();
  queue.wait_idle();
  CHECK(order.values() == std::vector<int>{1, 2, 4});
}

TEST_CASE("schedule on a queue that is closed but at work goes there, on one that has ended it throws QueueClosed",
          "[schedule][H2]") {
  Gate over;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  queue.close();
  toto::TaskQueue* on = nullptr;
  [](toto::TaskQueue& target, toto::TaskQueue*& where, Gate& done) -> FireAndForget {
    co_await target.schedule();
    where = toto::TaskQueue::current();
    done.open();
  }(queue, on, over);
  worker.release();
  REQUIRE(over.wait());
  CHECK(on == &queue);
  queue.wait_idle();
  const auto hop = [](toto::TaskQueue& target) -> toto::Task<> { co_await target.schedule(); };
  toto::TaskQueue never_used;
  never_used.close();
  CHECK_THROWS_AS(toto::sync_wait(hop(never_used)), toto::QueueClosed);
  CHECK(eventually([&] { return queue.size() == 0; }));
  CHECK_THROWS_WITH(toto::sync_wait(hop(queue)), contains("TaskQueue"));
}

TEST_CASE("thousands of coroutines hop between two queues and each arrives every time", "[schedule]") {
  constexpr int kCoroutines = 500;
  constexpr int kHops = 20;
  std::atomic<int> wrong{0};
  Arrivals over;
  toto::TaskQueue left(2);
  toto::TaskQueue right(2);
  for (int i = 0; i < kCoroutines; ++i) {
    [](toto::TaskQueue& a, toto::TaskQueue& b, std::atomic<int>& errors, Arrivals& done) -> FireAndForget {
      for (int hop = 0; hop < kHops; ++hop) {
        co_await a.schedule();
        errors += toto::TaskQueue::current() == &a ? 0 : 1;
        co_await b.schedule();
        errors += toto::TaskQueue::current() == &b ? 0 : 1;
      }
      done.arrive();
    }(left, right, wrong, over);
  }
  REQUIRE(over.wait_for(kCoroutines));
  CHECK(wrong == 0);
}

TEST_CASE("references to one executor are equal, however they were made", "[executor][H1]") {
  struct Outer {
    ManualExecutor first;  // at the same address
    void post(toto::Resumption) noexcept {}
  };
  Outer outer;
  ManualExecutor other;
  toto::TaskQueue queue;
  CHECK(toto::ExecutorRef(outer) == toto::ExecutorRef(outer));
  CHECK(toto::ExecutorRef(outer) != toto::ExecutorRef(outer.first));
  CHECK(toto::ExecutorRef(outer.first) != toto::ExecutorRef(other));
  CHECK(toto::ExecutorRef(other) != toto::ExecutorRef(queue));
  CHECK(toto::ExecutorRef(queue) == toto::ExecutorRef(queue));
  CHECK(toto::ExecutorRef(other) != toto::ExecutorRef());
  CHECK(toto::ExecutorRef() == toto::ExecutorRef());
}

TEST_CASE("in an ExecutorScope, code that the executor's own library calls runs on that executor", "[executor][H1]") {
  struct Elsewhere {  // resumed by the program itself, not by the library
    std::coroutine_handle<>& waiting;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> suspended) const noexcept { waiting = suspended; }
    void await_resume() const noexcept {}
  };
  toto::TaskQueue queue;
  ManualExecutor window;
  std::coroutine_handle<> waiting;
  std::vector<std::string> steps;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  {
    const toto::ExecutorScope here(window);
    CHECK(toto::current_executor() == toto::ExecutorRef(window));
    [](toto::TaskQueue& tasks, std::coroutine_handle<>& suspended, std::vector<std::string>& told) -> FireAndForget {
      co_await tasks.yield_task([] {});
      told.emplace_back("a handle");
      co_await Elsewhere{suspended};
      told.emplace_back("something else");
      co_await tasks.yield_task([] {});
      told.emplace_back("a handle again");
    }(queue, waiting, steps);
    worker.release();
    queue.wait_idle();
    CHECK(steps.empty());
    window.run_all();
    CHECK(steps == std::vector<std::string>{"a handle"});
    HeldWorker again(queue);
    REQUIRE(again.held());
    waiting.resume();  // as an event of the window
    again.release();
    queue.wait_idle();
    CHECK(steps == std::vector<std::string>{"a handle", "something else"});
    window.run_all();
    CHECK(steps == std::vector<std::string>{"a handle", "something else", "a handle again"});
  }
  CHECK_FALSE(toto::current_executor());
}

TEST_CASE("a coroutine on an executor does not leave it for a handle that is ready", "[executor][H2]") {
  toto::TaskQueue queue;
  ManualExecutor window;
  int count = 0;
  auto here = queue.yield_task([] {});
  auto there = queue.yield_task([] {});
  queue.wait_idle();
  {
    const toto::ExecutorScope scope(window);
    count_after(std::move(here).resume_on(window), count);
    CHECK(count == 1);
    CHECK(window.posted.empty());
  }
  count_after(std::move(there).resume_on(window), count);
  CHECK(count == 1);
  window.run_all();
  CHECK(count == 2);
}

TEST_CASE("resume_on moves a coroutine onto a program's own executor, a loop, a queue, and back", "[executor][H2]") {
  toto::TaskQueue queue({.name = "there"});
  toto::EventLoop loop;
  MessageThread window;
  struct Places {
    bool window = false;
    bool queue = false;
    bool loop = false;
    bool again = false;
  } at;
  loop.run_sync([](toto::TaskQueue& there, toto::EventLoop& here, MessageThread& gui, Places& seen) -> toto::Task<> {
    const auto loop_thread = std::this_thread::get_id();
    co_await toto::resume_on(gui);
    seen.window = std::this_thread::get_id() == gui.id();
    co_await toto::resume_on(there);
    seen.queue = toto::TaskQueue::current() == &there;
    co_await toto::resume_on(here);
    seen.loop = std::this_thread::get_id() == loop_thread && toto::EventLoop::current() == &here;
    co_await there.yield_task([] {});  // the loop is its home from then on
    seen.again = std::this_thread::get_id() == loop_thread;
  }(queue, loop, window, at));
  CHECK((at.window && at.queue && at.loop && at.again));
}

TEST_CASE("a coroutine that asks again and again for an executor that has ended takes no stack", "[executor][H2]") {
  toto::ExecutorRef ended;
  {
    toto::EventLoop loop;
    ended = loop.executor();
  }
  constexpr int kMoves = 300'000;
  int count = 0;
  [](toto::ExecutorRef where, int& moved) -> FireAndForget {
    for (int i = 0; i < kMoves; ++i) {
      co_await toto::resume_on(where);
      ++moved;
    }
  }(ended, count);
  CHECK(count == kMoves);
}

TEST_CASE(
    "resume_on does not leave an executor to come back to it, and moves nowhere for none, or for one that has ended",
    "[executor][H2]") {
  ManualExecutor window;
  int count = 0;
  const auto move = [](toto::ExecutorRef where, int& moved) -> FireAndForget {
    co_await toto::resume_on(where);
    ++moved;
  };
  {
    const toto::ExecutorScope scope(window);
    move(window, count);
    CHECK((count == 1 && window.posted.empty()));
  }
  move({}, count);
  CHECK(count == 2);
  toto::ExecutorRef ended;
  {
    toto::EventLoop loop;
    ended = loop.executor();
  }
  move(ended, count);
  CHECK(count == 3);
  move(window, count);
  CHECK(count == 3);
  window.run_all();
  CHECK(count == 4);
  PromptExecutor prompt;
  move(prompt, count);
  CHECK(count == 5);
}

TEST_CASE("a coroutine that is destroyed while resume_on moves it is not resumed", "[executor][G8]") {
  ManualExecutor window;
  int count = 0;
  const auto move = [](toto::ExecutorRef where, int& moved) -> Owned {
    co_await toto::resume_on(where);
    ++moved;
  };
  {
    const Owned coroutine = move(window, count);
  }
  window.run_all();
  CHECK(count == 0);
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  {
    const Owned coroutine = move(queue, count);
  }
  worker.release();
  queue.wait_idle();
  CHECK(count == 0);
}

TEST_CASE("what an executor has dropped, its loop being over, is freed when the executor ends", "[executor][H2]") {
  Lifetimes results;
  {
    ManualExecutor window;
    toto::TaskQueue queue;
    {
      toto::TaskScope scope(window);
      scope.spawn([](toto::TaskQueue& where, Lifetimes& made) -> toto::Task<> {
        const Counted result = co_await where.yield_task([&made] { return Counted(made); });
        static_cast<void>(result);
      }(queue, results));
      scope.spawn([](toto::TaskQueue& where, Lifetimes& made) -> toto::Task<> {
        const auto make = [&made] { return Counted(made); };
        auto both = co_await toto::when_all(where.yield_task(make), where.yield_task(make));
        static_cast<void>(both);
      }(queue, results));
      window.run_all();
      queue.wait_idle();  // both coroutines are on their way, and will not come
    }
    REQUIRE(results.made > 0);
  }
  CHECK(results.alive() == 0);
}

TEST_CASE("a coroutine that resume_on moves to a loop goes on elsewhere if the loop is destroyed first",
          "[executor][H2]") {
  Gate moved;
  bool on_loop = true;
  {
    toto::EventLoop loop;
    [](toto::EventLoop& where, Gate& over, bool& there) -> FireAndForget {
      co_await toto::resume_on(where);
      there = toto::EventLoop::current() != nullptr;
      over.open();
    }(loop, moved, on_loop);
  }
  REQUIRE(moved.wait());
  CHECK_FALSE(on_loop);
}
