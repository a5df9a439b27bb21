// SPDX-License-Identifier: MIT
//
// A pool's hooks: validate, before an instance is handed out, and on_return, when it comes back. Whoever takes an
// instance gets a good one or an error; whoever waits is served.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/pool_probe.hpp"
#include "toto/event_loop.hpp"
#include "toto/instance_pool.hpp"
#include "toto/sync_wait.hpp"
#include "toto/task.hpp"
#include "toto/task_queue.hpp"

using toto::InstancePool;
using toto::PoolClosed;
using toto::sync_wait;
using toto::Task;
using toto::TaskQueue;
using toto_tests::eventually;
using toto_tests::until_waiting;

namespace {

struct Link {
  explicit Link(int number_of_link) : number(number_of_link) {}
  int number;
  bool good = true;
};

/// A factory that numbers what it makes.
struct Maker {
  Link operator()() { return Link(++made); }
  int made = 0;
};

std::vector<Link> links(int count) {
  std::vector<Link> all;
  for (int number = 1; number <= count; ++number) {
    all.emplace_back(number);
  }
  return all;
}

bool is_good(Link& link) {
  return link.good;
}
int number_of(Link& link) {
  return link.number;
}

Task<int> take(InstancePool<Link>& pool) {
  auto lease = co_await pool.lease();
  co_return lease->number;
}

/// Makes exactly the first `bad` of a pool's instances bad.
void spoil(InstancePool<Link>& pool, std::size_t bad) {
  std::queue<toto::Lease<Link>> all;
  while (auto lease = pool.try_instance()) {
    (*lease)->good = all.size() >= bad;
    all.push(std::move(*lease));
  }
  while (!all.empty()) {
    all.pop();  // one after the other, because they are lent again in the order in which they come back
  }
}

bool adds_up(const toto::PoolStats& stats) {
  return stats.made == stats.instances + stats.discarded + stats.rejected + stats.retired + stats.closed &&
         stats.free + stats.leased == stats.instances + stats.changing;
}

}  // namespace

TEST_CASE("an instance that is not valid is replaced by the factory, in every way of taking one",
          "[instance_pool][hooks][Q11]") {
  InstancePool<Link> pool(Maker(), 1, {.default_queue = "hooks"});
  pool.validate(is_good);
  REQUIRE(pool(number_of) == 1);
  const auto spoil_it = [&] { spoil(pool, 1); };

  spoil_it();
  REQUIRE(pool(number_of) == 2);
  spoil_it();
  REQUIRE(pool.transaction(number_of) == 3);
  spoil_it();
  REQUIRE(pool.instance()->number == 4);
  spoil_it();
  REQUIRE(pool.try_instance().value()->number == 5);
  spoil_it();
  REQUIRE(sync_wait(take(pool)) == 6);
  spoil_it();
  REQUIRE(pool.await_transaction(number_of).get() == 7);
  REQUIRE(eventually([&] { return pool.stats().free == 1; }));
  REQUIRE(pool.stats().rejected == 6);
  REQUIRE(pool.stats().made == 7);
  REQUIRE(adds_up(pool.stats()));
}

TEST_CASE("without a factory another instance is taken, and the pool shrinks", "[instance_pool][hooks][Q11]") {
  InstancePool<Link> pool(links(4), {.default_queue = "hooks"});
  pool.validate(is_good);
  SECTION("by a call") {
    spoil(pool, 2);
    REQUIRE(pool(number_of) == 3);
  }
  SECTION("by a coroutine") {
    spoil(pool, 2);
    REQUIRE(sync_wait(take(pool)) == 3);
  }
  SECTION("by a transaction") {
    spoil(pool, 2);
    REQUIRE(pool.await_transaction(number_of).get() == 3);
  }
  SECTION("by a transaction that is a coroutine") {
    spoil(pool, 2);
    auto handle = pool.await_transaction([](Link& link) -> Task<int> { co_return link.number; });
    REQUIRE(handle.get() == 3);
  }
  REQUIRE(pool.size() == 2);
  REQUIRE(pool.stats().capacity == 2);
  REQUIRE(pool.stats().rejected == 2);
  REQUIRE(adds_up(pool.stats()));
}

TEST_CASE("whoever finds the last instances not valid is told that the pool has closed",
          "[instance_pool][hooks][Q11][Q13]") {
  InstancePool<Link> pool(links(2), {.default_queue = "hooks"});
  pool.validate(is_good);
  spoil(pool, 2);
  SECTION("a call") {
    REQUIRE_THROWS_AS(pool(number_of), PoolClosed);
  }
  SECTION("a coroutine") {
    REQUIRE_THROWS_AS(sync_wait(take(pool)), PoolClosed);
  }
  SECTION("a transaction") {
    REQUIRE_THROWS_AS(pool.await_transaction(number_of).get(), PoolClosed);
  }
  SECTION("a transaction that is a coroutine") {
    auto handle = pool.await_transaction([](Link& link) -> Task<int> { co_return link.number; });
    REQUIRE_THROWS_AS(handle.get(), PoolClosed);
  }
  REQUIRE(pool.size() == 0);
  REQUIRE_THROWS_AS(pool.try_instance(), PoolClosed);
}

TEST_CASE("who was served with an instance that is not valid waits before those who came later",
          "[instance_pool][hooks][Q8]") {
  InstancePool<Link> pool(links(2), {.default_queue = "hooks in line"});
  pool.validate(is_good);
  std::optional first(pool.instance());
  std::optional second(pool.instance());
  toto::EventLoop loop;
  std::vector<int> order;
  const auto body = [&](int number) -> Task<> {
    auto lease = co_await pool.lease();
    order.push_back(number);
  };
  std::vector<toto::TaskHandle<void>> transactions;
  loop.spawn(body(1));
  loop.post([&loop] { loop.stop(); });
  loop.run();
  transactions.push_back(pool.await_transaction([&order](Link&) { order.push_back(2); }));
  transactions.push_back(pool.await_transaction([&order](Link&) { order.push_back(3); }));
  REQUIRE(pool.stats().waiting == 3);
  (*first)->good = false;
  first.reset();  // to the coroutine, which has it validated in the default queue
  REQUIRE(eventually([&] {
    loop.post([&loop] { loop.stop(); });
    loop.run();
    return pool.size() == 1 && pool.stats().waiting == 3;
  }));
  REQUIRE(pool.dump().find("lease awaited") < pool.dump().find("transaction in a queue"));
  second.reset();
  loop.run();
  for (auto& transaction : transactions) {
    transaction.get();
  }
  REQUIRE(order == std::vector{1, 2, 3});
}

TEST_CASE("a transaction whose instance is not valid leaves its queue and waits again", "[instance_pool][hooks][Q16]") {
  TaskQueue queue(1);
  InstancePool<Link> pool(links(2));
  pool.validate(is_good);
  std::optional first(pool.instance());
  std::optional second(pool.instance());
  auto handle = pool.await_transaction(number_of, queue);
  (*first)->good = false;
  first.reset();
  REQUIRE(eventually([&] { return pool.size() == 1; }));
  REQUIRE(until_waiting(pool, 1));
  queue.wait_idle();  // it is not there
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  SECTION("and is served") {
    second.reset();
    REQUIRE(handle.get() == 2);
  }
  SECTION("and can be cancelled") {
    REQUIRE(handle.cancel());
    REQUIRE_THROWS_AS(handle.get(), toto::TaskCancelled);
    REQUIRE(pool.stats().waiting == 0);
  }
  const toto::QueueStats stats = queue.stats();
  REQUIRE(stats.submitted ==
          stats.completed + stats.failed + stats.cancelled + stats.queued + stats.running + stats.suspended);
}

TEST_CASE("a validate that throws says no", "[instance_pool][hooks]") {
  InstancePool<Link> pool(Maker(), 2);
  int asked = 0;
  pool.validate([&asked](Link&) -> bool {
    ++asked;
    throw std::runtime_error("no connection");
  });
  REQUIRE(pool(number_of) == 1);
  REQUIRE(asked == 0);  // it has just been made
  REQUIRE(pool(number_of) == 2);
  REQUIRE(asked == 1);
}

TEST_CASE("a factory that throws where an instance was not valid fails the taker, and nobody else",
          "[instance_pool][hooks][Q11]") {
  bool broken = false;
  int made = 0;
  InstancePool<Link> pool(
      [&] {
        if (std::exchange(broken, false)) {
          throw std::runtime_error("the server is down");
        }
        return Link(++made);
      },
      1);
  pool.validate(is_good);
  spoil(pool, 1);
  broken = true;
  REQUIRE_THROWS_WITH(pool.instance(), "the server is down");
  REQUIRE(pool.size() == 0);
  REQUIRE(pool(number_of) == 2);
  REQUIRE(adds_up(pool.stats()));
}

TEST_CASE("an instance of the constructor is validated before its first use", "[instance_pool][hooks]") {
  std::vector<Link> given = links(2);
  given[0].good = false;
  InstancePool<Link> pool(std::move(given));
  pool.validate(is_good);
  REQUIRE(pool(number_of) == 2);
}

TEST_CASE("on_return is told of every use, and whether it has failed", "[instance_pool][hooks][Q3]") {
  InstancePool<Link> pool(links(1), {.default_queue = "hooks"});
  std::vector<bool> told;  // guarded by holding the instance
  pool.on_return([&told](Link&, bool failed) { told.push_back(failed); });
  const auto fail = [](Link&) -> int { throw std::runtime_error("failed"); };

  pool(number_of);
  REQUIRE_THROWS_AS(pool(fail), std::runtime_error);
  pool.transaction(number_of);
  REQUIRE_THROWS_AS(pool.transaction(fail), std::runtime_error);
  REQUIRE(told == std::vector{false, true, false, true});

  told.clear();
  pool.instance().release();
  try {
    auto lease = pool.instance();
    throw std::runtime_error("failed");
  } catch (const std::runtime_error&) {
    pool.instance().release();  // in a handler: nothing is on its way any more
  }
  REQUIRE(told == std::vector{false, true, false});

  told.clear();
  pool.await_transaction(number_of).get();
  REQUIRE_THROWS_AS(pool.await_transaction(fail).get(), std::runtime_error);
  auto coroutine = pool.await_transaction([](Link&) -> Task<> {
    throw std::runtime_error("failed");
    co_return;
  });
  REQUIRE_THROWS_AS(coroutine.get(), std::runtime_error);
  REQUIRE(told == std::vector{false, true, true});

  told.clear();
  sync_wait(take(pool));
  const auto failing = [](InstancePool<Link>& from) -> Task<> {
    auto lease = co_await from.lease();
    throw std::runtime_error("failed");
  };
  REQUIRE_THROWS_AS(sync_wait(failing(pool)), std::runtime_error);
  REQUIRE(told == std::vector{false, true});
}

TEST_CASE("a lease that is taken while an exception is on its way has not failed by it", "[instance_pool][hooks]") {
  InstancePool<Link> pool(links(1));
  std::vector<bool> told;
  pool.on_return([&told](Link&, bool failed) { told.push_back(failed); });
  struct Cleanup {
    ~Cleanup() { pool.instance().release(); }
    InstancePool<Link>& pool;
  };
  try {
    const Cleanup cleanup{pool};
    throw std::runtime_error("failed");
  } catch (const std::runtime_error&) {
  }
  REQUIRE(told == std::vector{false});
}

TEST_CASE("an instance that on_return does not want is destroyed", "[instance_pool][hooks][Q11]") {
  InstancePool<Link> pool(Maker(), 1, {.default_queue = "hooks"});
  SECTION("because it says so") {
    pool.on_return([](Link& link) { return link.number != 1; });
  }
  SECTION("because it throws") {
    pool.on_return([](Link& link) {
      if (link.number == 1) {
        throw std::runtime_error("cannot roll back");
      }
    });
  }
  SECTION("because the use has failed") {
    pool.on_return([](Link&, bool failed) { return !failed; });
    REQUIRE_THROWS(pool([](Link&) { throw std::runtime_error("failed"); }));
    REQUIRE(pool(number_of) == 2);
    return;
  }
  REQUIRE(pool(number_of) == 1);
  REQUIRE(pool.size() == 0);
  REQUIRE(pool(number_of) == 2);
  REQUIRE(pool(number_of) == 2);
  REQUIRE(pool.stats().rejected == 1);
  REQUIRE(adds_up(pool.stats()));
}

TEST_CASE("whoever waits for an instance that on_return does not want gets another", "[instance_pool][hooks][Q11]") {
  InstancePool<Link> pool(Maker(), 1);
  pool.on_return([](Link& link) { return link.number != 1; });
  std::optional held(pool.instance());
  std::atomic<int> got{0};
  std::thread waiter([&] { got = pool(number_of); });
  const bool waits = until_waiting(pool, 1);
  held.reset();
  waiter.join();
  REQUIRE(waits);
  REQUIRE(got == 2);
}

TEST_CASE("on_return is not asked about an instance that is discarded, or was not used", "[instance_pool][hooks]") {
  InstancePool<Link> pool(Maker(), 1, {.default_queue = "hooks"});
  int asked = 0;
  pool.on_return([&asked](Link&) { ++asked; });
  pool.instance().discard();
  {
    auto awaiter = pool.lease();  // takes it, and is destroyed
    static_cast<void>(awaiter.await_ready());
  }
  REQUIRE(asked == 0);
  pool(number_of);
  REQUIRE(asked == 1);
}

TEST_CASE("on_return also sees what comes back after the pool has closed", "[instance_pool][hooks][Q12]") {
  int asked = 0;
  auto pool = std::make_unique<InstancePool<Link>>(links(1));
  pool->on_return([&asked](Link&) { ++asked; });
  auto lease = pool->instance();
  pool.reset();
  lease.release();
  REQUIRE(asked == 1);
}

TEST_CASE("hooks are set before the first instance is taken, and not null", "[instance_pool][hooks]") {
  InstancePool<Link> pool(links(1));
  pool.validate([](Link&) { return false; });
  pool.validate(is_good);  // instead
  REQUIRE_THROWS_AS(pool.validate(std::function<bool(Link&)>()), std::invalid_argument);
  REQUIRE_THROWS_AS(pool.on_return(std::function<void(Link&)>()), std::invalid_argument);
  REQUIRE(pool(number_of) == 1);
  REQUIRE_THROWS_WITH(pool.validate(is_good), toto_tests::contains("validate"));
  REQUIRE_THROWS_WITH(pool.on_return(is_good), toto_tests::contains("on_return"));
  REQUIRE_THROWS_AS(pool.on_return(is_good), std::logic_error);
}

TEST_CASE("a factory or a hook that waits for an instance of its own pool of one is told", "[instance_pool][hooks]") {
  InstancePool<Link>* own = nullptr;
  int told = 0;
  const auto take = [&] {
    try {
      static_cast<void>(own->instance());
    } catch (const toto::DeadlockError&) {
      ++told;
      throw;
    }
  };
  int made = 0;
  bool nested = false;
  InstancePool<Link> pool(
      [&] {
        if (nested) {
          take();
        }
        return Link(++made);
      },
      1);
  own = &pool;
  SECTION("in the factory") {
    nested = true;
    CHECK_THROWS_AS(pool.instance(), toto::DeadlockError);
    nested = false;
    CHECK(told == 1);
    CHECK(pool.instance()->number == 1);
  }
  SECTION("in validate, which does not approve by that") {
    pool.validate([&](Link&) {
      take();
      return true;
    });
    static_cast<void>(pool.instance());
    CHECK(pool.instance()->number == 2);
    CHECK(told == 1);
  }
  SECTION("in on_return") {
    pool.on_return([&](Link&) {
      take();
      return true;
    });
    static_cast<void>(pool.instance());
    CHECK(told == 1);
    CHECK(pool.stats().rejected == 1);
  }
}
