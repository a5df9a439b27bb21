// SPDX-License-Identifier: MIT
//
// Group O on real threads: size(), len() and stats().

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using toto::QueueStats;
using toto::TaskQueue;
using toto_tests::Arrivals;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::kPatience;
using toto_tests::scaled;
using toto_tests::Threads;

namespace {

bool adds_up(const QueueStats& stats) {
  return stats.submitted ==
         stats.completed + stats.failed + stats.cancelled + stats.queued + stats.running + stats.suspended;
}

}  // namespace

TEST_CASE("size counts live threads and what is queued", "[task_queue][stats][O1]") {
  constexpr std::size_t kThreads = 3;
  constexpr std::size_t kWaiting = 5;
  Gate gate;
  Arrivals begun;
  TaskQueue queue(kThreads, 100ms, "o1");
  REQUIRE(queue.size() == 0);
  REQUIRE(toto::len(queue) == 0);

  const auto block = [&] {
    begun.arrive();
    gate.wait();
  };
  queue.add_task(block);
  REQUIRE(begun.wait_for(1));
  REQUIRE(queue.size() == 1);
  for (std::size_t i = 1; i < kThreads; ++i) {
    queue.add_task(block);
  }
  REQUIRE(begun.wait_for(kThreads));
  REQUIRE(queue.size() == kThreads);
  for (std::size_t i = 0; i < kWaiting; ++i) {
    queue.add_task([] {});
    queue.add_task([text = std::string("not trivial")] {});
    queue.yield_task([] {}).detach();
    REQUIRE(queue.size() == kThreads + 3 * (i + 1));
    REQUIRE(toto::len(queue) == queue.size());
  }
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  const std::size_t idle = queue.size();  // live idle threads count until they expire
  REQUIRE(idle <= kThreads);
  REQUIRE(eventually([&] { return queue.size() == 0; }));
}

TEST_CASE("cancelled tasks leave size at once", "[task_queue][stats][O1][K9]") {
  Gate gate;
  Arrivals begun;
  TaskQueue queue(1, toto::Duration::never());
  queue.add_task([&] {
    begun.arrive();
    gate.wait();
  });
  REQUIRE(begun.wait_for(1));
  std::vector<toto::TaskHandle<>> handles;
  for (int i = 0; i < 200; ++i) {
    handles.push_back(queue.yield_task([] {}));
  }
  REQUIRE(queue.size() == 201);
  for (std::size_t i = 0; i < handles.size(); ++i) {
    REQUIRE(handles[i].cancel());
    REQUIRE(queue.size() == 200 - i);
    REQUIRE(adds_up(queue.stats()));
  }
  queue.add_task([] {});
  REQUIRE(queue.size() == 2);
  REQUIRE(queue.cancel_queued() == 1);
  REQUIRE(queue.size() == 1);
  REQUIRE(queue.stats().cancelled == 201);
  gate.open();
}

TEST_CASE("size is at least one inside a task and may be asked from anywhere", "[task_queue][stats][O3]") {
  const int tasks = scaled(2000, 500);
  std::atomic<bool> stop{false};
  std::atomic<int> too_small{0};
  std::atomic<int> too_large{0};
  std::atomic<long> looks{0};
  TaskQueue queue(2, 0s);
  {
    Threads observers;
    for (int i = 0; i < 3; ++i) {
      observers.start([&] {
        do {
          too_large += queue.size() > static_cast<std::size_t>(tasks) + 2 ? 1 : 0;
          static_cast<void>(queue.stats());
          ++looks;
        } while (!stop);
      });
    }
    for (int i = 0; i < tasks; ++i) {
      queue.add_task([&] { too_small += queue.size() >= 1 ? 0 : 1; });
    }
    queue.wait_idle();
    stop = true;
  }
  REQUIRE(looks > 0);
  REQUIRE(too_small == 0);
  REQUIRE(too_large == 0);
}

TEST_CASE("the counts add up at every moment", "[task_queue][stats][O4]") {
  const int rounds = scaled(400, 100);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> backwards{0};
  std::atomic<int> out_of_bounds{0};
  std::atomic<long> looks{0};
  TaskQueue queue(3, 1ms);
  queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
  const auto submitted = static_cast<std::uint64_t>(rounds) * 5;
  {
    Threads observers;
    observers.start([&] {
      QueueStats before;
      do {
        const QueueStats now = queue.stats();
        wrong += adds_up(now) ? 0 : 1;
        backwards += now.submitted < before.submitted || now.completed < before.completed ||
                             now.failed < before.failed || now.cancelled < before.cancelled
                         ? 1
                         : 0;
        out_of_bounds += now.running > 3 || now.threads > 3 || now.idle > now.threads || now.queued > submitted ||
                                 now.suspended > submitted
                             ? 1
                             : 0;
        before = now;
        ++looks;
      } while (!stop);
    });
    for (int i = 0; i < rounds; ++i) {
      queue.add_task([] {});
      queue.add_task([text = std::string("fails")] { throw std::runtime_error(text); });
      queue.add_task([&queue]() -> toto::Task<> {
        co_await queue.schedule();
        co_await toto::sleep_for(10us);
      });
      auto handle = queue.yield_task([] { return 1; });
      auto maybe = queue.yield_task([] {});
      static_cast<void>(maybe.cancel());
      if (i % 8 == 0) {
        handle.wait();
      }
    }
    queue.wait_idle();
    stop = true;
  }
  REQUIRE(looks > 0);
  REQUIRE(wrong == 0);
  REQUIRE(backwards == 0);
  REQUIRE(out_of_bounds == 0);
  const QueueStats end = queue.stats();
  REQUIRE(end.submitted == submitted);
  REQUIRE(end.failed == static_cast<std::uint64_t>(rounds));
  REQUIRE(end.completed + end.cancelled == 4 * static_cast<std::uint64_t>(rounds));
  REQUIRE(end.queued + end.running + end.suspended + end.continuations == 0);
}

TEST_CASE("after wait_idle the counts are exact", "[task_queue][stats][O5]") {
  TaskQueue queue(2, toto::Duration::never());
  for (std::uint64_t i = 1; i <= 200; ++i) {
    queue.yield_task([] {}).get();  // the worker may not have counted it yet
    REQUIRE(queue.wait_idle_for(kPatience));
    const QueueStats stats = queue.stats();
    REQUIRE(stats.completed == i);
    REQUIRE(stats.running == 0);
    REQUIRE(stats.queued == 0);
    REQUIRE(queue.size() == stats.threads);
  }
}

TEST_CASE("a suspended coroutine task is counted as suspended and holds no thread", "[task_queue][stats][O4]") {
  Gate gate;
  TaskQueue queue(1, 0s);
  TaskQueue other;
  auto coroutine = queue.yield_task([&]() -> toto::Task<int> {
    co_return co_await other.yield_task([&gate] {
      gate.wait();
      return 3;
    });
  });
  REQUIRE(eventually([&] { return queue.stats().suspended == 1 && queue.stats().threads == 0; }));
  REQUIRE(queue.stats().running == 0);
  REQUIRE(queue.size() == 0);
  REQUIRE_FALSE(queue.wait_idle_for(1ms));  // it is not over
  gate.open();
  REQUIRE(coroutine.get() == 3);
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(queue.stats().suspended == 0);
  REQUIRE(queue.stats().completed == 1);
}

TEST_CASE("a queue that does not track its tasks measures nothing", "[task_queue][stats][O6]") {
  TaskQueue queue;
  queue.add_task([] {});
  queue.wait_idle();
  CHECK(queue.stats().times == toto::QueueTimes());
}
