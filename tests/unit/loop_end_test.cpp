// SPDX-License-Identifier: MIT
//
// The end of an EventLoop: in the middle of what it runs, from another thread, and with coroutines that are away. And
// what it owns until then: coroutines that callables return.

#include <toto/task_scope.hpp>
#include <toto/tasks.hpp>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/own_executor.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::EventLoop;
using toto::Task;
using toto::TaskQueue;

namespace {

Task<> step_in(toto::Duration time) {
  co_await toto::sleep_for(time);
}
Task<> step() {
  return step_in(toto::Duration());
}

/// Goes to the queue, and stays there until it may end.
Task<> stay_on(TaskQueue& queue, Gate& there, Gate& may_end, Counted) {
  co_await queue.schedule();
  there.open();
  may_end.wait();
}

/// Waits until it is known to be there, and then stops the loop.
void stop_when(EventLoop& loop, Gate& there) {
  loop.post([&] {
    there.wait();
    loop.stop();
  });
}

}  // namespace

TEST_CASE("a posted callable that returns a Task is run to its end, and is kept until then", "[event_loop]") {
  EventLoop loop;
  Lifetimes captures;
  std::vector<std::string> log;
  const auto noting = [&log, &captures](const char* what) {
    return [&log, what, counted = Counted(captures)]() -> Task<int> {
      co_await step();
      log.emplace_back(what);
      co_return 1;
    };
  };
  loop.post(noting("post"));
  loop.post([&] { log.emplace_back("behind it"); });
  loop.call_later(0s, noting("call_later"));
  auto after = loop.post_after(0s, noting("post_after"));
  toto::Timer every;
  every = loop.post_every(1ms, [&, count = 0]() mutable -> Task<> {
    co_await step();
    log.emplace_back("post_every");
    if (++count == 2) {
      every.stop();
    }
  });
  loop.run();
  CHECK(log.front() == "behind it");
  CHECK(std::count(log.begin(), log.end(), "post") == 1);
  CHECK(std::count(log.begin(), log.end(), "call_later") == 1);
  CHECK(std::count(log.begin(), log.end(), "post_after") == 1);
  CHECK(std::count(log.begin(), log.end(), "post_every") == 2);
  after = {};
  CHECK(captures.alive() == 0);
}

TEST_CASE("a loop's timer leaves out the times at which the Task of the call before is not over",
          "[event_loop][timers]") {
  EventLoop loop;
  int begun = 0;
  int open = 0;
  int overlaps = 0;
  toto::Timer every;
  every = loop.post_every(1ms, [&]() -> Task<> {
    if (++begun == 2) {
      every.stop();
    }
    overlaps += open++;
    co_await toto::sleep_for(20ms);
    --open;
  });
  loop.run();
  CHECK(overlaps == 0);
  CHECK(begun == 2);
  CHECK(open == 0);
}

TEST_CASE("what the Task of a callable throws comes out of run", "[event_loop]") {
  EventLoop loop;
  const auto fail = []() -> Task<> {
    co_await step();
    throw std::runtime_error("later");
  };
  const auto refuse = []() -> Task<> { throw std::logic_error("at once"); };
  loop.post(fail);
  CHECK_THROWS_WITH(loop.run(), "later");
  loop.call_later(0s, fail);
  CHECK_THROWS_WITH(loop.run(), "later");
  loop.post(refuse);
  CHECK_THROWS_WITH(loop.run(), "at once");
  loop.run();
}

TEST_CASE("a loop that ends destroys the Tasks of callables, and the callables", "[event_loop]") {
  Lifetimes captures;
  {
    EventLoop loop;
    loop.post([counted = Counted(captures)]() -> Task<> { co_await toto::sleep_for(1h); });
    loop.call_later(0s, [counted = Counted(captures)]() -> Task<> { co_await toto::sleep_for(1h); });
    loop.call_later(1h, [counted = Counted(captures)]() -> Task<> { co_await step(); });
    auto every = loop.post_every(1ms, [counted = Counted(captures)]() -> Task<> { co_await toto::sleep_for(1h); });
    loop.call_later(5ms, [&] { loop.stop(); });
    loop.run();
    CHECK(captures.alive() == 4);
  }
  CHECK(captures.alive() == 0);
}

TEST_CASE("a loop may be destroyed by what it runs: run() returns, and the rest is dropped", "[event_loop][L9]") {
  Lifetimes frames;
  int after = 0;
  bool second = false;
  auto loop = std::make_unique<EventLoop>();
  EventLoop& running = *loop;
  const auto end = [&] {
    loop.reset();
    ++after;
    CHECK(EventLoop::current() != &running);
  };
  const auto rest = [&] {
    running.post([&second, counted = Counted(frames)] { second = true; });
    running.spawn([](bool& flag, Counted) -> Task<> {
      flag = true;
      co_return;
    }(second, Counted(frames)));
    running.call_later(1h, [&second, counted = Counted(frames)] { second = true; });
  };
  running.spawn([](Counted) -> Task<> { co_await toto::sleep_for(1h); }(Counted(frames)));
  running.post([&] { running.stop(); });
  running.run();
  SECTION("a posted function") {
    running.post(end);
    rest();
    running.run();
  }
  SECTION("a timer") {
    running.call_later(0s, end);
    running.call_later(0s, rest);
    running.run();
  }
  SECTION("a coroutine that ends after it") {
    running.spawn([](std::unique_ptr<EventLoop>& mine, int& times, Counted) -> Task<> {
      co_await step();
      mine.reset();
      ++times;
    }(loop, after, Counted(frames)));
    running.run();
  }
  SECTION("a coroutine that waits after it is destroyed there") {
    running.spawn([](std::unique_ptr<EventLoop>& mine, int& times, bool& flag, Counted) -> Task<> {
      mine.reset();
      ++times;
      co_await step();
      flag = true;
    }(loop, after, second, Counted(frames)));
    running.run();
  }
  SECTION("the coroutine that run_sync waits for") {
    CHECK(running.run_sync([](std::unique_ptr<EventLoop>& mine, int& times, Counted) -> Task<int> {
      mine.reset();
      ++times;
      co_return 3;
    }(loop, after, Counted(frames))) == 3);
  }
  SECTION("something else while run_sync waits") {
    running.post(end);
    CHECK_THROWS_WITH(running.run_sync(toto::sleep_for(1h)), contains("destroyed"));
  }
  SECTION("a loop that is run within it") {
    running.post([&] {
      EventLoop inner;
      inner.post(end);
      inner.run();
    });
    rest();
    running.run();
  }
  SECTION("with an exception") {
    running.post([&] {
      end();
      throw std::runtime_error("after the end");
    });
    rest();
    CHECK_THROWS_WITH(running.run(), "after the end");
  }
  CHECK(after == 1);
  CHECK_FALSE(second);
  CHECK(frames.alive() == 0);
  CHECK(loop == nullptr);
}

TEST_CASE("a loop that another thread destroys while it runs returns from run() first", "[event_loop][L9]") {
  Lifetimes frames;
  Gate running;
  bool returned = false;
  auto loop = std::make_unique<EventLoop>();
  EventLoop& shared = *loop;
  shared.spawn([](Counted) -> Task<> { co_await toto::sleep_for(1h); }(Counted(frames)));
  shared.post([&] { running.open(); });
  int left = -1;
  std::thread other([&] {
    running.wait();
    loop.reset();
    left = frames.alive();
  });
  shared.run();
  returned = true;
  other.join();
  CHECK(returned);
  CHECK(left == 0);  // destroyed before the destructor has returned
}

TEST_CASE("a loop's coroutine that is away may destroy the loop", "[event_loop][L9]") {
  Lifetimes frames;
  Gate over;
  TaskQueue queue;
  auto loop = std::make_unique<EventLoop>();
  EventLoop& running = *loop;
  running.spawn([](Counted) -> Task<> { co_await toto::sleep_for(1h); }(Counted(frames)));
  running.spawn([](TaskQueue& target, std::unique_ptr<EventLoop>& mine, Gate& done, Counted) -> Task<> {
    co_await target.schedule();
    mine.reset();
    co_await target.schedule();
    done.open();
  }(queue, loop, over, Counted(frames)));
  running.run();
  REQUIRE(over.wait());
  queue.wait_idle();
  CHECK(frames.alive() == 0);
}

TEST_CASE("a loop that ends while one of its coroutines is away does not touch it: it ends there",
          "[event_loop][home]") {
  Lifetimes frames;
  Gate there;
  Gate may_end;
  TaskQueue queue;
  {
    EventLoop loop;
    SECTION("it went by itself") {
      loop.spawn(stay_on(queue, there, may_end, Counted(frames)));
    }
    SECTION("it waits for one that went") {
      loop.spawn([](Task<> other, Counted) -> Task<> { co_await other; }(
                                               stay_on(queue, there, may_end, Counted(frames)), Counted(frames)));
    }
    SECTION("one that it joins went") {
      loop.spawn([](Task<> other, Counted) -> Task<> { co_await toto::when_all(std::move(other), step()); }(
                                               stay_on(queue, there, may_end, Counted(frames)), Counted(frames)));
    }
    SECTION("one of which it needs the first went") {
      loop.spawn([](Task<> other, Counted) -> Task<> { co_await toto::when_any(std::move(other), step_in(1h)); }(
                                               stay_on(queue, there, may_end, Counted(frames)), Counted(frames)));
    }
    SECTION("the body of its group went") {
      loop.spawn([](TaskQueue& target, Gate& arrived, Gate& end, Counted counted) -> Task<> {
        auto group = toto::with_task_group([&](toto::TaskGroup&) -> Task<> {
          auto away = stay_on(target, arrived, end, counted);
          co_await away;
        });
        co_await group;
      }(queue, there, may_end, Counted(frames)));
    }
    SECTION("it went with what it had waited for") {
      loop.spawn([](TaskQueue& target, Gate& arrived, Gate& end, Counted) -> Task<> {
        co_await target.yield_task([] {}).resume_on(target);
        arrived.open();
        end.wait();
      }(queue, there, may_end, Counted(frames)));
    }
    SECTION("it was resumed where what it had waited for has ended") {
      loop.spawn([](TaskQueue& target, Gate& arrived, Gate& end, Counted) -> Task<> {
        Gate suspended;
        auto handle = target.yield_task([&] { suspended.wait(); });
        EventLoop::current()->post([&] { suspended.open(); });
        co_await std::move(handle).resume_inline();
        arrived.open();
        end.wait();
      }(queue, there, may_end, Counted(frames)));
    }
    SECTION("it was called by a function that was posted") {
      loop.post([&, counted = Counted(frames)]() -> Task<> {
        auto away = stay_on(queue, there, may_end, counted);
        co_await away;
      });
    }
    SECTION("run_sync waits for it") {
      stop_when(loop, there);
      CHECK_THROWS_WITH(loop.run_sync(stay_on(queue, there, may_end, Counted(frames))), contains("stopped"));
    }
    if (!there.is_open()) {
      stop_when(loop, there);
      loop.run();
    }
    CHECK(frames.alive() > 0);
  }
  CHECK(frames.alive() > 0);
  may_end.open();
  CHECK(eventually([&] { return frames.alive() == 0; }));
}

TEST_CASE("a coroutine that is away when its loop ends goes on without a home, and what it throws is not lost quietly",
          "[event_loop][home]") {
  Lifetimes frames;
  Gate there;
  Gate may_end;
  Gate over;
  TaskQueue queue;
  TaskQueue* on = nullptr;
  {
    EventLoop loop;
    loop.spawn([](TaskQueue& target, EventLoop& home, Gate& arrived, Gate& go_on, Gate& done, TaskQueue*& place,
                  Counted) -> Task<> {
      co_await target.schedule();
      const toto::ExecutorRef back = home;
      arrived.open();
      go_on.wait();
      co_await toto::resume_on(back);  // it has ended: the coroutine stays
      place = TaskQueue::current();
      done.open();
      throw std::runtime_error("on purpose, and to be seen on stderr");
    }(queue, loop, there, may_end, over, on, Counted(frames)));
    stop_when(loop, there);
    loop.run();
  }
  may_end.open();
  REQUIRE(over.wait());
  queue.wait_idle();
  CHECK(on == &queue);
  CHECK(frames.alive() == 0);
}

TEST_CASE("a coroutine that was away and has come back is the loop's again: it is destroyed with it",
          "[event_loop][home]") {
  Lifetimes frames;
  bool went_on = false;
  TaskQueue queue;
  {
    EventLoop loop;
    const auto wait_here = [](EventLoop& mine, bool& flag) -> Task<> {
      mine.post([&mine] { mine.stop(); });
      co_await toto::sleep_for(1h);
      flag = true;
    };
    SECTION("by itself") {
      loop.spawn([](TaskQueue& target, EventLoop& mine, Task<> last, Counted) -> Task<> {
        for (int i = 0; i < 3; ++i) {
          co_await target.schedule();
          co_await toto::resume_on(mine);
          co_await target.yield_task([] {}).resume_on(target);
          co_await target.yield_task([] {}).resume_on(mine);
        }
        co_await last;
      }(queue, loop, wait_here(loop, went_on), Counted(frames)));
    }
    SECTION("what it awaited took it there and back") {
      loop.spawn([](TaskQueue& target, EventLoop& mine, Task<> last, Counted) -> Task<> {
        auto there = [](TaskQueue& to) -> Task<> { co_await to.schedule(); }(target);
        co_await there;
        auto back = [](EventLoop& to) -> Task<> { co_await toto::resume_on(to); }(mine);
        co_await back;
        co_await last;
      }(queue, loop, wait_here(loop, went_on), Counted(frames)));
    }
    SECTION("what it joined ended elsewhere") {
      loop.spawn([](TaskQueue& target, Task<> last, Counted) -> Task<> {
        const auto go = [](TaskQueue& to) -> Task<> { co_await to.schedule(); };
        co_await toto::when_all(go(target), go(target));
        co_await toto::when_all_or_cancel(go(target), go(target));
        co_await last;
      }(queue, wait_here(loop, went_on), Counted(frames)));
    }
    SECTION("the queue that it wanted to go to has closed") {
      loop.spawn([](TaskQueue& target, EventLoop& mine, Task<> last, Counted) -> Task<> {
        target.close();
        target.wait_idle();
        bool refused = false;
        try {
          co_await target.schedule();
        } catch (const toto::QueueClosed&) {
          refused = true;
        }
        if (!refused) {
          co_await toto::resume_on(mine);
        }
        co_await last;
      }(queue, loop, wait_here(loop, went_on), Counted(frames)));
    }
    loop.run();
    CHECK(frames.alive() > 0);
  }
  CHECK(frames.alive() == 0);
  CHECK_FALSE(went_on);
}

TEST_CASE("a coroutine on its way back to a loop that ends is not destroyed in the middle of it",
          "[event_loop][home]") {
  Lifetimes frames;
  Gate over;
  TaskQueue queue;
  {
    EventLoop loop;
    Gate posted;
    loop.spawn([](TaskQueue& target, EventLoop& mine, Gate& on_its_way, Gate& done, Counted) -> Task<> {
      co_await target.schedule();
      target.add_task([&on_its_way] { on_its_way.open(); });  // runs when this has left the worker
      co_await toto::resume_on(mine);
      done.open();
    }(queue, loop, posted, over, Counted(frames)));
    stop_when(loop, posted);
    loop.run();
    queue.wait_idle();
  }
  REQUIRE(over.wait());  // as if it had no home
}

namespace {

/// Resumes the coroutine on a new thread.
struct OnThread {
  std::shared_ptr<Gate> go;
  std::thread& thread;
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    thread = std::thread([coroutine, when = go] {
      when->wait();
      coroutine.resume();
    });
  }
  static void await_resume() noexcept {}
};

/// Its post() returns only when it may, long after what was posted may have run.
class SlowToReturn {
 public:
  void post(toto::Resumption resumption) noexcept {
    messages_.post(std::move(resumption));
    may_return.wait();
    returned = true;
  }
  Gate may_return;
  bool returned = false;  // no atomic: whoever reads it has to be behind

 private:
  MessageThread messages_;
};

}  // namespace

TEST_CASE("after a queue, a loop, an ExecutorScope or wait_idle() has ended, the thread of the timers is in no post()",
          "[executor][timers]") {
  SlowToReturn executor;
  Gate over;
  TaskQueue queue;
  auto scope = std::make_unique<toto::ExecutorScope>(executor);
  [](Gate& done) -> FireAndForget {
    co_await toto::sleep_for(1ms);  // this thread is on the executor
    done.open();
  }(over);
  REQUIRE(over.wait());
  std::thread other([&] { executor.may_return.open(); });
  SECTION("wait_idle") {
    queue.wait_idle();
  }
  SECTION("a queue") {
    TaskQueue(1).run();
  }
  SECTION("a loop") {
    EventLoop().run();
  }
  SECTION("a scope") {
    scope.reset();
  }
  CHECK(executor.returned);
  other.join();
}

TEST_CASE("after an ExecutorScope has ended, no thread of any kind is in post()", "[executor][shutdown]") {
  SlowToReturn executor;
  Gate over;
  toto::InstancePool<int> pool([] { return 1; }, 1);
  std::optional<toto::Lease<int>> lease(pool.instance());
  auto scope = std::make_unique<toto::ExecutorScope>(executor);
  std::thread returner;
  SECTION("one that returns an instance") {
    [](toto::InstancePool<int>& from, Gate& done) -> FireAndForget {
      const auto mine = co_await from.lease();
      done.open();
    }(pool, over);
    returner = std::thread([&lease] { lease.reset(); });
  }
  SECTION("one that ends a Task elsewhere") {
    auto source = std::make_shared<Gate>();
    std::thread other;
    [](std::shared_ptr<Gate> go, std::thread& starter, toto::ExecutorRef home, Gate& done) -> FireAndForget {
      co_await OnThread{go, starter};
      co_await toto::resume_on(home);
      done.open();
    }(source, other, toto::current_executor(), over);
    source->open();
    returner = std::move(other);
  }
  REQUIRE(over.wait());
  std::thread opener([&] { executor.may_return.open(); });
  scope.reset();
  CHECK(executor.returned);
  returner.join();
  opener.join();
}

namespace {

/// Resumes, when it is destroyed, whoever waits for it.
class Bell {
 public:
  explicit Bell(std::coroutine_handle<>& waiter) noexcept : waiter_(waiter) {}
  ~Bell() {
    if (const auto waiter = std::exchange(waiter_, nullptr)) {
      waiter.resume();
    }
  }

 private:
  std::coroutine_handle<>& waiter_;
};

class Ringing {
 public:
  explicit Ringing(std::coroutine_handle<>& waiter) noexcept : waiter_(waiter) {}
  Ringing(const Ringing&) = delete;
  Ringing& operator=(const Ringing&) = delete;
  ~Ringing() { waiter_ = nullptr; }
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept { waiter_ = coroutine; }
  static void await_resume() noexcept {}

 private:
  std::coroutine_handle<>& waiter_;
};

struct Dialog {
  explicit Dialog(bool& is_open) : open(is_open) { open = true; }
  ~Dialog() { open = false; }
  bool& open;
};

}  // namespace

TEST_CASE("a coroutine that ends because another one of its loop is destroyed is destroyed once",
          "[event_loop][shutdown]") {
  Lifetimes lifetimes;
  std::coroutine_handle<> waiter;
  int heard = 0;
  for (const bool waits_first : {true, false}) {
    std::optional<EventLoop> loop(std::in_place);
    const auto wait = [&](Counted) -> Task<> {
      Ringing ringing(waiter);
      co_await ringing;
      ++heard;
    };
    const auto ring = [&](Counted) -> Task<> {
      const Bell bell(waiter);
      co_await toto::sleep_for(1h);
    };
    if (waits_first) {
      loop->spawn(wait(Counted(lifetimes)));
    }
    loop->spawn(ring(Counted(lifetimes)));
    if (!waits_first) {
      loop->spawn(wait(Counted(lifetimes)));
    }
    loop->post([&] { loop->stop(); });
    loop->run();
    loop.reset();
    CHECK(lifetimes.alive() == 0);
  }
  CHECK(heard == 1);  // the other was destroyed first
}

TEST_CASE("what a scope owns is destroyed with its loop before the coroutine that owns the scope",
          "[task_scope][shutdown]") {
  std::optional<EventLoop> loop(std::in_place);
  bool open = false;
  bool was_open = false;
  const auto use = [&](Dialog& dialog) -> Task<> {
    struct Leaving {
      Dialog& dialog;
      bool& was_open;
      ~Leaving() { was_open = dialog.open; }
    } const leaving{dialog, was_open};
    co_await toto::sleep_for(1h);
  };
  const auto show = [&]() -> Task<> {
    Dialog dialog(open);
    toto::TaskScope scope(*loop);
    scope.spawn(use(dialog));
    co_await toto::sleep_for(1h);
  };
  loop->spawn(show());
  loop->post([&] { loop->post([&] { loop->stop(); }); });
  loop->run();
  REQUIRE(open);
  loop.reset();
  CHECK_FALSE(open);
  CHECK(was_open);
}
