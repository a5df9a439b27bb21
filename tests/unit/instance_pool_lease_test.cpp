// SPDX-License-Identifier: MIT
//
// co_await pool.lease(): waiting for an instance without holding a thread, and what happens to an instance whose
// coroutine is gone.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/gate.hpp"
#include "support/pool_probe.hpp"
#include "support/sanitizers.hpp"
#include "toto/event_loop.hpp"
#include "toto/instance_pool.hpp"
#include "toto/sync_wait.hpp"
#include "toto/task.hpp"
#include "toto/task_queue.hpp"
#include "toto/task_scope.hpp"

using namespace std::chrono_literals;
using toto::EventLoop;
using toto::InstancePool;
using toto::Lease;
using toto::Overflow;
using toto::PoolClosed;
using toto::QueueClosed;
using toto::sync_wait;
using toto::Task;
using toto::TaskQueue;
using toto_tests::Alive;
using toto_tests::Arrivals;
using toto_tests::Counter;
using toto_tests::eventually;
using toto_tests::FireAndForget;
using toto_tests::Gate;
using toto_tests::scaled;
using toto_tests::until_waiting;

namespace {

/// Runs what is posted, and returns.
void run_once(EventLoop& loop) {
  loop.post([&loop] { loop.stop(); });
  loop.run();
}

template <class T>
Task<int> use(InstancePool<T>& pool) {
  auto lease = co_await pool.lease();
  co_return ++lease->uses;
}

Task<> append(InstancePool<Counter>& pool, std::vector<int>& order, int number) {
  auto lease = co_await pool.lease();
  order.push_back(number);
}

}  // namespace

TEST_CASE("awaiting a lease of a free instance does not suspend", "[instance_pool][lease][G1]") {
  InstancePool pool(Counter{});
  auto awaiter = pool.lease();
  REQUIRE(awaiter.await_ready());
  auto lease = awaiter.await_resume();
  STATIC_REQUIRE(std::is_same_v<decltype(lease), Lease<Counter>>);
  REQUIRE(lease->increment() == 1);
  REQUIRE_FALSE(pool.try_instance().has_value());
}

TEST_CASE("a lease that is not awaited takes nothing", "[instance_pool][lease]") {
  InstancePool pool(Counter{});
  static_cast<void>(pool.lease());
  REQUIRE(pool.stats().leases == 0);
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("coroutines wait for instances without a thread, in order, and go on where they were",
          "[instance_pool][lease][Q4][Q8][H1]") {
  InstancePool pool(Counter{});
  EventLoop loop;
  std::vector<int> order;
  auto held = std::make_optional(pool.instance());
  for (int number = 0; number < 5; ++number) {
    loop.spawn(append(pool, order, number));
  }
  run_once(loop);
  REQUIRE(pool.stats().waiting == 5);
  REQUIRE(order.empty());
  held.reset();
  REQUIRE(order.empty());  // never inside a destructor
  REQUIRE(pool.stats().waiting == 4);
  REQUIRE(pool.stats().leased == 1);
  loop.run();
  REQUIRE(order == std::vector{0, 1, 2, 3, 4});
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a coroutine's instance may come from another thread", "[instance_pool][lease][Q10]") {
  InstancePool pool(Counter{});
  auto held = pool.instance();
  std::thread other([&pool, lease = std::move(held)]() mutable {
    static_cast<void>(until_waiting(pool, 1));
    lease.release();
  });
  const auto here = std::this_thread::get_id();
  const auto there = sync_wait([](InstancePool<Counter>& from) -> Task<std::thread::id> {
    auto lease = co_await from.lease();
    lease->increment();
    co_return std::this_thread::get_id();
  }(pool));
  other.join();
  REQUIRE(there == here);
}

TEST_CASE("threads, coroutines and transactions stand in one line", "[instance_pool][lease][Q8]") {
  InstancePool pool(Counter{}, {.default_queue = "one line"});
  EventLoop loop;
  std::vector<int> order;  // guarded by holding the instance
  auto held = std::make_optional(pool.instance());
  pool.async_transaction([&order](Counter&) { order.push_back(0); });
  loop.spawn(append(pool, order, 1));
  run_once(loop);
  std::thread thread([&] { pool([&order](Counter&) { order.push_back(2); }); });
  REQUIRE(until_waiting(pool, 3));
  loop.spawn(append(pool, order, 3));
  run_once(loop);
  pool.async_transaction([&order](Counter&) { order.push_back(4); });
  REQUIRE(pool.stats().waiting == 5);
  held.reset();
  loop.run();
  thread.join();
  REQUIRE(eventually([&] { return pool.stats().free == 1; }));
  REQUIRE(order == std::vector{0, 1, 2, 3, 4});
}

TEST_CASE("25,000 coroutines wait on three instances and one thread, and all are served in order",
          "[instance_pool][lease][Q7][Q8][Q11]") {
  const int coroutines = scaled(25'000, 5'000);
  struct Exclusive {
    explicit Exclusive(std::atomic<int>& count) : living(count) {}
    Alive living;
    int users = 0;
  };
  std::atomic<int> living{0};
  std::atomic<int> most{0};
  std::atomic<int> thrown{0};
  // Only the queue's one thread uses these.
  int served = 0;
  int last = -1;
  int overtaken = 0;
  int overlaps = 0;
  InstancePool pool(
      [&] {
        most = std::max(most.load(), living + 1);
        return Exclusive(living);
      },
      3, {.default_queue = "replaced"});
  TaskQueue queue(1);
  queue.on_error([&thrown](const std::exception_ptr&, const toto::TaskInfo&) { ++thrown; });
  const auto body = [&](int number) -> Task<> {
    auto lease = co_await pool.lease();
    ++served;
    overtaken += number < last ? 1 : 0;
    last = std::max(last, number);
    overlaps += lease->users++ == 0 ? 0 : 1;
    co_await queue.schedule();  // others come in between
    --lease->users;
    if (number % 10 == 0) {
      throw std::runtime_error("one in ten");
    }
    if (number % 100 == 1) {
      lease.discard();
    }
  };
  std::vector<Lease<Exclusive>> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(pool.instance());
  }
  for (int number = 0; number < coroutines; ++number) {
    queue.add_task(body, number);
  }
  REQUIRE(until_waiting(pool, static_cast<std::size_t>(coroutines)));
  REQUIRE(eventually([&] { return queue.stats().suspended == static_cast<std::uint64_t>(coroutines); }));
  REQUIRE(queue.stats().running == 0);
  REQUIRE(queue.yield_task([] { return 42; }).get() == 42);  // they hold no thread
  // On the queue's thread: of coroutines that two threads have served at the same time, either may continue first.
  toto::TaskHandle<std::size_t> still_waiting;
  queue
      .yield_task([&] {
        held.clear();
        still_waiting = queue.yield_task([&pool] { return pool.stats().waiting; });  // nor while they are being served
      })
      .get();
  CHECK(still_waiting.get() > 0);
  REQUIRE(queue.wait_idle_for(6 * toto_tests::kPatience));
  CHECK(queue.stats().threads_started == 1);
  CHECK(served == coroutines);
  CHECK(overtaken <= coroutines / 100);  // whose instance has to be made first: nobody else waits for that
  CHECK(overlaps == 0);
  CHECK(thrown == coroutines / 10);
  CHECK(most <= 3);
  CHECK(pool.stats().discarded == static_cast<std::uint64_t>(coroutines) / 100);
  CHECK(pool.stats().leased == 0);
  CHECK(living == static_cast<int>(pool.size()));
}

TEST_CASE("a coroutine that is destroyed while it waits leaves the line", "[instance_pool][lease][Q19]") {
  InstancePool pool(Counter{});
  auto held = std::make_optional(pool.instance());
  std::vector<int> order;
  {
    EventLoop loop;
    loop.spawn(append(pool, order, 1));
    run_once(loop);
    REQUIRE(pool.stats().waiting == 1);
  }
  REQUIRE(pool.stats().waiting == 0);
  held.reset();
  REQUIRE(order.empty());
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a coroutine that is destroyed with its instance on the way passes it on", "[instance_pool][lease][Q19]") {
  InstancePool pool(Counter{});
  auto held = std::make_optional(pool.instance());
  std::vector<int> order;
  EventLoop other;
  {
    EventLoop loop;
    loop.spawn(append(pool, order, 1));
    run_once(loop);
    other.spawn(append(pool, order, 2));
    run_once(other);
    REQUIRE(pool.stats().waiting == 2);
    held.reset();
    REQUIRE(pool.stats().waiting == 1);
  }
  REQUIRE(pool.stats().waiting == 0);
  other.run();
  REQUIRE(order == std::vector{2});
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a coroutine that waits when the pool is destroyed gets PoolClosed where it was",
          "[instance_pool][lease][Q13]") {
  auto pool = std::make_unique<InstancePool<Counter>>(Counter{});
  const auto held = pool->instance();
  EventLoop loop;
  bool told = false;
  const auto body = [&]() -> Task<> {
    try {
      auto lease = co_await pool->lease();
    } catch (const PoolClosed&) {
      told = true;
    }
  };
  loop.spawn(body());
  run_once(loop);
  pool.reset();
  REQUIRE_FALSE(told);
  loop.run();
  REQUIRE(told);
}

TEST_CASE("awaiting a lease of a closed pool throws", "[instance_pool][lease][Q13]") {
  InstancePool pool(Counter{});
  pool.close();
  REQUIRE_THROWS_AS(sync_wait(pool.lease()), PoolClosed);
}

TEST_CASE("an instance for a coroutine is made in the default queue, not on its loop", "[instance_pool][lease][Q21]") {
  std::atomic<TaskQueue*> made_in{nullptr};
  std::atomic<int> living{0};
  InstancePool pool(
      [&] {
        made_in = TaskQueue::current();
        return Alive(living);
      },
      2, {.default_queue = "made here"});
  REQUIRE(sync_wait(use(pool)) == 1);
  REQUIRE(made_in == TaskQueue::find("made here"));
  REQUIRE(TaskQueue::find("made here")->thread_count() == 2);
  REQUIRE(sync_wait(use(pool)) == 2);
  REQUIRE(pool.size() == 1);
}

TEST_CASE("making an instance for a coroutine needs no room in the default queue", "[instance_pool][lease][Q21]") {
  const auto has_waited = GENERATE(false, true);
  const auto overflow = GENERATE(Overflow::block, Overflow::reject);
  const std::string name = "full " + std::to_string(static_cast<int>(overflow));
  Gate done;
  std::atomic<std::thread::id> made_by{};
  std::atomic<int> living{0};
  InstancePool pool(
      [&] {
        made_by = std::this_thread::get_id();
        return Alive(living);
      },
      1, {.default_queue = name});
  TaskQueue& queue = TaskQueue::instance({.name = name, .max_queued = 1, .overflow = overflow});
  std::optional room(sync_wait(queue.admission()));  // all there is
  EventLoop loop;
  int used = 0;
  std::optional<Lease<Alive>> held;
  const auto body = [&]() -> Task<> {
    try {
      used = co_await use(pool);
    } catch (const toto::QueueFull&) {
    }
  };
  if (has_waited) {
    held = pool.instance();
    loop.spawn(body());
    run_once(loop);
    REQUIRE(pool.stats().waiting == 1);
  }
  std::thread other([&] {
    if (has_waited) {
      held->discard();
    } else {
      loop.spawn(body());
    }
    loop.run();
    done.open();
  });
  CHECK(done.wait());
  room.reset();
  CHECK(made_by.load() != other.get_id());
  CHECK(made_by.load() != std::this_thread::get_id());
  other.join();
  CHECK(used == 1);
}

TEST_CASE("what the factory throws comes out of the co_await, and the next one tries again",
          "[instance_pool][lease][Q21]") {
  std::atomic<int> calls{0};
  std::atomic<int> living{0};
  InstancePool pool(
      [&] {
        if (++calls <= 2) {
          throw std::runtime_error("no connection");
        }
        return Alive(living);
      },
      1, {.default_queue = "fails"});
  EventLoop loop;
  int failed = 0;
  int served = 0;
  const auto body = [&]() -> Task<> {
    try {
      auto lease = co_await pool.lease();
      ++served;
    } catch (const std::runtime_error&) {
      ++failed;
    }
  };
  for (int number = 0; number < 4; ++number) {
    loop.spawn(body());
  }
  loop.run();
  REQUIRE(failed == 2);
  REQUIRE(served == 2);
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("an instance that is being made for a coroutine that dies goes to the next", "[instance_pool][lease][Q19]") {
  Gate go_on;
  std::atomic<int> living{0};
  InstancePool pool(
      [&] {
        go_on.wait();
        return Alive(living);
      },
      1, {.default_queue = "slowly made"});
  {
    EventLoop loop;
    const auto body = [&]() -> Task<> { static_cast<void>(co_await use(pool)); };
    loop.spawn(body());
    run_once(loop);
    REQUIRE(pool.stats().leased == 1);
    REQUIRE(pool.size() == 0);
  }
  go_on.open();
  REQUIRE(pool.instance()->uses == 0);
  REQUIRE(living == 1);
  TaskQueue::find("slowly made")->wait_idle();
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a default queue that takes no tasks is an error, not a hang", "[instance_pool][lease][Q18]") {
  std::atomic<int> living{0};
  InstancePool pool([&] { return Alive(living); }, 1, {.default_queue = "closed early"});
  TaskQueue::instance("closed early").close();

  SECTION("for the coroutine that would make the instance") {
    REQUIRE_THROWS_AS(sync_wait(use(pool)), QueueClosed);
    REQUIRE(pool.stats().leased == 0);
  }
  SECTION("for one that waits for an instance that was discarded") {
    auto held = pool.instance();
    EventLoop loop;
    int told = 0;
    const auto body = [&]() -> Task<> {
      try {
        static_cast<void>(co_await use(pool));
      } catch (const QueueClosed&) {
        ++told;
      }
    };
    loop.spawn(body());
    loop.spawn(body());
    run_once(loop);
    REQUIRE(pool.stats().waiting == 2);
    held.discard();
    loop.run();
    REQUIRE(told == 2);
  }
  REQUIRE(pool.instance()->uses == 0);  // a thread makes its own
}

TEST_CASE("a queue that discards the making of an instance leaves no coroutine behind", "[instance_pool][lease][Q18]") {
  std::atomic<int> living{0};
  InstancePool pool([&] { return Alive(living); }, 1, {.default_queue = "discards"});
  TaskQueue& queue = TaskQueue::instance("discards");
  Gate inside;
  Gate go_on;
  queue.add_task([&] {
    inside.open();
    go_on.wait();
  });
  inside.wait();
  EventLoop loop;
  bool told = false;
  const auto body = [&]() -> Task<> {
    try {
      static_cast<void>(co_await use(pool));
    } catch (const toto::TaskCancelled&) {
      told = true;
    }
  };
  loop.spawn(body());
  run_once(loop);
  REQUIRE(queue.cancel_queued() == 1);
  loop.run();
  go_on.open();
  queue.wait_idle();
  REQUIRE(told);
  REQUIRE(pool.stats().leased == 0);
  REQUIRE(pool.instance()->uses == 0);
}

TEST_CASE("a coroutine without a home goes on in the default queue", "[instance_pool][lease][H1]") {
  InstancePool pool(Counter{}, {.default_queue = "homeless"});
  auto held = std::make_optional(pool.instance());
  std::atomic<TaskQueue*> continued_in{nullptr};
  const auto body = [&]() -> FireAndForget {
    auto lease = co_await pool.lease();
    continued_in = TaskQueue::current();
  };
  body();
  REQUIRE(pool.stats().waiting == 1);
  held.reset();
  REQUIRE(eventually([&] { return pool.stats().free == 1; }));
  REQUIRE(continued_in == TaskQueue::find("homeless"));
}

TEST_CASE("a coroutine whose loop is gone goes on in the default queue", "[instance_pool][lease][H2]") {
  InstancePool pool(Counter{}, {.default_queue = "loop gone"});
  auto held = std::make_optional(pool.instance());
  std::atomic<TaskQueue*> continued_in{nullptr};
  const auto body = [&]() -> FireAndForget {
    auto lease = co_await pool.lease();
    continued_in = TaskQueue::current();
  };
  {
    EventLoop loop;
    loop.post([&] { body(); });
    run_once(loop);
    SECTION("before the instance comes") {}
    SECTION("with the instance on the way") {
      held.reset();
    }
  }
  held.reset();
  REQUIRE(eventually([&] { return continued_in != nullptr; }));
  REQUIRE(continued_in == TaskQueue::find("loop gone"));
  REQUIRE(eventually([&] { return pool.stats().free == 1; }));
}

TEST_CASE("a lease that stands in a coroutine's frame is not taken for a deadlock", "[instance_pool][lease][M5]") {
  InstancePool pool(Counter{});
  TaskQueue queue(1);
  const auto body = [&]() -> FireAndForget {
    auto lease = pool.instance();  // blocking, on the main thread
    co_await queue.yield_task([&] { static_cast<void>(until_waiting(pool, 1)); });
    lease->increment();  // on the queue's worker
  };
  body();
  REQUIRE(pool(&Counter::increment) == 2);
}

TEST_CASE("an awaited lease is not taken for a deadlock", "[instance_pool][lease][M5]") {
  InstancePool pool(Counter{});
  TaskQueue queue(1);
  const auto body = [&]() -> FireAndForget {
    auto lease = co_await pool.lease();
    co_await queue.yield_task([&] { static_cast<void>(until_waiting(pool, 1)); });
  };
  body();
  REQUIRE(pool(&Counter::increment) == 1);
}

TEST_CASE("an instance that was made for a coroutine comes back as soon as the coroutine has gone", "[pool][G8]") {
  // Not with its loop, which still has the coroutine's continuation, and runs no longer.
  InstancePool<Counter> pool([] { return std::make_unique<Counter>(); }, 1);
  EventLoop loop;
  {
    toto::TaskScope scope(loop);
    scope.spawn([](InstancePool<Counter>& from) -> Task<> { const auto lease = co_await from.lease(); }(pool));
    loop.post([&loop] { loop.stop(); });
    loop.run();
    TaskQueue::instance("pool").wait_idle();
  }
  CHECK(pool.try_instance().has_value());
}

TEST_CASE("an instance whose making is still queued when its coroutine goes comes back at once, and is not made",
          "[pool][G8]") {
  TaskQueue& queue = TaskQueue::instance("prepares late");
  InstancePool<Counter> pool([] { return std::make_unique<Counter>(); }, 1, {.default_queue = "prepares late"});
  Arrivals begun;
  Gate gate;
  queue.add_task([&] {
    begun.arrive();
    gate.wait();
  });
  REQUIRE(begun.wait_for(1));
  {
    EventLoop loop;
    loop.spawn([](InstancePool<Counter>& from) -> Task<> { const auto lease = co_await from.lease(); }(pool));
    run_once(loop);
    REQUIRE(pool.stats().changing == 1);
  }
  CHECK(pool.stats().changing == 0);
  CHECK(pool.try_instance().has_value());
  gate.open();
  queue.wait_idle();
  CHECK(pool.size() == 1);
}
