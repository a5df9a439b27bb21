// SPDX-License-Identifier: MIT
//
// How a queue ends when code outside it ends it: what was accepted runs, every handle is completed, every thread is
// joined. A queue that is ended by its own tasks is in shutdown_in_task_test.cpp.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"
#include "support/process_info.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

toto::Task<> hop_to(toto::TaskQueue& queue, std::atomic<int>& hops) {
  co_await queue.schedule();
  ++hops;
}

toto::Task<int> sleep_and_count(std::atomic<int>& counter) {
  co_await toto::sleep_for(10ms);
  co_return ++counter;
}

}  // namespace

TEST_CASE("the destructor runs what was accepted: 500 queues, a task each", "[task_queue][L1]") {
  std::atomic<int> runs = 0;
  for (int i = 0; i < 500; ++i) {
    toto::TaskQueue queue(2);
    queue.add_task([&] { ++runs; });
  }
  REQUIRE(runs == 500);
}

TEST_CASE("the destructor runs a long queue to its end, in order", "[task_queue][L1]") {
  std::vector<int> values;
  {
    toto::TaskQueue queue;
    for (int i = 0; i < 1000; ++i) {
      queue.add_task([&values, i] { values.push_back(i); });
    }
  }
  REQUIRE(values.size() == 1000);
  REQUIRE(std::is_sorted(values.begin(), values.end()));
}

TEST_CASE("the destructor ends running, idle and suspended work at once, and joins every thread", "[task_queue][L2]") {
  const std::size_t threads_before = threads_named("ending");
  Lifetimes lifetimes;
  std::atomic<int> runs = 0;
  Gate gate;
  Threads opener;
  {
    Meeting all_started(4);
    Gate begun;
    toto::TaskQueue queue(3, toto::Duration::never(), "ending");
    for (int i = 0; i < 3; ++i) {
      queue.add_task([&, capture = Counted(lifetimes)] {
        all_started.arrive_and_wait();
        ++runs;
      });
    }
    REQUIRE(all_started.arrive_and_wait());
    queue.wait_idle();
    REQUIRE(queue.stats().threads == 3);
    queue.add_task([&, capture = Counted(lifetimes)] {
      begun.open();
      gate.wait();
      ++runs;
    });
    auto sleeper = queue.yield_task(&sleep_and_count, std::ref(runs));
    std::move(sleeper).detach();
    REQUIRE(begun.wait());
    queue.add_task([&, capture = Counted(lifetimes)] { ++runs; });
    opener.start([&] { gate.open(); });
  }
  REQUIRE(runs == 6);
  REQUIRE(lifetimes.alive() == 0);
  REQUIRE(threads_named("ending") == threads_before);
}

TEST_CASE("closing with Pending::cancel drops what has not begun and completes its handles", "[task_queue][L3]") {
  Lifetimes lifetimes;
  std::atomic<int> runs = 0;
  Gate gate;
  Gate begun;
  toto::TaskQueue queue(1, 60s, "cancelled");
  auto running = queue.yield_task([&] {
    begun.open();
    gate.wait();
    return 7;
  });
  REQUIRE(begun.wait());
  std::vector<toto::TaskHandle<>> queued;
  for (int i = 0; i < 100; ++i) {  // more than a chunk of closures
    queued.push_back(queue.yield_task([&, capture = Counted(lifetimes)] { ++runs; }));
    queue.add_task([&, capture = Counted(lifetimes)] { ++runs; });
    queue.add_task([&] { ++runs; });
  }
  REQUIRE(lifetimes.alive() == 200);
  queue.close(toto::Pending::cancel);
  REQUIRE(lifetimes.alive() == 0);
  for (auto& handle : queued) {
    REQUIRE(handle.ready());
    REQUIRE_THROWS_AS(handle.get(), toto::TaskCancelled);
  }
  const toto::QueueStats stats = queue.stats();
  REQUIRE(stats.cancelled == 300);
  REQUIRE(stats.queued == 0);
  REQUIRE(stats.running == 1);
  gate.open();
  REQUIRE(running.get() == 7);
  queue.wait_idle();
  REQUIRE(runs == 0);
}

TEST_CASE("closing twice, from several threads, and then destroying is closing once", "[task_queue][L4]") {
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> runs = 0;
    {
      toto::TaskQueue queue(2);
      for (int i = 0; i < 10; ++i) {
        queue.add_task([&] { ++runs; });
      }
      Threads closers;
      for (int i = 0; i < 2; ++i) {
        closers.start([&] {
          queue.close();
          queue.close();
        });
      }
    }
    REQUIRE(runs == 10);
  }
}

TEST_CASE("after closing, every way of adding throws QueueClosed, which names the queue", "[task_queue][L5]") {
  toto::TaskQueue queue(1, 60s, "the closed one");
  const toto::AwaitableInstance wrapper(std::make_unique<int>(1), queue);
  std::atomic<int> hops = 0;
  queue.close();
  REQUIRE_THROWS_WITH(queue.add_task([] {}), contains("the closed one"));
  REQUIRE_THROWS_AS(queue.add_task([] {}), toto::QueueClosed);
  REQUIRE_THROWS_AS(queue.add_task([owner = std::make_unique<int>(1)] { static_cast<void>(owner); }),
                    toto::QueueClosed);
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task([] {})), toto::QueueClosed);
  REQUIRE_THROWS_AS(static_cast<void>(wrapper([](int& value) { return value; })), toto::QueueClosed);
  REQUIRE_THROWS_AS(toto::sync_wait(hop_to(queue, hops)), toto::QueueClosed);
  REQUIRE_THROWS_AS(queue.run(), toto::QueueClosed);
  REQUIRE(queue.size() == 0);
  REQUIRE(queue.stats() == toto::QueueStats{});
}

TEST_CASE("a refused task's captures are destroyed in the caller", "[task_queue][L5]") {
  Lifetimes lifetimes;
  toto::TaskQueue queue;
  queue.close();
  REQUIRE_THROWS_AS(queue.add_task([capture = Counted(lifetimes)] {}), toto::QueueClosed);
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task([capture = Counted(lifetimes)] {})), toto::QueueClosed);
  REQUIRE(lifetimes.alive() == 0);
}

TEST_CASE("a task that is added while the queue closes is refused, or runs", "[task_queue][L6]") {
  constexpr int kRounds = scaled(300, 60);
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> accepted = 0;
    std::atomic<int> runs = 0;
    std::atomic<int> unfinished = 0;
    {
      Gate go;
      toto::TaskQueue queue(2, round % 2 == 0 ? toto::Duration() : toto::Duration(60s));
      Threads threads;
      for (int i = 0; i < 2; ++i) {
        threads.start([&] {
          go.wait();
          try {
            for (;;) {
              queue.add_task([&] { ++runs; });
              ++accepted;
              auto handle = queue.yield_task([&] { return ++runs; });
              ++accepted;
              unfinished += handle.wait_for(kPatience) ? 0 : 1;
            }
          } catch (const toto::QueueClosed&) {
          }
        });
      }
      threads.start([&] {
        go.wait();
        queue.close();
      });
      go.open();
      threads.join();
    }
    REQUIRE(runs == accepted);
    REQUIRE(unfinished == 0);
  }
}

TEST_CASE("a handle whose task was queued when the queue closed with Pending::cancel resolves, one way or the other",
          "[task_queue][L6]") {
  constexpr int kRounds = scaled(300, 60);
  constexpr int kMostTasks = 1000;  // each that is cancelled costs an exception
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> runs = 0;
    std::vector<toto::TaskHandle<int>> handles;
    {
      Gate go;
      toto::TaskQueue queue(2, 0ms);
      Threads threads;
      threads.start([&] {
        go.wait();
        queue.close(toto::Pending::cancel);
      });
      go.open();
      try {
        for (int i = 0; i < kMostTasks; ++i) {
          handles.push_back(queue.yield_task([&] { return ++runs; }));
        }
      } catch (const toto::QueueClosed&) {
      }
    }
    int values = 0;
    int cancelled = 0;
    int unfinished = 0;
    for (auto& handle : handles) {
      unfinished += handle.ready() ? 0 : 1;
      try {
        values += handle.get() > 0 ? 1 : 0;
      } catch (const toto::TaskCancelled&) {
        ++cancelled;
      }
    }
    REQUIRE(unfinished == 0);
    REQUIRE(values == runs);
    REQUIRE(values + cancelled == static_cast<int>(handles.size()));
  }
}

TEST_CASE("waiting for idleness with a limit says false, and true when it is over", "[task_queue][L11]") {
  Gate gate;
  toto::TaskQueue queue;
  queue.add_task([&] { gate.wait(); });
  REQUIRE_FALSE(queue.wait_idle_for(20ms));
  REQUIRE_FALSE(queue.wait_idle_for(0ms));
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(queue.wait_idle_for(0ms));
}

TEST_CASE("waiting for idleness covers queued, running and suspended tasks", "[task_queue][L11]") {
  std::atomic<int> runs = 0;
  toto::TaskQueue queue(2);
  for (int i = 0; i < 10; ++i) {
    queue.add_task([&] { ++runs; });
    auto sleeper = queue.yield_task(&sleep_and_count, std::ref(runs));
    std::move(sleeper).detach();
  }
  queue.wait_idle();
  REQUIRE(runs == 20);
}

TEST_CASE("destroying a queue whose threads are just leaving joins them", "[task_queue][L12]") {
  constexpr int kRounds = scaled(3000, 300);
  std::atomic<int> runs = 0;
  for (int round = 0; round < kRounds; ++round) {
    toto::TaskQueue queue(3, std::chrono::microseconds(round % 100));
    for (int i = 0; i < 3; ++i) {
      queue.add_task([&] { ++runs; });
    }
    if (round % 2 == 0) {
      queue.wait_idle();
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(round % 120);
    while (std::chrono::steady_clock::now() < until) {
    }
  }
  REQUIRE(runs == 3 * kRounds);
}

TEST_CASE("destroying a queue that has no thread, or none any more, works", "[task_queue][L13]") {
  {
    const toto::TaskQueue never_used;
  }
  {
    toto::TaskQueue closed;
    closed.close();
    closed.close(toto::Pending::cancel);
    REQUIRE(closed.wait_idle_for(0ms));
  }
  {
    toto::TaskQueue expired(4, 0ms);
    for (int i = 0; i < 20; ++i) {
      expired.add_task([] {});
    }
    REQUIRE(eventually([&] { return expired.stats().threads == 0; }));
  }
}

TEST_CASE("after the end of everything all counts of what is there are 0, and nothing was lost", "[task_queue][L14]") {
  for (int round = 0; round < 50; ++round) {
    toto::TaskQueue queue(3, round % 2 == 0 ? toto::Duration() : toto::Duration::never());
    for (int i = 0; i < 100; ++i) {
      queue.add_task([] {});
      auto handle = queue.yield_task([i] {
        if (i % 10 == 0) {
          throw std::runtime_error("on purpose");
        }
      });
      if (i % 7 == 0) {
        handle.cancel();
      }
      handle.wait();
      try {
        handle.get();
      } catch (const std::exception&) {
      }
    }
    queue.close(round % 3 == 0 ? toto::Pending::cancel : toto::Pending::run);
    REQUIRE(eventually([&] { return queue.stats().threads == 0; }));
    const toto::QueueStats stats = queue.stats();
    REQUIRE(queue.size() == 0);
    REQUIRE(stats.queued == 0);
    REQUIRE(stats.running == 0);
    REQUIRE(stats.suspended == 0);
    REQUIRE(stats.idle == 0);
    REQUIRE(stats.continuations == 0);
    REQUIRE(stats.submitted == 200);
    REQUIRE(stats.completed + stats.failed + stats.cancelled == 200);
  }
}

TEST_CASE("a coroutine that waits for a discarded task goes on with TaskCancelled", "[task_queue][L15]") {
  struct Waiting {
    static toto::Task<> wait(toto::TaskHandle<int> handle, std::atomic<int>& cancelled) {
      try {
        static_cast<void>(co_await handle);
      } catch (const toto::TaskCancelled&) {
        ++cancelled;
      }
    }
  };
  std::atomic<int> cancelled = 0;
  Gate gate;
  Gate begun;
  toto::TaskQueue home;
  {
    toto::TaskQueue queue;
    queue.add_task([&] {
      begun.open();
      gate.wait();
    });
    REQUIRE(begun.wait());
    toto::EventLoop loop;
    loop.spawn(Waiting::wait(queue.yield_task([] { return 1; }), cancelled));
    auto on_a_queue = home.yield_task(&Waiting::wait, queue.yield_task([] { return 2; }), std::ref(cancelled));
    auto on_the_same_queue = queue.yield_task([] { return 3; });
    REQUIRE(eventually([&] { return home.stats().suspended == 1; }));
    loop.post([&] { queue.close(toto::Pending::cancel); });
    loop.run();
    on_a_queue.get();
    REQUIRE(cancelled == 2);
    REQUIRE_THROWS_AS(on_the_same_queue.get(), toto::TaskCancelled);
    gate.open();
  }
}

TEST_CASE("a suspended coroutine task is waited for by the destructor", "[task_queue][L2]") {
  std::atomic<int> runs = 0;
  {
    toto::TaskQueue queue(1, 0ms);
    for (int i = 0; i < 5; ++i) {
      auto handle = queue.yield_task(&sleep_and_count, std::ref(runs));
      std::move(handle).detach();
    }
  }
  REQUIRE(runs == 5);
}

TEST_CASE("the continuation of a coroutine is not refused by a closed queue", "[task_queue][L7]") {
  struct Coroutines {
    static toto::Task<bool> back_home(toto::TaskQueue& other, Gate& suspended) {
      toto::TaskQueue* const home = toto::TaskQueue::current();
      auto handle = other.yield_task([] { return 1; });
      suspended.open();
      static_cast<void>(co_await handle);
      co_return toto::TaskQueue::current() == home;
    }
  };
  Gate gate;
  Gate suspended;
  toto::TaskQueue other;
  other.add_task([&] { gate.wait(); });
  toto::TaskQueue home(1, 0ms);
  auto handle = home.yield_task(&Coroutines::back_home, std::ref(other), std::ref(suspended));
  REQUIRE(suspended.wait());
  home.close();
  gate.open();
  REQUIRE(handle.wait_for(kPatience));
  REQUIRE(handle.get());
}

TEST_CASE("ten thousand queues leave no thread, file or memory behind", "[task_queue][L17]") {
  if (!kProcessInfo) {
    SKIP("this system does not tell");
  }
  constexpr int kQueues = scaled(10'000, 1'000);
  std::atomic<int> runs = 0;
  const auto make_and_destroy = [&] {
    toto::TaskQueue queue(2, 60s, "ephemeral");
    queue.add_task([&] { ++runs; });
    queue.yield_task([&] { return ++runs; }).get();
  };
  for (int i = 0; i < 100; ++i) {
    make_and_destroy();
  }
  const std::size_t threads = thread_count();
  const std::size_t files = open_files();
  const Memory before = memory();
  for (int i = 0; i < kQueues; ++i) {
    make_and_destroy();
  }
  REQUIRE(eventually([&] { return thread_count() <= threads; }));
  REQUIRE(open_files() == files);
  REQUIRE(runs == 2 * (kQueues + 100));
  if (!kAddressSanitizer && !kThreadSanitizer) {  // those keep memory of their own
    // A thread that was not joined would keep 8 MB of address space; the allocator reserves 64 MB a thread at a time.
    REQUIRE(memory().address_space <= before.address_space + (std::size_t{1} << 30U));
    REQUIRE(memory().resident <= before.resident + (std::size_t{16} << 20U));
  }
}

TEST_CASE("an exception that unwinds the queue's owner finds the queue drained", "[task_queue][L18]") {
  std::atomic<int> runs = 0;
  try {
    toto::TaskQueue queue(2);
    for (int i = 0; i < 100; ++i) {
      queue.add_task([&] { ++runs; });
    }
    throw std::runtime_error("on purpose");
  } catch (const std::runtime_error&) {
  }
  REQUIRE(runs == 100);
}
