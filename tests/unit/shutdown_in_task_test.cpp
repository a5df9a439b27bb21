// SPDX-License-Identifier: MIT
//
// A queue that is closed, waited for or destroyed by its own tasks, hooks and captures, and tasks that keep adding
// while it ends.

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

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

/// Adds `task` to the queue. The queue's closing is counted, not thrown.
void try_add(toto::TaskQueue& queue, std::atomic<int>& accepted, std::atomic<int>& refused,
             const std::function<void()>& task) {
  try {
    queue.add_task(task);
    ++accepted;
  } catch (const toto::QueueClosed&) {
    ++refused;
  }
}

}  // namespace

TEST_CASE("a task that adds to its queue while that drains is refused, or its task runs", "[task_queue][L7]") {
  constexpr int kRounds = scaled(300, 60);
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> accepted = 0;
    std::atomic<int> refused = 0;
    std::atomic<int> runs = 0;
    {
      toto::TaskQueue queue(2);
      for (int i = 0; i < 20; ++i) {
        queue.add_task([&] { try_add(queue, accepted, refused, [&] { ++runs; }); });
      }
    }
    REQUIRE(accepted + refused == 20);
    REQUIRE(runs == accepted);
  }
}

TEST_CASE("tasks that add themselves again and again do not keep the queue from ending", "[task_queue][L8]") {
  struct Endless {
    static void go_on(toto::TaskQueue& queue, std::atomic<int>& refused) {
      try {
        queue.add_task(&Endless::go_on, std::ref(queue), std::ref(refused));
      } catch (const toto::QueueClosed&) {
        ++refused;
      }
    }
  };
  std::atomic<int> refused = 0;
  {
    toto::TaskQueue queue(2);
    for (int i = 0; i < 3; ++i) {
      queue.add_task(&Endless::go_on, std::ref(queue), std::ref(refused));
    }
    REQUIRE(eventually([&] { return queue.stats().completed > 100; }));
  }
  REQUIRE(refused == 3);
}

TEST_CASE("a task may destroy its own queue: what is queued runs after it, and no thread is left", "[task_queue][L9]") {
  for (const std::size_t threads : {std::size_t{1}, std::size_t{3}}) {
    CAPTURE(threads);
    Gate gate;
    Gate destroyed;
    std::atomic<int> runs = 0;
    std::atomic<int> runs_at_the_end = -1;
    toto::TaskHandle<int> last;
    {
      auto queue = std::make_unique<toto::TaskQueue>(threads, toto::Duration::never(), "suicidal");
      toto::TaskQueue& still_there = *queue;
      toto::TaskHandle<> destroyer = still_there.yield_task([&, owner = std::move(queue)]() mutable {
        gate.wait();
        owner.reset();
        runs_at_the_end = runs.load();
        destroyed.open();
      });
      for (int i = 0; i < 10; ++i) {
        still_there.add_task([&] { ++runs; });
      }
      last = still_there.yield_task([&] { return ++runs; });
      std::move(destroyer).detach();
    }
    gate.open();
    REQUIRE(destroyed.wait());
    REQUIRE(last.wait_for(kPatience));
    REQUIRE(eventually([&] { return runs == 11; }));
    if (threads > 1) {
      REQUIRE(runs_at_the_end == 11);  // the other threads ran it all before the destructor returned
    } else {
      REQUIRE(runs_at_the_end == 0);  // there was no other thread
    }
    REQUIRE(eventually([] { return threads_named("suicidal") == 0; }));
    REQUIRE(last.get() >= 1);  // with three threads it may overtake others between the claim and the count
  }
}

TEST_CASE("a coroutine task may destroy its own queue, alone or beside idle threads", "[task_queue][L9]") {
  struct Coroutine {
    static toto::Task<int> destroy(std::unique_ptr<toto::TaskQueue> queue, bool suspend_first) {
      if (suspend_first) {
        co_await toto::sleep_for(1ms);
      }
      queue.reset();
      co_return 7;
    }
  };
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    for (const bool suspend_first : {false, true}) {
      CAPTURE(threads, suspend_first);
      auto queue = std::make_unique<toto::TaskQueue>(threads, toto::Duration::never());
      toto::TaskQueue& still_there = *queue;
      Meeting started(static_cast<int>(threads) + 1);
      for (std::size_t i = 0; i < threads; ++i) {
        queue->add_task([&] { started.arrive_and_wait(); });
      }
      REQUIRE(started.arrive_and_wait());
      queue->wait_idle();
      toto::TaskHandle<int> handle = still_there.yield_task(&Coroutine::destroy, std::move(queue), suspend_first);
      REQUIRE(handle.wait_for(kPatience));
      REQUIRE(handle.get() == 7);
    }
  }
}

TEST_CASE("the continuation of a coroutine may destroy the queue it runs on", "[task_queue][L9]") {
  struct Coroutine {
    static toto::Task<> destroy_after(std::unique_ptr<toto::TaskQueue>& queue, Gate& destroyed) {
      co_await queue->schedule();
      queue.reset();
      destroyed.open();
    }
  };
  for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
    CAPTURE(threads);
    Gate destroyed;
    auto queue = std::make_unique<toto::TaskQueue>(threads, toto::Duration::never());
    queue->yield_task([] {}).get();
    toto::sync_wait(Coroutine::destroy_after(queue, destroyed));
    REQUIRE(destroyed.is_open());
  }
}

TEST_CASE("the last owner of a queue may be an error hook, or the captures of a task", "[task_queue][L9]") {
  Gate destroyed_by_capture;
  {
    auto queue = std::make_shared<toto::TaskQueue>();
    queue->yield_task([] {}).get();
    toto::TaskQueue& still_there = *queue;
    Gate gate;
    still_there.add_task([&] { gate.wait(); });
    const auto tell = [&] { destroyed_by_capture.open(); };
    // Destroyed in reverse order: the queue first.
    still_there.add_task([told = std::make_unique<AtItsEnd<decltype(tell)>>(tell), owner = std::move(queue)] {});
    gate.open();
    REQUIRE(destroyed_by_capture.wait());
  }
  Gate destroyed_by_hook;
  {
    auto queue = std::make_shared<toto::TaskQueue>();
    toto::TaskQueue& still_there = *queue;
    Gate gate;
    queue->on_error([&](const std::exception_ptr&, const toto::TaskInfo&) {
      gate.wait();
      queue.reset();
      destroyed_by_hook.open();
    });
    still_there.add_task([] { throw std::runtime_error("for the hook"); });
    gate.open();
    REQUIRE(destroyed_by_hook.wait());
  }
}

TEST_CASE("a queue that many tasks share ends with the last of them", "[task_queue][L9]") {
  constexpr int kRounds = scaled(200, 40);
  std::atomic<int> runs = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto queue = std::make_shared<toto::TaskQueue>(3, 0ms, "shared");
    for (int i = 0; i < 9; ++i) {
      queue->add_task([&runs, queue] { ++runs; });
    }
  }
  REQUIRE(eventually([&] { return runs == 9 * kRounds; }));
  REQUIRE(eventually([] { return threads_named("shared") == 0; }));
}

TEST_CASE("a task may close its own queue, in either way, without waiting for itself", "[task_queue][L10]") {
  for (const toto::Pending pending : {toto::Pending::run, toto::Pending::cancel}) {
    std::atomic<int> runs = 0;
    Gate gate;
    toto::TaskQueue queue;
    auto closer = queue.yield_task([&] {
      gate.wait();
      queue.close(pending);
      return 1;
    });
    auto next = queue.yield_task([&] { return ++runs; });
    gate.open();
    REQUIRE(closer.wait_for(kPatience));
    REQUIRE(closer.get() == 1);
    if (pending == toto::Pending::run) {
      REQUIRE(next.get() == 1);
    } else {
      REQUIRE_THROWS_AS(next.get(), toto::TaskCancelled);
    }
    REQUIRE_THROWS_AS(queue.add_task([] {}), toto::QueueClosed);
  }
}

TEST_CASE("a task that waits for its own queue to be idle is told that this cannot end", "[task_queue][L10]") {
  toto::TaskQueue queue(2);
  auto waiting = queue.yield_task([&] { queue.wait_idle(); });
  REQUIRE_THROWS_AS(waiting.get(), toto::DeadlockError);
  auto waiting_with_limit = queue.yield_task([&] { return queue.wait_idle_for(1ms); });
  REQUIRE_THROWS_AS(waiting_with_limit.get(), toto::DeadlockError);
}

TEST_CASE("a capture whose destructor adds to the closing queue is refused, or its task runs", "[task_queue][L16]") {
  std::atomic<int> accepted = 0;
  std::atomic<int> refused = 0;
  std::atomic<int> runs = 0;
  {
    Gate begun;
    Gate gate;
    Gate begun_again;
    Gate again;
    toto::TaskQueue queue;
    const auto adds = [&] { return AtItsEnd([&] { try_add(queue, accepted, refused, [&] { ++runs; }); }); };
    queue.add_task([&] {
      begun.open();
      gate.wait();
    });
    REQUIRE(begun.wait());
    queue.add_task(adds());  // will run
    queue.add_task(adds());
    gate.open();
    queue.wait_idle();
    REQUIRE(accepted == 2);

    queue.add_task([&] {
      begun_again.open();
      again.wait();
    });
    REQUIRE(begun_again.wait());
    queue.add_task(adds());  // will be cancelled: its destructor runs in close()
    queue.add_task(adds());
    queue.close(toto::Pending::cancel);
    REQUIRE(refused == 2);
    again.open();
  }
  REQUIRE(runs == accepted);
  REQUIRE(accepted + refused == 4);
}

TEST_CASE("two queues whose tasks destroy each other end both", "[task_queue][L9]") {
  for (int round = 0; round < 50; ++round) {
    Gate gate;
    Arrivals ended;
    auto first = std::make_shared<toto::TaskQueue>();
    auto second = std::make_shared<toto::TaskQueue>();
    toto::TaskQueue& one = *first;
    toto::TaskQueue& two = *second;
    one.add_task([&, other = second] {
      gate.wait();
      ended.arrive();
    });
    two.add_task([&] { gate.wait(); });
    two.add_task([&, other = std::move(first)] { ended.arrive(); });
    second.reset();
    gate.open();
    REQUIRE(ended.wait_for(2));
  }
}
