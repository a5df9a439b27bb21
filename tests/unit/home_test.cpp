// SPDX-License-Identifier: MIT
//
// Where a coroutine continues after co_await on a handle: back on its loop or queue, or where it asked to.

#include <toto/tasks.hpp>

#include <atomic>
#include <memory>
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
#include "support/record.hpp"

using namespace toto_tests;

namespace {

/// Where a coroutine was after an await; read it when `over` is open.
struct Place {
  Gate over;
  std::thread::id thread;
  toto::TaskQueue* queue = nullptr;
  toto::EventLoop* loop = nullptr;
  std::string failure;

  void here() {
    thread = std::this_thread::get_id();
    queue = toto::TaskQueue::current();
    loop = toto::EventLoop::current();
    over.open();
  }
};

/// From whatever thread calls it, with whatever home that has.
template <class Awaitable>
FireAndForget go_on_after(Awaitable awaitable, Place& place) {
  try {
    co_await awaitable;
  } catch (const std::exception& error) {
    place.failure = error.what();
  }
  place.here();
}

std::thread::id this_thread() {
  return std::this_thread::get_id();
}

}  // namespace

TEST_CASE("a coroutine on a loop comes back to the loop's thread, from one queue and the next", "[home][H1]") {
  toto::TaskQueue first;
  toto::TaskQueue second;
  toto::EventLoop loop;
  std::vector<std::thread::id> places;
  int strangers = 0;
  loop.spawn([](toto::TaskQueue& a, toto::TaskQueue& b, std::vector<std::thread::id>& on, int& off) -> toto::Task<> {
    for (toto::TaskQueue* queue : {&a, &b, &a}) {
      off += co_await queue->yield_task(this_thread) == std::this_thread::get_id() ? 0 : 1;
      on.push_back(std::this_thread::get_id());
    }
  }(first, second, places, strangers));
  loop.run();
  CHECK(strangers == 3);
  CHECK(places == std::vector<std::thread::id>(3, std::this_thread::get_id()));
}

TEST_CASE("the loop that a coroutine comes back to may run on any thread", "[home][H1]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  std::vector<std::thread::id> places;
  loop.spawn([](toto::TaskQueue& tasks, std::vector<std::thread::id>& on) -> toto::Task<> {
    co_await tasks.yield_task([] {});
    on.push_back(std::this_thread::get_id());
  }(queue, places));
  std::thread runner([&] { loop.run(); });
  const std::thread::id expected = runner.get_id();
  runner.join();
  CHECK(places == std::vector<std::thread::id>{expected});
}

TEST_CASE("a coroutine on a queue comes back to that queue from another one", "[home][H1]") {
  toto::TaskQueue home(2);
  toto::TaskQueue other(2);
  const auto roam = [](toto::TaskQueue& away, toto::TaskQueue& expected) -> toto::Task<int> {
    int at_home = 0;
    for (int i = 0; i < 500; ++i) {
      co_await away.yield_task([] {});
      at_home += toto::TaskQueue::current() == &expected ? 1 : 0;
    }
    co_return at_home;
  };
  CHECK(home.yield_task(roam, std::ref(other), std::ref(home)).get() == 500);
}

TEST_CASE("a coroutine that awaits a task of its own queue continues on the very worker that finished it",
          "[home][H1]") {
  Gate go;
  toto::TaskQueue queue(2);
  const auto follow = [](toto::TaskQueue& tasks, Gate& leave) -> toto::Task<bool> {
    Gate begun;
    auto handle = tasks.yield_task([&begun, &leave] {
      begun.open();
      leave.wait();
      return std::this_thread::get_id();
    });
    begun.wait();  // on the other worker, since this one is here
    co_return co_await handle == std::this_thread::get_id();
  };
  auto same = queue.yield_task(follow, std::ref(queue), std::ref(go));
  REQUIRE(eventually([&] { return queue.stats().suspended == 1; }));
  REQUIRE(eventually([&] { return queue.stats().idle == 1; }));  // where it was, it might continue as well
  go.open();
  CHECK(same.get());
}

TEST_CASE("under sync_wait a coroutine comes back to the waiting thread", "[home][sync_wait][H1]") {
  toto::TaskQueue queue;
  const auto where = [](toto::TaskQueue& tasks) -> toto::Task<std::thread::id> {
    co_await tasks.yield_task([] {});
    co_return std::this_thread::get_id();
  };
  CHECK(toto::sync_wait(where(queue)) == std::this_thread::get_id());
  std::thread::id inside;
  std::thread other([&] { inside = toto::sync_wait(where(queue)); });
  const std::thread::id expected = other.get_id();
  other.join();
  CHECK(inside == expected);
}

TEST_CASE("a coroutine without a home continues on the worker that finished the task", "[home][H1]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto on = queue.yield_task(this_thread);
  Place place;
  go_on_after(queue.yield_task([] {}), place);
  CHECK_FALSE(place.over.is_open());
  worker.release();
  REQUIRE(place.over.wait());
  CHECK(place.thread == on.get());
  CHECK(place.queue == &queue);
}

TEST_CASE(
    "a coroutine without a home whose task is cancelled continues on a worker of the task's queue, "
    "ahead of queued tasks, and not inside the call that cancels",
    "[home][H1][K8]") {
  toto::TaskQueue queue;
  Record<std::string> order;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Place place;
  [](toto::TaskHandle<> handle, Place& mine, Record<std::string>& log) -> FireAndForget {
    try {
      co_await handle;
    } catch (const toto::TaskCancelled&) {
      log.add("cancelled");
    }
    mine.here();
  }(queue.yield_task([] {}), place, order);
  CHECK(queue.cancel_queued() == 1);
  CHECK_FALSE(place.over.is_open());  // the only worker is busy
  queue.add_task([&order] { order.add("queued later"); });
  worker.release();
  REQUIRE(place.over.wait());
  queue.wait_idle();
  CHECK(place.queue == &queue);
  CHECK(order.values() == std::vector<std::string>{"cancelled", "queued later"});
}

TEST_CASE("closing a queue does not refuse the coroutines of the tasks it cancels", "[home][H1][K8]") {
  Place place;
  {
    toto::TaskQueue queue;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    go_on_after(queue.yield_task([] {}), place);
    queue.close(toto::Pending::cancel);
    CHECK_FALSE(place.over.is_open());
  }
  REQUIRE(place.over.is_open());  // the queue's destructor waits for them
  CHECK_THAT(place.failure, contains("cancelled"));
  CHECK(place.thread != std::this_thread::get_id());
}

TEST_CASE("a coroutine on a loop whose task is cancelled gets TaskCancelled on the loop's thread", "[home][H1][K8]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Place place;
  loop.post([&] { go_on_after(queue.yield_task([] {}), place); });
  loop.post([&] { queue.cancel_queued(); });
  loop.post([&] { CHECK_FALSE(place.over.is_open()); });
  loop.run();
  REQUIRE(place.over.is_open());
  CHECK(place.thread == std::this_thread::get_id());
  CHECK(place.loop == &loop);
  CHECK_FALSE(place.failure.empty());
}

TEST_CASE("resume_on: the coroutine continues on the queue or loop it names", "[home][H2]") {
  toto::TaskQueue queue;
  toto::TaskQueue target;
  Place on_queue;
  go_on_after(queue.yield_task([] {}).resume_on(target), on_queue);
  REQUIRE(on_queue.over.wait());
  CHECK(on_queue.queue == &target);

  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Place on_loop;
  go_on_after(queue.yield_task([] {}).resume_on(loop), on_loop);
  worker.release();
  CHECK(eventually([&] {
    loop.run();
    return on_loop.over.is_open();
  }));
  CHECK(on_loop.loop == &loop);
  CHECK(on_loop.thread == std::this_thread::get_id());
}

// AddressSanitizer sees what the first await leaves behind.
TEST_CASE("resume_on: what it returns can be kept and awaited again", "[home][H2]") {
  toto::TaskQueue queue;
  toto::TaskQueue target;
  const auto go_and_return = [&]() -> toto::Task<int> {
    auto to_target = toto::resume_on(target);
    auto to_queue = toto::resume_on(queue);
    int moved = 0;
    for (int i = 0; i < 3; ++i) {
      co_await to_target;
      moved += toto::TaskQueue::current() == &target ? 1 : 0;
      co_await to_queue;
      moved += toto::TaskQueue::current() == &queue ? 1 : 0;
    }
    co_return moved;
  };
  CHECK(queue.yield_task(go_and_return).get() == 6);
}

TEST_CASE("resume_on: also if the task is over already", "[home][H2]") {
  toto::TaskQueue queue;
  toto::TaskQueue target;
  auto handle = queue.yield_task([] {});
  handle.wait();
  Place place;
  go_on_after(std::move(handle).resume_on(target), place);
  REQUIRE(place.over.wait());
  CHECK(place.queue == &target);
}

TEST_CASE("resume_on: with the executor it is on, a coroutine does not hop if the task is over", "[home][H2]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  auto handle = queue.yield_task([] {});
  handle.wait();
  Place place;
  loop.post([&] {
    go_on_after(std::move(handle).resume_on(loop), place);
    CHECK(place.over.is_open());
  });
  loop.run();
  CHECK(place.loop == &loop);
}

TEST_CASE("resume_on a queue that is closed but still at work continues there", "[home][H2]") {
  toto::TaskQueue queue;
  toto::TaskQueue target;
  HeldWorker at_work(target);
  REQUIRE(at_work.held());
  target.close();
  Place place;
  go_on_after(queue.yield_task([] {}).resume_on(target), place);
  queue.wait_idle();
  CHECK_FALSE(place.over.is_open());
  at_work.release();
  REQUIRE(place.over.wait());
  CHECK(place.queue == &target);
}

TEST_CASE("resume_on a queue that has ended continues as if there were no home", "[home][H2]") {
  toto::TaskQueue queue;
  toto::ExecutorRef gone;
  {
    toto::TaskQueue target;
    gone = target.executor();
  }
  SECTION("on the worker that finished the task") {
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    Place place;
    go_on_after(queue.yield_task([] {}).resume_on(gone), place);
    worker.release();
    REQUIRE(place.over.wait());
    CHECK(place.queue == &queue);
    CHECK(place.failure.empty());
  }
  SECTION("on the spot, if the task is over") {
    auto handle = queue.yield_task([] {});
    handle.wait();
    Place place;
    go_on_after(std::move(handle).resume_on(gone), place);
    REQUIRE(place.over.is_open());
    CHECK(place.thread == std::this_thread::get_id());
  }
}

TEST_CASE("resume_on nowhere means wherever the task ends", "[home][H2]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Place place;
  loop.post([&] { go_on_after(queue.yield_task([] {}).resume_on(toto::ExecutorRef()), place); });
  loop.run();
  worker.release();
  REQUIRE(place.over.wait());
  CHECK(place.queue == &queue);
}

TEST_CASE("a queue that ends while a coroutine waits to come back to it lets it continue elsewhere", "[home][H2]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Place place;
  {
    Gate awaiting;
    toto::TaskQueue home;
    home.add_task([&] {
      go_on_after(queue.yield_task([] {}), place);  // not a coroutine task: the queue does not wait for it
      awaiting.open();
    });
    REQUIRE(awaiting.wait());
  }
  worker.release();
  REQUIRE(place.over.wait());
  CHECK(place.queue == &queue);
}

TEST_CASE("a loop that is destroyed while a coroutine waits to come back to it lets it continue elsewhere",
          "[home][H2]") {
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Place place;
  {
    toto::EventLoop loop;
    loop.post([&] { go_on_after(queue.yield_task([] {}), place); });
    loop.run();
  }
  worker.release();
  REQUIRE(place.over.wait());
  CHECK(place.queue == &queue);
}

TEST_CASE("a coroutine on its way back to a loop that is destroyed continues elsewhere, not inside the destructor",
          "[home][H2]") {
  toto::TaskQueue queue;
  Place place;
  Place joined;
  {
    toto::EventLoop loop;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    loop.post([&] {
      go_on_after(queue.yield_task([] {}), place);
      go_on_after(toto::when_all(queue.yield_task([] {}), queue.yield_task([] {})), joined);
    });
    loop.run();
    worker.release();
    queue.wait_idle();  // both are posted to the loop now, which does not run any more
    CHECK_FALSE(place.over.is_open());
    CHECK_FALSE(joined.over.is_open());
  }
  REQUIRE(place.over.wait());
  CHECK(place.queue == &queue);
  REQUIRE(joined.over.wait());
  CHECK(joined.queue == &queue);
}

TEST_CASE("coroutines on their way back to a loop that is destroyed continue elsewhere, also without a queue",
          "[home][H2]") {
  const auto end_soon = []() -> toto::Task<> { co_await toto::sleep_for(toto::Duration()); };
  const auto stop_soon = [](toto::EventLoop& loop) -> toto::Task<> {
    co_await toto::sleep_for(toto::Duration());
    loop.stop();
  };
  Place place;
  Place other;
  {
    toto::EventLoop loop;
    toto::EventLoop another_loop;
    SECTION("they wait for coroutines alone") {
      loop.post([&] { go_on_after(toto::when_all(end_soon(), stop_soon(loop)), place); });
      loop.run();
      another_loop.post([&] { go_on_after(toto::when_any(stop_soon(another_loop), end_soon()), other); });
      another_loop.run();
    }
    SECTION("the queue of their tasks has ended") {
      toto::TaskQueue queue;
      HeldWorker worker(queue);
      REQUIRE(worker.held());
      loop.post([&] {
        go_on_after(queue.yield_task([] {}), place);
        go_on_after(toto::when_all(queue.yield_task([] {}), queue.yield_task([] {})), other);
      });
      loop.run();
    }
    CHECK_FALSE(place.over.is_open());
    CHECK_FALSE(other.over.is_open());
  }
  REQUIRE(place.over.wait());
  CHECK(place.thread != this_thread());
  REQUIRE(other.over.wait());
  CHECK(other.thread != this_thread());
}

TEST_CASE("a coroutine whose call is over may be destroyed after the home that it was to come back to",
          "[home][call][G8]") {
  Lifetimes frames;
  std::atomic<bool> resumed{false};
  const auto call = [](toto::TaskQueue& queue, std::atomic<bool>& after, Counted) -> Owned {
    co_await queue.call([] {});
    after = true;
  };
  toto::TaskQueue queue;
  Owned caller;
  auto worker = std::make_unique<HeldWorker>(queue);
  REQUIRE(worker->held());
  SECTION("a loop, when it was there") {
    {
      toto::EventLoop loop;
      loop.post([&] { caller = call(queue, resumed, Counted(frames)); });
      loop.run();
      worker->release();
      queue.wait_idle();
      worker = std::make_unique<HeldWorker>(queue);
      REQUIRE(worker->held());
    }
    caller.destroy();
  }
  SECTION("a loop, when it had not come there") {
    {
      toto::EventLoop loop;
      loop.post([&] { caller = call(queue, resumed, Counted(frames)); });
      loop.run();
    }
    queue.close(toto::Pending::cancel);
    caller.destroy();
  }
  SECTION("a queue") {
    {
      toto::TaskQueue home;
      home.add_task([&] { caller = call(queue, resumed, Counted(frames)); });
    }
    queue.close(toto::Pending::cancel);
    caller.destroy();
  }
  worker->release();
  queue.wait_idle();
  CHECK_FALSE(resumed);
  CHECK(frames.made > 0);
  CHECK(frames.alive() == 0);
}

TEST_CASE("resume_inline continues on the worker that finished the task, whatever the home", "[home][H1]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto on = queue.yield_task(this_thread);
  Place place;
  loop.post([&] { go_on_after(queue.yield_task([] {}).resume_inline(), place); });
  loop.run();
  worker.release();
  REQUIRE(place.over.wait());
  CHECK(place.thread == on.get());
}

TEST_CASE("a continuation occupies its worker and counts as one", "[home][H4]") {
  Gate continued;
  Gate go;
  Gate next;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  [](toto::TaskHandle<> handle, Gate& here, Gate& leave) -> FireAndForget {
    co_await handle;
    here.open();
    leave.wait();
  }(queue.yield_task([] {}), continued, go);
  queue.add_task([&] { next.open(); });
  CHECK(queue.size() == 3);  // the worker and two tasks
  worker.release();
  REQUIRE(continued.wait());
  CHECK_FALSE(next.is_open());
  CHECK(queue.size() == 2);  // the worker, busy with the continuation, and one task
  CHECK_FALSE(queue.wait_idle_for(std::chrono::milliseconds(1)));
  go.open();
  REQUIRE(next.wait());
}

TEST_CASE("a continuation that waits for its home queue's worker is counted in size", "[home][H4][O1]") {
  Gate go;
  Gate awaiting;
  toto::TaskQueue home;
  toto::TaskQueue other;
  Place place;
  home.add_task([&] {
    go_on_after(other.yield_task([&go] { go.wait(); }), place);
    awaiting.open();
  });
  REQUIRE(awaiting.wait());
  HeldWorker worker(home);
  REQUIRE(worker.held());
  CHECK(home.size() == 1);
  go.open();
  other.wait_idle();
  CHECK(home.size() == 2);
  worker.release();
  REQUIRE(place.over.wait());
}

TEST_CASE("no lock is held while a continuation runs: it may use and even destroy the queue", "[home][H5]") {
  auto queue = std::make_unique<toto::TaskQueue>();
  Gate over;
  std::atomic<int> ran{0};
  HeldWorker worker(*queue);
  REQUIRE(worker.held());
  [](std::unique_ptr<toto::TaskQueue>& owner, Gate& done, std::atomic<int>& count) -> FireAndForget {
    auto second = owner->yield_task([] { return 2; });
    co_await owner->yield_task([] {});
    owner->add_task([&count] { ++count; });
    count += co_await second;
    static_cast<void>(owner->size());
    static_cast<void>(owner->stats());
    owner->cancel_queued();
    owner->add_task([&count] { ++count; });
    owner->close();
    owner.reset();  // it runs on a worker of that very queue
    done.open();
  }(queue, over, ran);
  worker.release();
  REQUIRE(over.wait());
  CHECK(queue == nullptr);
  CHECK(eventually([&] { return ran >= 3; }));  // what was accepted has run, though its queue is gone
}

TEST_CASE("a failure continues in the same place as a value", "[home][H6]") {
  toto::TaskQueue queue;
  const auto fail = [] { throw std::runtime_error("failed"); };
  SECTION("on the loop") {
    toto::EventLoop loop;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    const auto where = [](toto::TaskHandle<> handle, Place& place) -> toto::Task<> {
      try {
        co_await handle;
      } catch (const std::runtime_error& error) {
        place.failure = error.what();
      }
      place.here();
    };
    Place place;
    loop.spawn(where(queue.yield_task(fail), place));
    loop.post([&] { worker.release(); });
    loop.run();
    CHECK(place.thread == std::this_thread::get_id());
    CHECK(place.failure == "failed");
  }
  SECTION("on the worker, without a home") {
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    Place place;
    go_on_after(queue.yield_task(fail), place);
    worker.release();
    REQUIRE(place.over.wait());
    CHECK(place.queue == &queue);
    CHECK(place.failure == "failed");
  }
  SECTION("where resume_on says") {
    toto::TaskQueue target;
    Place place;
    go_on_after(queue.yield_task(fail).resume_on(target), place);
    REQUIRE(place.over.wait());
    CHECK(place.queue == &target);
    CHECK(place.failure == "failed");
  }
}

TEST_CASE("a Task that ends on another thread continues its parent there", "[home][task][H1]") {
  // The child has ended on the other thread before the parent's await_suspend returns on this one.
  struct HopToNewThread {
    bool await_ready() const { return false; }
    TOTO_NOINLINE void await_suspend(std::coroutine_handle<> coroutine) const {
      std::thread([coroutine] { coroutine.resume(); }).join();
    }
    void await_resume() const {}
  };
  std::thread::id child_ended;
  std::thread::id parent_continued;
  [](std::thread::id& child, std::thread::id& parent) -> FireAndForget {
    co_await [](std::thread::id& on) -> toto::Task<> {
      co_await HopToNewThread();
      on = std::this_thread::get_id();
    }(child);
    parent = std::this_thread::get_id();
  }(child_ended, parent_continued);
  CHECK(child_ended != std::this_thread::get_id());
  CHECK(parent_continued == child_ended);
}

TEST_CASE("a Task that moves to a queue takes the coroutine that awaits it along, every time", "[home][task][H1]") {
  constexpr int kRounds = 5'000;
  std::atomic<int> arrived{0};
  Arrivals rounds;
  toto::TaskQueue queue;
  for (int i = 0; i < kRounds; ++i) {
    [](toto::TaskQueue& target, std::atomic<int>& there, Arrivals& done) -> FireAndForget {
      co_await [](toto::TaskQueue& mine) -> toto::Task<> { co_await mine.schedule(); }(target);
      there += toto::TaskQueue::current() == &target ? 1 : 0;
      done.arrive();
    }(queue, arrived, rounds);
  }
  REQUIRE(rounds.wait_for(kRounds));
  CHECK(arrived == kRounds);
}
