// SPDX-License-Identifier: MIT
//
// on_thread_start() and on_thread_end(): functions that a queue's threads call on themselves.

#include <toto/tasks.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::TaskQueue;

TEST_CASE("each thread of a queue calls the hooks on itself, once, around its tasks", "[thread_hooks][B17]") {
  std::mutex mutex;
  std::set<std::thread::id> begun;
  int ended = 0;
  int unprepared = 0;
  {
    TaskQueue queue({.thread_count = 3, .idle_timeout = 0s});
    queue.on_thread_start([&, owned = std::make_unique<int>(1)] {
      const std::lock_guard lock(mutex);
      begun.insert(std::this_thread::get_id());
      return *owned;
    });
    queue.on_thread_end([&] {
      const std::lock_guard lock(mutex);
      ++ended;
      begun.erase(std::this_thread::get_id());
    });
    for (int i = 0; i < 200; ++i) {
      queue.add_task([&] {
        const std::lock_guard lock(mutex);
        unprepared += begun.count(std::this_thread::get_id()) == 1 ? 0 : 1;
      });
      if (i % 10 == 0) {
        queue.wait_idle();
      }
    }
  }
  CHECK(unprepared == 0);
  CHECK(ended > 0);
  CHECK(begun.empty());
}

TEST_CASE("a start hook that throws ends its thread, is reported once, and another thread tries again",
          "[thread_hooks][B17]") {
  std::atomic<int> calls{0};
  std::atomic<int> reports{0};
  std::atomic<int> ends{0};
  {
    TaskQueue queue({.thread_count = 2, .name = "hooked"});
    queue.on_error(
        [&](const std::exception_ptr&, const toto::TaskInfo& task) { reports += task.queue == "hooked" ? 1 : 100; });
    queue.on_thread_start([&] {
      if (++calls <= 3) {
        throw std::runtime_error("not yet");
      }
    });
    queue.on_thread_end([&] { ++ends; });
    CHECK(queue.yield_task([] { return 5; }).get() == 5);
    CHECK(reports == 1);
    CHECK(calls >= 4);
  }
  CHECK(ends >= 1);
  CHECK(ends <= calls - 3);
}

TEST_CASE("a start hook that always throws keeps nobody waiting for a queue that is cancelled", "[thread_hooks][B17]") {
  TaskQueue queue;
  std::atomic<int> reports{0};
  Gate tried;
  queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++reports; });
  queue.on_thread_start([&] {
    tried.open();
    throw 1;
  });
  auto handle = queue.yield_task([] {});
  REQUIRE(tried.wait());
  queue.close(toto::Pending::cancel);
  CHECK_THROWS_AS(handle.get(), toto::TaskCancelled);
  queue.wait_idle();
  CHECK(reports <= 1);
}

TEST_CASE("what a start hook throws may use the queue when it is destroyed", "[thread_hooks][I6]") {
  struct Curious {
    TaskQueue* queue;
    explicit Curious(TaskQueue& of) : queue(&of) {}
    Curious(const Curious&) = default;
    Curious& operator=(const Curious&) = delete;
    ~Curious() { static_cast<void>(queue->stats()); }  // it would wait for the queue's mutex
  };
  TaskQueue queue;
  std::atomic<bool> fails{true};
  queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
  queue.on_thread_start([&] {
    if (fails.exchange(false)) {
      throw Curious(queue);
    }
  });
  queue.add_task([] {});
  queue.yield_task([] {}).get();
  CHECK_FALSE(fails);
}

TEST_CASE("what an end hook throws is reported, and a null hook is refused", "[thread_hooks][B17]") {
  std::atomic<int> reports{0};
  {
    TaskQueue queue;
    queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++reports; });
    queue.on_thread_end([] { throw std::runtime_error("at the end"); });
    void (*null)() = nullptr;
    CHECK_THROWS_WITH(queue.on_thread_start(null), contains("fn is null"));
    queue.add_task([] {});
  }
  CHECK(reports == 1);
}
