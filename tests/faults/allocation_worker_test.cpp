// SPDX-License-Identifier: MIT
//
// Memory on the side of the workers: if it runs out there, the handle gets the error and nothing hangs; and between the
// return of add_task or yield_task and the continuation of the awaiter, the library needs none at all.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
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

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// A queue whose threads are busy until open(); then they run what was added meanwhile.
class BusyQueue {
 public:
  explicit BusyQueue(int threads = 1) : queue(static_cast<std::size_t>(threads), toto::Duration::never()) {
    for (int i = 0; i < threads; ++i) {
      queue.add_task([this] {
        begun_.arrive();
        gate_.wait();
      });
    }
    begun_.wait_for(threads);
  }
  ~BusyQueue() { open(); }
  BusyQueue(const BusyQueue&) = delete;
  BusyQueue& operator=(const BusyQueue&) = delete;

  void open() { gate_.open(); }

 private:
  Arrivals begun_;
  Gate gate_;

 public:
  toto::TaskQueue queue;  // last: its threads use the others
};

const std::string kLongText(200, 'x');

toto::Task<int> add_up(toto::TaskQueue& queue) {
  const int first = co_await queue.yield_task([] { return 1; });
  const int second = co_await queue.yield_task([] { return 2; });
  co_return first + second;
}

}  // namespace

TEST_CASE("a worker that has no memory for a result gives bad_alloc to the handle", "[task_queue][faults][S9]") {
  toto::TaskQueue queue;
  auto value = queue.yield_task([] {
    const FailingAllocation failing(1);
    return kLongText;
  });
  REQUIRE_THROWS_AS(value.get(), std::bad_alloc);
  auto failure = queue.yield_task([]() -> int {
    const FailingAllocation failing(1);
    throw std::runtime_error(kLongText);
  });
  REQUIRE_THROWS_AS(failure.get(), std::bad_alloc);
  struct Coroutine {
    static toto::Task<std::string> copy() {
      const FailingAllocation failing(1);
      co_return kLongText;
    }
  };
  auto coroutine = queue.yield_task(&Coroutine::copy);
  REQUIRE_THROWS_AS(coroutine.get(), std::bad_alloc);
  queue.wait_idle();
  REQUIRE(queue.stats().failed == 3);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  for (int i = 0; i < 3; ++i) {
    note_fault("allocation");
  }
}

TEST_CASE("a worker that has no memory for a coroutine's frame gives bad_alloc to the handle",
          "[task_queue][faults][S9][S10]") {
  BusyQueue busy;
  auto handle = busy.queue.yield_task(&add_up, std::ref(busy.queue));
  {
    const NoMemoryElsewhere none;
    busy.open();
    handle.wait();
  }
  note_fault("allocation");
  REQUIRE_THROWS_AS(handle.get(), std::bad_alloc);
  REQUIRE(busy.queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("workers without any memory run everything, and every handle is completed", "[task_queue][faults][S9][S11]") {
  constexpr int kRounds = 50;
  BusyQueue busy(2);
  std::atomic<int> runs = 0;
  std::vector<toto::TaskHandle<int>> values;
  std::vector<toto::TaskHandle<int>> failures;
  std::vector<toto::TaskHandle<int>> coroutines;
  std::vector<toto::TaskHandle<std::string>> texts;
  const auto captured = std::make_shared<int>(1);
  for (int i = 0; i < kRounds; ++i) {
    busy.queue.add_task([&runs] { ++runs; });
    busy.queue.add_task([&runs, captured] { ++runs; });
    values.push_back(busy.queue.yield_task([&runs, captured, i] {
      ++runs;
      return i;
    }));
    failures.push_back(busy.queue.yield_task([&runs]() -> int {
      ++runs;
      throw 7;
    }));
    coroutines.push_back(busy.queue.yield_task(&add_up, std::ref(busy.queue)));
    texts.push_back(busy.queue.yield_task([&runs] {
      ++runs;
      return kLongText;
    }));
    values.push_back(busy.queue.yield_task([] { return 0; }));
    static_cast<void>(values.back().cancel());
    values.pop_back();
  }
  {
    const NoMemoryElsewhere none;
    busy.open();
    busy.queue.wait_idle();
  }
  REQUIRE(runs == 5 * kRounds);
  int sevens = 0;
  for (int i = 0; i < kRounds; ++i) {
    const auto at = static_cast<std::size_t>(i);
    REQUIRE(values[at].get() == i);
    try {
      failures[at].get();
    } catch (int seven) {
      sevens += seven == 7 ? 1 : 0;
    }
    REQUIRE_THROWS_AS(coroutines[at].get(), std::bad_alloc);
    REQUIRE_THROWS_AS(texts[at].get(), std::bad_alloc);
  }
  REQUIRE(sevens == kRounds);
  REQUIRE(captured.use_count() == 1);
  const toto::QueueStats stats = busy.queue.stats();
  REQUIRE(stats.submitted == stats.completed + stats.failed + stats.cancelled);
}

TEST_CASE("from the return of yield_task to the end of get nothing is allocated", "[task_queue][faults][S11]") {
  BusyQueue busy;
  const auto captured = std::make_shared<int>(1);
  auto value = busy.queue.yield_task([captured] { return *captured; });
  auto nothing = busy.queue.yield_task([captured] {});
  auto failure = busy.queue.yield_task([]() -> int { throw 7; });
  auto dropped = busy.queue.yield_task([captured] { return captured; });
  busy.queue.add_task([captured] {});
  busy.queue.add_task([] {});
  const CountedAllocations counted;
  std::move(dropped).detach();
  busy.open();
  const int result = value.get();
  nothing.get();
  bool threw = false;
  try {
    failure.get();
  } catch (int) {
    threw = true;
  }
  busy.queue.wait_idle();
  const std::size_t allocations = counted.anywhere();
  REQUIRE(allocations == 0);
  REQUIRE(result == 1);
  REQUIRE(threw);
}

TEST_CASE("from the return of yield_task to the continuation on a loop nothing is allocated",
          "[event_loop][faults][S11]") {
  BusyQueue busy;
  struct Waiting {
    static toto::Task<> wait(toto::TaskHandle<int> first, toto::TaskHandle<int> second, Gate& suspended, int& sum) {
      suspended.open();
      sum = co_await first;
      sum += co_await second;
    }
  };
  Gate suspended;
  int sum = 0;
  std::size_t allocations = 1;
  toto::EventLoop loop;
  loop.spawn(
      Waiting::wait(busy.queue.yield_task([] { return 1; }), busy.queue.yield_task([] { return 2; }), suspended, sum));
  loop.post([&] {
    suspended.wait();  // has run before: one thread, in order
    const CountedAllocations counted;
    busy.open();
    busy.queue.wait_idle();
    allocations = counted.anywhere();
  });
  const CountedAllocations counted;
  loop.run();
  REQUIRE(allocations == 0);
  REQUIRE(counted.anywhere() == 0);
  REQUIRE(sum == 3);
}

TEST_CASE("from the return of yield_task to the continuation on a queue nothing is allocated",
          "[task_queue][faults][S11]") {
  BusyQueue home;
  BusyQueue busy;
  struct Waiting {
    static toto::Task<int> wait(toto::TaskHandle<int> first, Gate& suspended) {
      suspended.open();
      co_return co_await first;
    }
  };
  Gate suspended;
  auto handle = home.queue.yield_task(&Waiting::wait, busy.queue.yield_task([] { return 1; }), std::ref(suspended));
  home.open();
  suspended.wait();
  REQUIRE(eventually([&] { return home.queue.stats().suspended == 1; }));
  const CountedAllocations counted;
  busy.open();
  handle.wait();
  home.queue.wait_idle();
  const std::size_t allocations = counted.anywhere();
  REQUIRE(allocations == 0);
  REQUIRE(handle.get() == 1);
}

TEST_CASE("when_all allocates nothing after it has begun to wait", "[when_all][faults][S11]") {
  BusyQueue busy;
  struct Waiting {
    static toto::Task<> wait(toto::TaskHandle<int> first, toto::TaskHandle<int> second, int& sum) {
      const auto [one, two] = co_await toto::when_all(std::move(first), std::move(second));
      sum = one + two;
    }
  };
  int sum = 0;
  toto::EventLoop loop;
  loop.spawn(Waiting::wait(busy.queue.yield_task([] { return 1; }), busy.queue.yield_task([] { return 2; }), sum));
  std::size_t allocations = 1;
  loop.post([&] {
    const CountedAllocations counted;
    busy.open();
    busy.queue.wait_idle();
    allocations = counted.anywhere();
  });
  loop.run();
  REQUIRE(allocations == 0);
  REQUIRE(sum == 3);
}

TEST_CASE("calls that wait in an AwaitableInstance's lane begin without allocating",
          "[awaitable_instance][faults][S11]") {
  BusyQueue busy;
  struct Counter {
    int value = 0;
    int add(int by) { return value += by; }
  };
  const toto::AwaitableInstance counter(Counter{}, busy.queue);
  std::vector<toto::TaskHandle<int>> calls;
  calls.reserve(100);
  for (int i = 0; i < 100; ++i) {
    calls.push_back(counter(&Counter::add, 1));
  }
  const CountedAllocations counted;
  busy.open();
  busy.queue.wait_idle();
  const std::size_t allocations = counted.anywhere();
  REQUIRE(allocations == 0);
  REQUIRE(calls.back().get() == 100);
}

TEST_CASE("a task costs at most one allocation, and a chunk of closures for each 64 that queue up",
          "[task_queue][faults][S11]") {
  constexpr std::size_t kTasks = 640;
  constexpr std::size_t kChunks = kTasks / 64 + 1;
  struct Captures {
    std::shared_ptr<int> owner;  // not trivially copyable
    char rest[48] = {};
    int operator()() const { return *owner; }
  };
  static_assert(sizeof(Captures) == 64);
  const auto owner = std::make_shared<int>(1);
  struct Plain {
    char bytes[64] = {};
    void operator()() const {}
  };
  const auto allocations_of = [](auto add) {
    BusyQueue busy;
    const CountedAllocations counted;
    for (std::size_t i = 0; i < kTasks; ++i) {
      add(busy.queue);
    }
    return counted.here();
  };
  const std::size_t closures = allocations_of([](toto::TaskQueue& queue) { queue.add_task([] {}); });
  const std::size_t plain = allocations_of([](toto::TaskQueue& queue) { queue.add_task(Plain{}); });
  const std::size_t captures = allocations_of([&](toto::TaskQueue& queue) { queue.add_task(Captures{owner}); });
  const std::size_t handles = allocations_of([&](toto::TaskQueue& queue) {
    auto handle = queue.yield_task(Captures{owner});
    std::move(handle).detach();
  });
  REQUIRE(closures <= kChunks);
  REQUIRE(plain <= kTasks + kChunks);
  REQUIRE(captures <= kTasks + kChunks);
  REQUIRE(handles <= kTasks + kChunks);
}

TEST_CASE("in a steady state tasks cost no allocation, because their memory is used again",
          "[task_queue][faults][S11]") {
  if (!kRecycles) {
    SKIP("memory is not recycled under AddressSanitizer");
  }
  toto::TaskQueue queue(1, toto::Duration::never());
  const auto owner = std::make_shared<int>(1);
  const auto round = [&] {
    for (int i = 0; i < 30; ++i) {
      queue.add_task([] {});
      queue.add_task([owner] { static_cast<void>(*owner); });
      auto dropped = queue.yield_task([owner] { return *owner; });
      std::move(dropped).detach();
    }
    queue.yield_task([owner] { return *owner; }).get();
    queue.wait_idle();
  };
  for (int warming_up = 0; warming_up < 50; ++warming_up) {
    round();
  }
  // A worker that is held up for a moment lets a backlog grow, which may take a chunk more than any before.
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (int attempt = 0; attempt < 10 && fewest > 0; ++attempt) {
    const CountedAllocations counted;
    for (int steady = 0; steady < 100; ++steady) {
      round();
    }
    fewest = std::min(fewest, counted.anywhere());
  }
  REQUIRE(fewest == 0);
}
