// SPDX-License-Identifier: MIT
//
// Exceptions and callables that misbehave at their end: exceptions that cannot be copied, destructors that throw, add
// a task, or destroy the queue.

#include <atomic>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "faults/injection.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/record.hpp"

using namespace toto_tests;

namespace {

struct Thrown : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Cannot be copied once it is on its way.
struct Uncopyable : std::exception {
  explicit Uncopyable(bool* is_sealed) : sealed(is_sealed) {}
  Uncopyable(const Uncopyable& other) : std::exception(other), sealed(other.sealed) {
    if (*sealed) {
      throw Thrown("copying the exception failed");
    }
  }
  Uncopyable& operator=(const Uncopyable&) = delete;
  const char* what() const noexcept override { return "cannot be copied"; }
  bool* sealed;
};

/// Throws when it is destroyed, unless it was moved from. Runs `body`.
struct ThrowsAtItsEnd {
  explicit ThrowsAtItsEnd(std::atomic<int>& counter) : ends(&counter) {}
  ThrowsAtItsEnd(ThrowsAtItsEnd&& other) noexcept : ends(std::exchange(other.ends, nullptr)) {}
  ThrowsAtItsEnd& operator=(ThrowsAtItsEnd&&) = delete;
  ~ThrowsAtItsEnd() noexcept(false) {
    if (ends != nullptr) {
      ++*ends;
      throw Thrown("a destructor failed");
    }
  }
  int operator()() const { return 1; }
  std::atomic<int>* ends;
};

/// Calls `body` when it is destroyed, unless it was moved from.
template <class Body>
struct AtItsEnd {
  explicit AtItsEnd(Body b) : body(std::move(b)) {}
  AtItsEnd(AtItsEnd&& other) noexcept : body(std::move(other.body)), armed(std::exchange(other.armed, false)) {}
  AtItsEnd& operator=(AtItsEnd&&) = delete;
  ~AtItsEnd() {
    if (armed) {
      body();
    }
  }
  void operator()() const {}
  Body body;
  bool armed = true;
};

}  // namespace

TEST_CASE("an exception that cannot be copied arrives as it was thrown", "[task_queue][faults][F10]") {
  toto::TaskQueue queue;
  bool sealed = false;
  auto handle = queue.yield_task([&]() -> int {
    try {
      throw Uncopyable(&sealed);
    } catch (const Uncopyable&) {
      sealed = true;
      throw;
    }
  });
  std::string text;
  try {
    handle.get();
  } catch (const Uncopyable& error) {
    text = error.what();
  }
  REQUIRE(text == "cannot be copied");
  note_fault("exception");
}

TEST_CASE("an exception whose copy throws while it is being thrown arrives as that other exception",
          "[task_queue][faults][F10]") {
  toto::TaskQueue queue;
  bool sealed = true;
  const Uncopyable original(&sealed);
  auto handle = queue.yield_task([&]() -> int { throw original; });
  REQUIRE_THROWS_AS(handle.get(), Thrown);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  note_fault("exception");
}

TEST_CASE("an exception that cannot be copied passes through coroutines and when_all", "[task][faults][F10]") {
  struct Coroutines {
    static toto::Task<> fail(bool& sealed) {
      try {
        throw Uncopyable(&sealed);
      } catch (const Uncopyable&) {
        sealed = true;
        throw;
      }
      co_return;
    }
    static toto::Task<> join(toto::TaskQueue& queue, bool& sealed) {
      toto::TaskHandle<> handle = queue.yield_task([] {});
      co_await toto::when_all(std::move(handle), fail(sealed));
    }
  };
  toto::TaskQueue queue;
  bool sealed = false;
  REQUIRE_THROWS_AS(toto::sync_wait(Coroutines::join(queue, sealed)), Uncopyable);
  sealed = false;
  auto handle = queue.yield_task(&Coroutines::fail, std::ref(sealed));
  REQUIRE_THROWS_AS(handle.get(), Uncopyable);
  note_fault("exception");
  note_fault("exception");
}

TEST_CASE("a callable whose destructor throws keeps its result; the error hook is told", "[task_queue][faults][E7]") {
  std::atomic<int> ends = 0;
  Record<std::string> reports;
  toto::TaskQueue queue;
  queue.on_error([&](const std::exception_ptr& failure, const toto::TaskInfo&) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      reports.add(error.what());
    }
  });
  toto::TaskHandle<int> handle = queue.yield_task(ThrowsAtItsEnd(ends));
  REQUIRE(handle.get() == 1);
  queue.add_task(ThrowsAtItsEnd(ends));
  queue.wait_idle();
  REQUIRE(ends == 2);
  REQUIRE(reports.values() == std::vector<std::string>(2, "a destructor failed"));
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  note_fault("exception");
  note_fault("exception");
}

TEST_CASE("a callable whose destructor throws is cancelled, and closed over, like any other",
          "[task_queue][faults][E7]") {
  std::atomic<int> ends = 0;
  std::atomic<int> reports = 0;
  Gate gate;
  Gate begun;
  {
    toto::TaskQueue queue;
    queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++reports; });
    queue.add_task([&] {
      begun.open();
      gate.wait();
    });
    REQUIRE(begun.wait());
    toto::TaskHandle<int> cancelled = queue.yield_task(ThrowsAtItsEnd(ends));
    toto::TaskHandle<int> dropped = queue.yield_task(ThrowsAtItsEnd(ends));
    REQUIRE(cancelled.cancel());
    REQUIRE(ends == 1);
    queue.close(toto::Pending::cancel);
    REQUIRE(ends == 2);
    REQUIRE_THROWS_AS(cancelled.get(), toto::TaskCancelled);
    REQUIRE_THROWS_AS(dropped.get(), toto::TaskCancelled);
    gate.open();
  }
  REQUIRE(reports == 2);
}

TEST_CASE("a callable whose destructor throws is refused like any other, whoever follows the task",
          "[task_queue][faults][E7]") {
  const auto coroutine = [](const ThrowsAtItsEnd&) -> toto::Task<> { co_return; };
  for (const bool tracked : {false, true}) {
    toto::TaskQueue queue({.track_tasks = tracked});
    std::atomic<int> ends = 0;
    Record<std::string> reports;
    queue.on_error(
        [&](const std::exception_ptr&, const toto::TaskInfo& task) { reports.add(task.name.empty() ? "" : "named"); });
    queue.close();
    REQUIRE_THROWS_AS(queue.add_task(ThrowsAtItsEnd(ends)), toto::QueueClosed);
    REQUIRE_THROWS_AS(queue.yield_task(ThrowsAtItsEnd(ends)), toto::QueueClosed);
    REQUIRE_THROWS_AS(queue.yield_task(coroutine, ThrowsAtItsEnd(ends)), toto::QueueClosed);
    REQUIRE(ends == 3);
    REQUIRE(reports.values() == std::vector<std::string>(3, "named"));
    note_fault("destructor");
  }
}

TEST_CASE("a callable whose destructor adds a task finds no lock held, and the task runs",
          "[task_queue][faults][E7][inv.I6]") {
  std::atomic<int> runs = 0;
  Gate gate;
  Gate begun;
  toto::TaskQueue queue;
  const auto adds_another = [&] { return AtItsEnd([&] { queue.add_task([&] { ++runs; }); }); };
  queue.add_task(adds_another());
  queue.yield_task(adds_another()).get();
  queue.wait_idle();
  REQUIRE(runs == 2);

  // The same when it is discarded without having run.
  queue.add_task([&] {
    begun.open();
    gate.wait();
  });
  REQUIRE(begun.wait());
  toto::TaskHandle<> handle = queue.yield_task(adds_another());
  queue.add_task(adds_another());
  REQUIRE(handle.cancel());
  REQUIRE(queue.cancel_queued() == 2);  // the last one, and what the destructor of the first one has added
  gate.open();
  queue.wait_idle();
  REQUIRE(runs == 3);
}

TEST_CASE("a callable whose destructor destroys its own queue is allowed to", "[task_queue][faults][E7]") {
  Gate gate;
  Gate ended;
  std::atomic<int> runs = 0;
  {
    auto queue = std::make_shared<toto::TaskQueue>();
    toto::TaskQueue& raw = *queue;
    raw.add_task([&] { gate.wait(); });
    const std::shared_ptr<void> signal(nullptr, [&](void*) { ended.open(); });
    struct Captures {
      explicit Captures(std::shared_ptr<void> s, std::shared_ptr<toto::TaskQueue> q)
          : after(std::move(s)), last(std::move(q)) {}
      void operator()() const {}
      std::shared_ptr<void> after;
      std::shared_ptr<toto::TaskQueue> last;  // goes first
    };
    raw.add_task(Captures(signal, std::move(queue)));
    raw.add_task([&] { ++runs; });
    gate.open();
  }
  REQUIRE(ended.wait());
  REQUIRE(eventually([&] { return runs == 1; }));
}

TEST_CASE("an error hook that throws, or whose captures throw at their end, changes nothing",
          "[task_queue][faults][F4]") {
  std::atomic<int> hooks = 0;
  toto::TaskQueue queue;
  queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) {
    ++hooks;
    throw Thrown("the hook failed");
  });
  for (int i = 0; i < 10; ++i) {
    queue.add_task([] { throw Thrown("the task failed"); });
    queue.add_task([] { throw 7; });
  }
  queue.wait_idle();
  REQUIRE(hooks == 20);
  REQUIRE(queue.stats().failed == 20);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}
