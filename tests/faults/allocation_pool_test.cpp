// SPDX-License-Identifier: MIT
//
// Pools of instances when memory or threads run out: whatever fails, no instance is lost, and the next one to ask gets
// one.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
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

struct Connection {
  explicit Connection(std::shared_ptr<int> t) : token(std::move(t)) {}
  int use() { return ++uses; }
  toto::Task<int> use_slowly() {
    co_await toto::sleep_for(1us);
    co_return ++uses;
  }
  std::shared_ptr<int> token;  // counts the connections that are alive
  int uses = 0;
};

/// A pool whose instances exist from the beginning, or are made when needed, and a queue that only it uses.
struct Fixture {
  explicit Fixture(bool factory) {
    if (factory) {
      pool =
          std::make_unique<toto::InstancePool<Connection>>([t = token] { return std::make_unique<Connection>(t); }, 2);
    } else {
      std::vector<std::unique_ptr<Connection>> instances;
      instances.push_back(std::make_unique<Connection>(token));
      instances.push_back(std::make_unique<Connection>(token));
      pool = std::make_unique<toto::InstancePool<Connection>>(std::move(instances));
    }
  }

  /// All instances are in the pool again, and each can be used.
  std::string check() {
    queue.wait_idle();
    if (!eventually([&] { return pool->stats().leased == 0 && pool->stats().waiting == 0; })) {
      return "an instance is lost, or somebody waits for one";
    }
    const auto first = pool->instance_for(1s);
    const auto second = pool->instance_for(1s);
    if (!first || !second || first->get() == second->get()) {
      return "not every instance can be had";
    }
    return captured.use_count() == 1 ? "" : "captures are still alive";
  }

  std::shared_ptr<int> token = std::make_shared<int>(0);
  std::shared_ptr<int> captured = std::make_shared<int>(0);
  toto::TaskQueue queue{2};
  std::unique_ptr<toto::InstancePool<Connection>> pool;
};

/// Every allocation of `use(fixture)` on this thread fails in turn, for both kinds of pool.
template <class Use>
std::size_t sweep_pool(Use use) {
  std::size_t points = 0;
  for (const bool factory : {false, true}) {
    const Sweep swept = sweep([&] { return std::make_unique<Fixture>(factory); },
                              [&](std::unique_ptr<Fixture>& fixture) { use(*fixture); },
                              [](std::unique_ptr<Fixture>& fixture, bool) { return fixture->check(); }, kMaybeNone);
    CAPTURE(factory);
    REQUIRE(swept.complaint.empty());
    points += swept.points;
  }
  REQUIRE(points >= 1);  // the factory's, if nothing else
  return points;
}

struct Awaiting {
  static toto::Task<int> lease(toto::InstancePool<Connection>& pool) {
    auto lease = co_await pool.lease();
    co_return lease->use();
  }
};

}  // namespace

TEST_CASE("making a pool destroys what was made when an allocation fails", "[instance_pool][faults][S8]") {
  struct Parts {
    std::shared_ptr<int> token = std::make_shared<int>(0);
    std::unique_ptr<toto::InstancePool<Connection>> pool;
  };
  const auto check = [](std::unique_ptr<Parts>& parts, bool threw) -> std::string {
    if (threw) {
      return parts->pool == nullptr && parts->token.use_count() == 1 ? "" : "something is left";
    }
    return parts->pool->transaction([](Connection& connection) { return connection.use(); }) == 1 ? ""
                                                                                                  : "does not work";
  };
  const Sweep values = sweep([] { return std::make_unique<Parts>(); },
                             [](std::unique_ptr<Parts>& parts) {
                               parts->pool = std::make_unique<toto::InstancePool<Connection>>(
                                   std::vector<Connection>(3, Connection(parts->token)));
                             },
                             check);
  REQUIRE(values.complaint.empty());
  REQUIRE(values.points >= 4);
  const Sweep factory = sweep([] { return std::make_unique<Parts>(); },
                              [](std::unique_ptr<Parts>& parts) {
                                parts->pool = std::make_unique<toto::InstancePool<Connection>>(
                                    [token = parts->token] { return Connection(token); }, 2);
                              },
                              check);
  REQUIRE(factory.complaint.empty());
  REQUIRE(factory.points >= 2);
}

TEST_CASE("calls, transactions and leases lose no instance when an allocation fails", "[instance_pool][faults][S8]") {
  sweep_pool([](Fixture& fixture) { (*fixture.pool)(&Connection::use); });
  sweep_pool([](Fixture& fixture) {
    fixture.pool->transaction([text = std::string(100, 'x')](Connection& connection) { return connection.use(); });
  });
  sweep_pool([](Fixture& fixture) { fixture.pool->instance()->use(); });
  sweep_pool([](Fixture& fixture) { (*fixture.pool->try_instance())->use(); });
  sweep_pool([](Fixture& fixture) { (*fixture.pool->instance_for(1ms))->use(); });
  const std::size_t points = sweep_pool([](Fixture& fixture) {
    const auto first = fixture.pool->instance();
    const auto second = fixture.pool->instance();
  });
  REQUIRE(points >= 2);  // the factory's
}

TEST_CASE("an awaited lease loses no instance when an allocation fails", "[instance_pool][faults][S8]") {
  const std::size_t points = sweep_pool([](Fixture& fixture) { toto::sync_wait(Awaiting::lease(*fixture.pool)); });
  REQUIRE(points >= 2);
}

TEST_CASE("a transaction in a queue takes place or not, and loses no instance, when an allocation fails",
          "[instance_pool][faults][S8]") {
  const std::size_t awaited = sweep_pool([](Fixture& fixture) {
    toto::TaskHandle<int> handle = fixture.pool->await_transaction(
        [captured = fixture.captured](Connection& connection) { return connection.use(); }, fixture.queue);
    std::move(handle).detach();
  });
  REQUIRE(awaited >= 2);
  const std::size_t asynchronous = sweep_pool([](Fixture& fixture) {
    fixture.pool->async_transaction([captured = fixture.captured](Connection& connection) { connection.use(); },
                                    fixture.queue);
  });
  REQUIRE(asynchronous >= 2);
  const std::size_t coroutines = sweep_pool([](Fixture& fixture) {
    toto::TaskHandle<int> handle = fixture.pool->await_transaction(&Connection::use_slowly, fixture.queue);
    std::move(handle).detach();
  });
  REQUIRE(coroutines >= 2);
  const std::size_t calls = sweep_pool([](Fixture& fixture) {
    const auto awaitable = fixture.pool->await(fixture.queue);
    toto::TaskHandle<int> handle = awaitable(&Connection::use);
    std::move(handle).detach();
  });
  REQUIRE(calls >= 2);
}

TEST_CASE("a transaction that has to wait for an instance is taken into the line, or not, when an allocation fails",
          "[instance_pool][faults][S8]") {
  const std::size_t points = sweep_pool([](Fixture& fixture) {
    auto first = fixture.pool->instance();
    auto second = fixture.pool->instance();
    toto::TaskHandle<int> handle = fixture.pool->await_transaction(
        [captured = fixture.captured](Connection& connection) { return connection.use(); }, fixture.queue);
    std::move(handle).detach();
  });
  REQUIRE(points >= 1);
}

TEST_CASE("a transaction in a new named queue leaves no half-made queue when an allocation fails",
          "[instance_pool][faults][S8]") {
  int number = 0;
  const std::size_t points = sweep_pool([&](Fixture& fixture) {
    // A name that is too long to be kept without an allocation.
    char name[] = "the queue of a transaction that runs out of memory 0000000";
    for (std::size_t digit = sizeof(name) - 2, rest = static_cast<std::size_t>(++number); rest > 0; --digit) {
      name[digit] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
    toto::TaskHandle<int> handle = fixture.pool->await_transaction(&Connection::use, name);
    std::move(handle).detach();
  });
  REQUIRE(points >= 4);
}

TEST_CASE("a transaction whose queue can start no thread throws, and its instance is free again",
          "[instance_pool][faults][S2]") {
  Fixture fixture(false);
  {
    const ThreadStarts starts(&ThreadStarts::always);
    REQUIRE_THROWS_AS(static_cast<void>(fixture.pool->await_transaction(&Connection::use, fixture.queue)),
                      std::system_error);
    REQUIRE_THROWS_AS(fixture.pool->async_transaction(&Connection::use, fixture.queue), std::system_error);
    REQUIRE(fixture.queue.size() == 0);
    REQUIRE(fixture.pool->stats().free == 2);
  }
  REQUIRE(fixture.pool->await_transaction(&Connection::use, fixture.queue).get() == 1);
  REQUIRE(fixture.check().empty());
}

TEST_CASE("a transaction that gets its instance when its queue can start no thread completes with that error",
          "[instance_pool][faults][S2]") {
  Fixture fixture(false);
  auto first = fixture.pool->instance();
  auto second = fixture.pool->instance();
  auto waiting = fixture.pool->await_transaction(&Connection::use, fixture.queue);
  auto behind = fixture.pool->await_transaction(&Connection::use, fixture.queue);
  {
    const ThreadStarts starts(&ThreadStarts::always);
    first.release();
    REQUIRE(waiting.wait_for(kPatience));
    REQUIRE(behind.wait_for(kPatience));  // the instance went on to it, with the same end
  }
  REQUIRE_THROWS_AS(waiting.get(), std::system_error);
  REQUIRE_THROWS_AS(behind.get(), std::system_error);
  second.release();
  REQUIRE(fixture.check().empty());
}
