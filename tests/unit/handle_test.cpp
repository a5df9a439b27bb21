// SPDX-License-Identifier: MIT
//
// TaskHandle as an object: which task it has, and what happens to the task when the handle is destroyed. Awaiting is in
// await_test.cpp, waiting in blocking_wait_test.cpp.

#include <toto/tasks.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"

using namespace toto_tests;

namespace {

static_assert(!std::is_copy_constructible_v<toto::TaskHandle<int>>);
static_assert(!std::is_copy_assignable_v<toto::TaskHandle<int>>);
static_assert(std::is_nothrow_move_constructible_v<toto::TaskHandle<int>>);
static_assert(std::is_nothrow_move_assignable_v<toto::TaskHandle<int>>);
static_assert(std::is_nothrow_default_constructible_v<toto::TaskHandle<>>);
static_assert(std::is_same_v<toto::TaskHandle<>, toto::TaskHandle<void, toto::StdRuntime>>);

/// What an error hook was called with, and on which thread.
struct Unseen {
  struct Report {
    std::string text;
    std::string queue;
    std::thread::id on;
  };
  Record<Report> reports;

  void watch(toto::TaskQueue& queue) {
    queue.on_error([this](std::exception_ptr failure, const toto::TaskInfo& info) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        reports.add({error.what(), std::string(info.queue), std::this_thread::get_id()});
      }
    });
  }
};

}  // namespace

TEST_CASE("a task whose handle is dropped before it begins runs, and its result is destroyed once",
          "[task_handle][G4]") {
  Lifetimes results;
  std::atomic<bool> ran{false};
  {
    toto::TaskQueue queue;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    {
      const auto handle = queue.yield_task([&] {
        ran = true;
        return Counted(results);
      });
    }
    CHECK_FALSE(ran);  // dropping neither waits nor runs it
    worker.release();
  }
  CHECK(ran);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("dropping the handle of a running task does not wait, and its result is destroyed once",
          "[task_handle][G4]") {
  Lifetimes results;
  Gate begun;
  Gate go;
  Gate over;
  toto::TaskQueue queue;
  {
    const auto handle = queue.yield_task([&] {
      begun.open();
      go.wait();
      over.open();
      return Counted(results);
    });
    REQUIRE(begun.wait());
  }
  CHECK_FALSE(over.is_open());
  go.open();
  queue.wait_idle();
  CHECK(over.is_open());
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("dropping the handle of a finished task destroys the result, there and then", "[task_handle][G4]") {
  Lifetimes results;
  toto::TaskQueue queue;
  {
    const auto handle = queue.yield_task([&] { return Counted(results); });
    handle.wait();
    queue.wait_idle();
    CHECK(results.alive() == 1);
  }
  CHECK(results.alive() == 0);
  CHECK(results.last_destroyed_on.load() == std::this_thread::get_id());
}

TEST_CASE("detach says what dropping does", "[task_handle][G4]") {
  Gate go;
  Gate ran;
  toto::TaskQueue queue;
  auto handle = queue.yield_task([&] {
    go.wait();
    ran.open();
  });
  std::move(handle).detach();
  CHECK_FALSE(handle.valid());
  go.open();
  CHECK(ran.wait());
}

TEST_CASE("a failure nobody will see goes to on_error, on the worker if the handle was dropped before the end",
          "[task_handle][G4]") {
  Unseen unseen;
  std::thread::id worker;
  Gate go;
  toto::TaskQueue queue({.name = "careless"});
  unseen.watch(queue);
  queue
      .yield_task([&] {
        worker = std::this_thread::get_id();
        go.wait();
        throw std::runtime_error("lost");
      })
      .detach();
  go.open();
  queue.wait_idle();
  const auto reports = unseen.reports.values();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].text == "lost");
  CHECK(reports[0].queue == "careless");
  CHECK(reports[0].on == worker);
}

TEST_CASE("a failure nobody will see goes to on_error in the thread that drops the finished handle",
          "[task_handle][G4]") {
  Unseen unseen;
  toto::TaskQueue queue;
  unseen.watch(queue);
  {
    const auto handle = queue.yield_task([] { throw std::runtime_error("lost"); });
    handle.wait();
    queue.wait_idle();
    CHECK(unseen.reports.values().empty());  // someone might still look
  }
  const auto reports = unseen.reports.values();
  REQUIRE(reports.size() == 1);
  CHECK(reports[0].on == std::this_thread::get_id());
}

TEST_CASE("the hook for lost failures is kept alive by the handle of a task whose queue is gone",
          "[task_handle][G4][G26]") {
  Unseen unseen;
  {
    toto::TaskHandle<> handle;
    {
      toto::TaskQueue queue;
      unseen.watch(queue);
      handle = queue.yield_task([] { throw std::runtime_error("late"); });
    }
    CHECK(unseen.reports.values().empty());
  }
  CHECK(unseen.reports.values().size() == 1);
}

TEST_CASE("a failure that was taken, and the library's own endings, are not reported as lost", "[task_handle][G4]") {
  Unseen unseen;
  toto::TaskQueue queue;
  unseen.watch(queue);
  CHECK_THROWS_AS(queue.yield_task([] { throw std::runtime_error("seen"); }).get(), std::runtime_error);
  queue.yield_task([] { throw toto::TaskCancelled("stopped when told to"); }).detach();
  queue.yield_task([] { throw toto::TimedOut("waited long enough"); }).detach();
  queue.yield_task([] { throw toto::QueueClosed("somebody else's queue"); }).detach();
  {
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    auto cancelled = queue.yield_task([] {});
    CHECK(cancelled.cancel());
  }
  queue.wait_idle();
  CHECK(unseen.reports.values().empty());
}

TEST_CASE("a handle without a task says so and refuses to be used", "[task_handle][G19]") {
  toto::TaskHandle<int> handle;
  CHECK_FALSE(handle.valid());
  CHECK_FALSE(handle.ready());
  CHECK_FALSE(handle.cancel());
  CHECK_THROWS_AS(handle.get(), toto::NoState);
  CHECK_THROWS_AS(handle.wait(), toto::NoState);
  CHECK_THROWS_AS(handle.wait_for(std::chrono::seconds(1)), toto::NoState);
  CHECK_THROWS_AS(handle.wait_for(std::chrono::seconds(0)), toto::NoState);
  CHECK_THROWS_AS(handle.wait_until(std::chrono::steady_clock::now()), toto::NoState);
  CHECK_THROWS_AS(toto::sync_wait(handle), toto::NoState);
  std::move(handle).detach();  // nothing to do
}

TEST_CASE("a handle that was moved from has no task, and may be destroyed and assigned to", "[task_handle][G6]") {
  toto::TaskQueue queue;
  auto first = queue.yield_task([] { return 1; });
  toto::TaskHandle<int> second = std::move(first);
  CHECK_FALSE(first.valid());
  CHECK_THROWS_AS(first.get(), toto::NoState);
  CHECK(second.valid());
  first = queue.yield_task([] { return 2; });
  CHECK(first.get() == 2);
  CHECK(second.get() == 1);
}

TEST_CASE("a handle that is moved onto itself keeps its task", "[task_handle][G6]") {
  toto::TaskQueue queue;
  auto handle = queue.yield_task([] { return 7; });
  auto& same = handle;
  handle = std::move(same);
  REQUIRE(handle.valid());
  CHECK(handle.get() == 7);
}

TEST_CASE("handles live in containers and are swapped", "[task_handle][G6]") {
  toto::TaskQueue queue;
  std::vector<toto::TaskHandle<int>> handles;
  for (int i = 0; i < 100; ++i) {
    handles.push_back(queue.yield_task([i] { return i; }));
  }
  std::swap(handles.front(), handles.back());
  CHECK(handles.front().get() == 99);
  CHECK(handles.back().get() == 0);
  handles.erase(handles.begin(), handles.begin() + 50);
  CHECK(handles.front().get() == 50);
}

TEST_CASE("assigning over a handle detaches its task, which runs, and takes the other", "[task_handle][G7]") {
  Lifetimes results;
  Arrivals ran;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  const auto work = [&] {
    ran.arrive();
    return Counted(results);
  };
  toto::TaskHandle<Counted> handle = queue.yield_task(work);
  handle = queue.yield_task(work);
  CHECK(ran.count() == 0);
  worker.release();
  REQUIRE(ran.wait_for(2));
  {
    const Counted result = handle.get();
  }
  queue.wait_idle();
  CHECK(results.alive() == 0);
}

TEST_CASE("yield_task starts its task without being awaited or waited for", "[task_handle][G23]") {
  Gate ran;
  toto::TaskQueue queue;
  const auto handle = queue.yield_task([&] { ran.open(); });
  CHECK(ran.wait());
}

TEST_CASE("a handle outlives its queue: value, failure and cancellation are still there", "[task_handle][G26]") {
  toto::TaskHandle<std::string> value;
  toto::TaskHandle<> failure;
  toto::TaskHandle<> cancelled;
  {
    toto::TaskQueue queue({.name = "short-lived"});
    value = queue.yield_task([] { return std::string("a value that does not fit into a small string"); });
    failure = queue.yield_task([] { throw std::runtime_error("it failed"); });
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    cancelled = queue.yield_task([] {});
    queue.close(toto::Pending::cancel);
  }
  CHECK(value.ready());
  CHECK(value.get() == "a value that does not fit into a small string");
  CHECK_THROWS_WITH(failure.get(), "it failed");
  CHECK_FALSE(cancelled.cancel());
  CHECK_THROWS_AS(cancelled.wait_for(std::chrono::seconds(-1)) ? cancelled.get() : void(), toto::TaskCancelled);
}

TEST_CASE("the text of a cancelled task's failure names its queue, also when that is gone", "[task_handle][G26]") {
  toto::TaskHandle<> cancelled;
  {
    toto::TaskQueue queue({.name = "short-lived"});
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    cancelled = queue.yield_task([] {});
    queue.close(toto::Pending::cancel);
  }
  CHECK_THROWS_WITH(cancelled.get(), contains("short-lived"));
}

TEST_CASE("a handle may be moved to another thread and destroyed there, before or after the end",
          "[task_handle][G27]") {
  Lifetimes results;
  {
    toto::TaskQueue queue;
    std::thread::id destroyer;
    auto finished = queue.yield_task([&] { return Counted(results); });
    finished.wait();
    std::thread([handle = std::move(finished), &destroyer]() mutable {
      destroyer = std::this_thread::get_id();
      std::move(handle).detach();
    }).join();
    CHECK(results.last_destroyed_on.load() == destroyer);

    HeldWorker worker(queue);
    REQUIRE(worker.held());
    auto queued = queue.yield_task([&] { return Counted(results); });
    std::thread([handle = std::move(queued)] {}).join();
  }
  CHECK(results.made >= 2);
  CHECK(results.alive() == 0);
}

TEST_CASE("a result that owns its own queue leaks nothing, taken or dropped", "[task_handle][G16]") {
  Lifetimes captures;
  SECTION("the result is taken, and destroyed outside") {
    auto queue = std::make_shared<toto::TaskQueue>();
    auto handle = queue->yield_task([queue, counted = Counted(captures)] { return queue; });
    queue.reset();
    CHECK(handle.get()->thread_count() == 1);
  }
  SECTION("the handle is dropped after the end") {
    auto queue = std::make_shared<toto::TaskQueue>();
    const auto handle = queue->yield_task([queue, counted = Counted(captures)] { return queue; });
    queue.reset();
    handle.wait();
  }
  SECTION("the handle was dropped before: the task destroys its own queue") {
    Gate go;
    auto queue = std::make_shared<toto::TaskQueue>();
    const std::weak_ptr<toto::TaskQueue> watch = queue;
    queue
        ->yield_task([queue, &go, counted = Counted(captures)] {
          go.wait();
          return queue;
        })
        .detach();
    queue.reset();
    go.open();
    CHECK(eventually([&] { return watch.expired() && captures.alive() == 0; }));
  }
  CHECK(captures.alive() == 0);
}

TEST_CASE("a result may be the handle of another task", "[task_handle][G16]") {
  toto::TaskQueue queue(2);
  auto outer = queue.yield_task([&] { return queue.yield_task([] { return 5; }); });
  toto::TaskHandle<int> inner = outer.get();
  CHECK(inner.get() == 5);
}
