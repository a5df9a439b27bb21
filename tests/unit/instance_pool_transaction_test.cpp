// SPDX-License-Identifier: MIT
//
// Transactions on a queue: they take an instance before they take a thread, and return it before their result is ready.

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/pool_probe.hpp"
#include "toto/event_loop.hpp"
#include "toto/instance_pool.hpp"
#include "toto/sleep_for.hpp"
#include "toto/sync_wait.hpp"
#include "toto/task.hpp"
#include "toto/task_queue.hpp"
#include "toto/when_all.hpp"

using namespace std::chrono_literals;
using toto::DeadlockError;
using toto::EventLoop;
using toto::InstancePool;
using toto::Overflow;
using toto::Pending;
using toto::PoolClosed;
using toto::QueueClosed;
using toto::sync_wait;
using toto::Task;
using toto::TaskCancelled;
using toto::TaskHandle;
using toto::TaskQueue;
using toto_tests::Alive;
using toto_tests::contains;
using toto_tests::Counter;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::HeldWorker;
using toto_tests::Meeting;
using toto_tests::until_waiting;

namespace {

/// What a queue's on_error was called with.
class Errors {
 public:
  explicit Errors(TaskQueue& queue) : queue_(queue) {
    queue.on_error([this](const std::exception_ptr& failure, const toto::TaskInfo&) {
      try {
        std::rethrow_exception(failure);
      } catch (const PoolClosed&) {
        ++pool_closed;
      } catch (const QueueClosed&) {
        ++queue_closed;
      } catch (const std::exception& error) {
        last = error.what();
      }
      ++count;
    });
  }
  ~Errors() { queue_.on_error({}); }
  Errors(const Errors&) = delete;
  Errors& operator=(const Errors&) = delete;

  std::atomic<int> count{0};
  std::atomic<int> pool_closed{0};
  std::atomic<int> queue_closed{0};
  std::string last;  // read after `count`

 private:
  TaskQueue& queue_;
};

/// Counts its living copies, and notices if it is destroyed after the instance was returned.
struct Capture {
  explicit Capture(std::atomic<int>& living) : count(living) { ++count; }
  Capture(const Capture& other) : count(other.count) { ++count; }
  ~Capture() { --count; }
  std::atomic<int>& count;
};

}  // namespace

TEST_CASE("a transaction runs in the named queue and gives its result", "[instance_pool][Q16]") {
  InstancePool pool(Counter(4), {.default_queue = "Q16"});
  TaskQueue own(1);
  const auto where = [](Counter& counter) { return std::pair(counter.increment(), TaskQueue::current()); };
  TaskHandle<std::pair<int, TaskQueue*>> handle = pool.await_transaction(where);
  REQUIRE(handle.get() == std::pair(5, TaskQueue::find("Q16")));
  REQUIRE(pool.await_transaction(where, own).get() == std::pair(6, &own));
  const auto by_name = pool.await_transaction(where, "Q16 other").get();
  REQUIRE(by_name == std::pair(7, TaskQueue::find("Q16 other")));
  REQUIRE(pool.await_transaction(where, std::string("Q16 other")).get().first == 8);
  REQUIRE_THROWS_WITH(pool.await_transaction(where, ""), contains("queue is empty"));
  auto failing = pool.await_transaction(&Counter::fail);
  REQUIRE_THROWS_WITH(failing.get(), "the counter failed");
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a transaction is awaited from a loop, and comes back to it", "[instance_pool][Q16]") {
  InstancePool pool(std::vector<Counter>(2), {.default_queue = "Q16 loop"});
  const auto here = std::this_thread::get_id();
  sync_wait([](InstancePool<Counter>& from, std::thread::id thread) -> Task<> {
    for (const int expected : {1, 1, 2, 2}) {
      const int value = co_await from.await_transaction([](Counter& counter) { return counter.increment(); });
      REQUIRE(value == expected);
      REQUIRE(std::this_thread::get_id() == thread);
    }
    auto [one, other] =
        co_await when_all(from.await_transaction(&Counter::increment), from.await_transaction(&Counter::increment));
    REQUIRE(one == 3);
    REQUIRE(other == 3);
  }(pool, here));
}

TEST_CASE("the instance is back when the result is there", "[instance_pool][Q16]") {
  InstancePool pool(Counter{}, {.default_queue = "back"});
  for (int round = 0; round < 1'000; ++round) {
    auto handle = pool.await_transaction(&Counter::increment);
    REQUIRE(handle.get() == round + 1);
    REQUIRE(pool.stats().free == 1);
  }
}

TEST_CASE("the result of a transaction is a value", "[instance_pool][Q14]") {
  InstancePool pool(Counter(3), {.default_queue = "values"});
  STATIC_REQUIRE(std::is_same_v<decltype(pool.await_transaction(&Counter::name)), TaskHandle<std::string>>);
  STATIC_REQUIRE(std::is_same_v<decltype(pool.await_transaction(&Counter::reference)), TaskHandle<int>>);
  STATIC_REQUIRE(std::is_same_v<decltype(pool.await_transaction([](Counter&) {})), TaskHandle<void>>);
  REQUIRE(pool.await_transaction(&Counter::name).get() == Counter().name());
  REQUIRE(pool.await_transaction(&Counter::reference).get() == 3);
}

TEST_CASE("the error of a transaction without a handle goes to on_error, and the instance comes back",
          "[instance_pool][Q15]") {
  InstancePool pool(Counter{}, {.default_queue = "Q15"});
  Errors errors(TaskQueue::instance("Q15"));
  pool.async_transaction([](Counter& counter) { counter.fail(); });
  pool.async_transaction([](Counter& counter) { counter.increment(); });
  REQUIRE(eventually([&] { return pool.stats().free == 1 && errors.count == 1; }));
  REQUIRE(errors.last == "the counter failed");
  REQUIRE(pool(&Counter::value) == 1);
}

TEST_CASE("as many transactions run at a time as there are instances", "[instance_pool][Q17]") {
  InstancePool pool(std::vector<Counter>(3), {.default_queue = "Q17"});
  Meeting all(3);
  std::vector<TaskHandle<>> handles;
  for (int number = 0; number < 3; ++number) {
    handles.push_back(pool.await_transaction([&all](Counter&) { all.arrive_and_wait(); }));
  }
  for (auto& handle : handles) {
    REQUIRE(handle.wait_for(20s));
  }
  REQUIRE(TaskQueue::find("Q17")->thread_count() == 3);
}

TEST_CASE("a transaction without an instance is not in the queue, and takes no thread", "[instance_pool][Q17]") {
  InstancePool pool(Counter{});
  TaskQueue queue(1);
  auto held = std::make_optional(pool.instance());
  auto waiting = pool.await_transaction(&Counter::increment, queue);
  REQUIRE(queue.size() == 0);
  REQUIRE(queue.stats().submitted == 0);
  REQUIRE(queue.wait_idle_for(0s));
  REQUIRE(pool.stats().waiting == 1);
  REQUIRE_FALSE(waiting.wait_for(1ms));
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  held.reset();
  REQUIRE(waiting.get() == 1);
}

TEST_CASE("a transaction in a pool's own transaction: an instance that is free is enough", "[instance_pool][M6]") {
  InstancePool pool(std::vector<Counter>(2), {.default_queue = "M6"});
  auto held = pool.instance();
  auto handle = pool.await_transaction(&Counter::increment);
  REQUIRE(handle.get() == 1);
}

TEST_CASE("a transaction in a queue that waits for its own pool of one is told", "[instance_pool][M5]") {
  InstancePool pool(Counter{}, {.default_queue = "M5"});
  auto handle = pool.await_transaction([&pool](Counter&) { return pool(&Counter::increment); });
  REQUIRE_THROWS_AS(handle.get(), DeadlockError);
  REQUIRE(pool(&Counter::increment) == 1);
}

TEST_CASE("the queue may discard a transaction: the instance comes back and the handle is cancelled",
          "[instance_pool][Q18]") {
  InstancePool pool(std::vector<Counter>(2));
  std::atomic<int> captures{0};
  Gate inside;
  Gate go_on;
  TaskQueue queue(1);
  queue.add_task([&] {
    inside.open();
    go_on.wait();
  });
  inside.wait();
  auto queued = pool.await_transaction([capture = Capture(captures)](Counter& c) { return c.increment(); }, queue);
  auto other = pool.await_transaction([capture = Capture(captures)](Counter& c) { return c.increment(); }, queue);
  REQUIRE(pool.stats().leased == 2);
  SECTION("by cancel_queued") {
    REQUIRE(queue.cancel_queued() == 2);
  }
  SECTION("by close") {
    queue.close(Pending::cancel);
  }
  SECTION("by the handles") {
    REQUIRE(queued.cancel());
    REQUIRE(other.cancel());
  }
  REQUIRE(captures == 0);
  REQUIRE(pool.stats().free == 2);
  go_on.open();
  REQUIRE_THROWS_AS(queued.get(), TaskCancelled);
  REQUIRE_THROWS_AS(other.get(), TaskCancelled);
}

TEST_CASE("a transaction that waits for an instance can be cancelled", "[instance_pool][Q18][K1]") {
  InstancePool pool(Counter{}, {.default_queue = "cancelled"});
  std::atomic<int> captures{0};
  auto held = std::make_optional(pool.instance());
  auto first = pool.await_transaction([capture = Capture(captures)](Counter& c) { return c.increment(); });
  auto second = pool.await_transaction([capture = Capture(captures)](Counter& c) { return c.increment(); });
  REQUIRE(captures == 2);
  REQUIRE(first.cancel());
  REQUIRE(captures == 1);
  REQUIRE_FALSE(first.cancel());
  REQUIRE(pool.stats().waiting == 1);
  held.reset();
  REQUIRE(second.get() == 1);
  REQUIRE_THROWS_AS(first.get(), TaskCancelled);
  REQUIRE(captures == 0);
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a queue that has closed when the instance comes: the handle has that error, the instance goes on",
          "[instance_pool][Q18]") {
  InstancePool pool(Counter{}, {.default_queue = "goes on"});
  std::atomic<int> captures{0};
  auto held = std::make_optional(pool.instance());
  std::optional<TaskHandle<int>> handle;
  {
    TaskQueue queue(1);
    handle = pool.await_transaction([capture = Capture(captures)](Counter& c) { return c.increment(); }, queue);
    auto dropped = pool.await_transaction([capture = Capture(captures)](Counter& c) { return c.increment(); }, queue);
  }
  auto last = pool.await_transaction(&Counter::increment);
  REQUIRE(captures == 2);
  REQUIRE(pool.stats().waiting == 3);
  held.reset();
  REQUIRE_THROWS_AS(handle->get(), QueueClosed);
  REQUIRE(captures == 0);
  REQUIRE(last.get() == 1);
}

TEST_CASE("many transactions of a closed queue are passed over without recursion", "[instance_pool][Q18]") {
  constexpr int kTransactions = 50'000;
  InstancePool pool(Counter{});
  auto held = std::make_optional(pool.instance());
  std::vector<TaskHandle<int>> handles;
  auto queue = std::make_unique<TaskQueue>(1);
  for (int number = 0; number < kTransactions; ++number) {
    handles.push_back(pool.await_transaction(&Counter::increment, *queue));
  }
  queue.reset();
  held.reset();
  REQUIRE(pool.stats().free == 1);
  int told = 0;
  for (auto& handle : handles) {
    try {
      handle.get();
    } catch (const QueueClosed&) {
      ++told;
    }
  }
  REQUIRE(told == kTransactions);
}

TEST_CASE("giving an instance back never waits for room in the queue of the transaction that gets it",
          "[instance_pool][bounds][Q16]") {
  InstancePool pool(Counter{});
  Gate given_back;
  TaskQueue queue({.max_queued = 1});
  std::optional room(sync_wait(queue.admission()));  // all there is
  auto held = std::make_optional(pool.instance());
  auto handle = pool.await_transaction(&Counter::increment, queue);
  std::thread giver([&] {
    held.reset();
    given_back.open();
  });
  CHECK(given_back.wait());
  CHECK(handle.wait_for(toto_tests::kPatience));
  room.reset();
  giver.join();
  CHECK(handle.get() == 1);
}

TEST_CASE("a transaction that has waited for its instance joins a full queue, whatever the overflow",
          "[instance_pool][bounds][Q16]") {
  for (const Overflow overflow : {Overflow::reject, Overflow::discard_oldest}) {
    InstancePool pool(Counter{});
    TaskQueue queue({.max_queued = 1, .overflow = overflow});
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    auto held = std::make_optional(pool.instance());
    auto queued = queue.yield_task([] { return 1; });
    auto handle = pool.await_transaction([](Counter&) { return std::this_thread::get_id(); }, queue);
    auto next = pool.await_transaction([](Counter&) { return std::this_thread::get_id(); }, queue);
    held.reset();
    CHECK_FALSE(queued.ready());
    CHECK_FALSE(handle.ready());
    CHECK_FALSE(next.ready());
    CHECK(queue.stats().queued == 2);
    worker.release();
    CHECK(queued.get() == 1);
    CHECK(handle.get() != std::this_thread::get_id());
    CHECK(next.get() != std::this_thread::get_id());
  }
}

TEST_CASE("a transaction that does not join its bounded queue after all reserves no room there",
          "[instance_pool][bounds][Q18]") {
  InstancePool pool(Counter{});
  TaskQueue queue({.max_queued = 1});
  auto held = std::make_optional(pool.instance());
  auto handle = pool.await_transaction(&Counter::increment, queue);
  queue.close();
  held.reset();
  REQUIRE_THROWS_AS(handle.get(), QueueClosed);
  REQUIRE_THAT(queue.dump(), contains("of which 0 reserved"));
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("transactions without a handle that never join their queue are reported", "[instance_pool][Q15]") {
  InstancePool pool(Counter{});
  TaskQueue queue(1);
  Errors errors(queue);
  auto held = std::make_optional(pool.instance());
  pool.async_transaction([](Counter&) {}, queue);
  SECTION("the queue has closed") {
    queue.close();
    held.reset();
    REQUIRE(errors.queue_closed == 1);
  }
  SECTION("the pool has closed") {
    pool.close();
    REQUIRE(errors.pool_closed == 1);
  }
  REQUIRE(errors.count == 1);
}

TEST_CASE("transactions that wait when the pool is destroyed get PoolClosed", "[instance_pool][Q13]") {
  std::optional<TaskHandle<int>> blocked;
  std::atomic<int> captures{0};
  EventLoop loop;
  bool told = false;
  auto pool = std::make_unique<InstancePool<Counter>>(Counter{});
  auto held = pool->instance();
  blocked = pool->await_transaction([capture = Capture(captures)](Counter& c) { return c.increment(); });
  const auto body = [&told](TaskHandle<int> handle) -> Task<> {
    try {
      co_await handle;
    } catch (const PoolClosed&) {
      told = true;
    }
  };
  loop.spawn(body(pool->await_transaction(&Counter::increment)));
  loop.post([&loop] { loop.stop(); });
  loop.run();
  pool.reset();
  REQUIRE(captures == 0);
  REQUIRE_THROWS_AS(blocked->get(), PoolClosed);
  loop.run();
  REQUIRE(told);
  REQUIRE(held->increment() == 1);
}

TEST_CASE("a transaction that has its instance runs although the pool is gone", "[instance_pool][Q12]") {
  Gate go_on;
  std::atomic<int> living{0};
  TaskQueue queue(1);
  queue.add_task([&] { go_on.wait(); });
  std::optional<TaskHandle<int>> handle;
  {
    InstancePool pool(Alive{living});
    handle = pool.await_transaction([](Alive& alive) { return ++alive.uses; }, queue);
  }
  REQUIRE(living == 1);
  go_on.open();
  REQUIRE(handle->get() == 1);
  REQUIRE(living == 0);
}

TEST_CASE("adding a transaction to a closed pool or queue throws, and changes nothing", "[instance_pool][Q18][U8]") {
  InstancePool pool(Counter{});
  std::atomic<int> captures{0};
  TaskQueue queue(1);
  queue.close();
  const Capture capture(captures);
  const auto transaction = [capture](Counter& counter) { counter.increment(); };
  REQUIRE_THROWS_AS(pool.async_transaction(transaction, queue), QueueClosed);
  REQUIRE_THROWS_AS(pool.await_transaction(transaction, queue), QueueClosed);
  REQUIRE(pool.stats().free == 1);
  pool.close();
  TaskQueue open(1);
  REQUIRE_THROWS_AS(pool.async_transaction(transaction, open), PoolClosed);
  REQUIRE(captures == 2);
}

TEST_CASE("dropped handles detach their transactions", "[instance_pool][G4]") {
  InstancePool pool(Counter{}, {.default_queue = "dropped"});
  auto held = std::make_optional(pool.instance());
  pool.await_transaction(&Counter::increment).detach();
  static_cast<void>(pool.await_transaction(&Counter::increment));
  held.reset();
  REQUIRE(eventually([&] { return pool.stats().free == 1; }));
  REQUIRE(pool(&Counter::increment) == 3);
}

TEST_CASE("a coroutine that is destroyed while it awaits a transaction leaks no instance", "[instance_pool][Q19]") {
  InstancePool pool(Counter{}, {.default_queue = "Q19"});
  auto held = std::make_optional(pool.instance());
  {
    EventLoop loop;
    const auto body = [](TaskHandle<int> handle) -> Task<> { co_await handle; };
    loop.spawn(body(pool.await_transaction(&Counter::increment)));
    loop.post([&loop] { loop.stop(); });
    loop.run();
  }
  REQUIRE(pool.stats().waiting == 1);
  held.reset();
  REQUIRE(eventually([&] { return pool.stats().free == 1; }));
  REQUIRE(pool(&Counter::increment) == 2);
}

TEST_CASE("a transaction that is a coroutine keeps its instance, and its captures, until it has ended",
          "[instance_pool][Q16]") {
  InstancePool pool(Counter{}, {.default_queue = "coroutines"});
  std::atomic<int> captures{0};
  EventLoop loop;
  int result = 0;
  int leased = 0;
  const auto body = [&]() -> Task<> {
    auto handle = pool.await_transaction([capture = Capture(captures), &leased, &pool](Counter& counter) -> Task<int> {
      counter.increment();
      co_await toto::sleep_for(1ms);
      leased = static_cast<int>(pool.stats().leased) + capture.count;
      co_return counter.increment();
    });
    result = co_await handle;
  };
  loop.spawn(body());
  loop.run();
  REQUIRE(result == 2);
  REQUIRE(leased == 2);
  REQUIRE(captures == 0);
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("coroutine transactions on one instance never overlap, and hold no thread while they are suspended",
          "[instance_pool][Q2][Q17]") {
  InstancePool pool(Counter{});
  TaskQueue queue(1);
  std::vector<TaskHandle<>> handles;
  int inside = 0;
  int most = 0;
  for (int number = 0; number < 5; ++number) {
    handles.push_back(pool.await_transaction(
        [&](Counter& counter) -> Task<> {
          most = std::max(most, ++inside);
          co_await toto::sleep_for(1ms);
          counter.increment();
          --inside;
        },
        queue));
  }
  for (auto& handle : handles) {
    handle.get();
  }
  REQUIRE(most == 1);
  REQUIRE(pool(&Counter::value) == 5);
}

TEST_CASE("a method of an instance is given a stop token in front of its arguments if it asks for one",
          "[instance_pool][K2]") {
  struct Asked {
    int wait(const toto::StopToken& token, int more) { return token.stop_possible() ? more + 1 : 0; }
    int no_token(int more) { return more; }
  };
  InstancePool pool(Asked{}, {.default_queue = "method tokens"});
  CHECK(pool.await()(&Asked::wait, 3).get() == 4);
  CHECK(pool.await()(&Asked::no_token, 3).get() == 3);
}

TEST_CASE("a transaction is given a stop token if it asks for one", "[instance_pool][K2]") {
  InstancePool pool(Counter{}, {.default_queue = "tokens"});
  Gate inside;
  auto handle = pool.await_transaction([&inside](toto::StopToken token, Counter& counter) {
    inside.open();
    const bool asked = eventually([&] { return token.stop_requested(); });
    counter.increment();
    return asked;
  });
  inside.wait();
  REQUIRE_FALSE(handle.cancel());
  REQUIRE(handle.get());
}

TEST_CASE("an instance that a transaction needs is made on its worker", "[instance_pool][Q21]") {
  std::atomic<int> calls{0};
  std::atomic<TaskQueue*> made_in{nullptr};
  InstancePool pool(
      [&] {
        made_in = TaskQueue::current();
        if (++calls == 1) {
          throw std::runtime_error("no connection");
        }
        return Counter();
      },
      1, {.default_queue = "factory"});
  auto failing = pool.await_transaction(&Counter::increment);
  auto working = pool.await_transaction(&Counter::increment);
  REQUIRE_THROWS_WITH(failing.get(), "no connection");
  REQUIRE(working.get() == 1);
  REQUIRE(made_in == TaskQueue::find("factory"));
}

TEST_CASE("methods of a pool's instances are awaited like those of one", "[instance_pool][Q16]") {
  InstancePool pool(std::vector<Counter>(2), {.default_queue = "awaitable"});
  auto awaitable = pool.await();
  sync_wait([](auto calls) -> Task<> {
    for (const int expected : {1, 1, 2, 2, 3, 3}) {
      const int value = co_await calls(&Counter::increment);
      REQUIRE(value == expected);
    }
    const int sum = co_await calls(&Counter::add, 2, 3);
    REQUIRE(sum == 8);
  }(awaitable));
  TaskQueue queue(1);
  auto elsewhere = pool.await(queue);
  auto handle = elsewhere([](Counter&, std::unique_ptr<TaskQueue*> out) { return *out == TaskQueue::current(); },
                          std::make_unique<TaskQueue*>(&queue));
  REQUIRE(handle.get());
  REQUIRE_THROWS_AS(awaitable(static_cast<int (Counter::*)()>(nullptr)), std::invalid_argument);
}

TEST_CASE("calls of an awaitable that outlives its pool are refused", "[instance_pool][Q12]") {
  std::optional<toto::PooledCalls<Counter>> awaitable;
  {
    InstancePool pool(Counter{});
    awaitable = pool.await();
  }
  REQUIRE_THROWS_AS((*awaitable)(&Counter::increment), PoolClosed);
}

TEST_CASE("transactions from many threads, cancelled at random, lose no instance", "[instance_pool][Q2][Q18]") {
  constexpr int kThreads = 4;
  constexpr int kRounds = 2'000;
  InstancePool pool(std::vector<Counter>(2));
  std::atomic<int> ran{0};
  std::atomic<int> cancelled{0};
  TaskQueue queue(2);
  const int before = Counter::overlaps();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int round = 0; round < kRounds; ++round) {
        auto handle = pool.await_transaction(
            [&ran](Counter& counter) {
              counter.increment();
              ++ran;
            },
            queue);
        if ((round + thread) % 3 == 0 && handle.cancel()) {
          ++cancelled;
        } else if (round % 3 == 1) {
          handle.get();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  REQUIRE(eventually([&] { return ran + cancelled == kThreads * kRounds; }));
  REQUIRE(eventually([&] { return pool.stats().free == 2; }));
  REQUIRE(pool.stats().waiting == 0);
  REQUIRE(Counter::overlaps() == before);
}
