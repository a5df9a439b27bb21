// SPDX-License-Identifier: MIT
//
// Hooks, retirement and leases with a limit when memory runs out, or threads do: whatever fails, no instance is lost.

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "faults/injection.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

struct Connection {
  int use() { return ++uses; }
  int uses = 0;
};
using Pool = toto::InstancePool<Connection>;

std::unique_ptr<Pool> make_pool(toto::Duration idle_timeout) {
  return std::make_unique<Pool>([] { return std::make_unique<Connection>(); }, 2,
                                toto::PoolOptions{.default_queue = "hooks", .idle_timeout = idle_timeout});
}

/// Two instances can be had, and two only.
std::string check(Pool& pool) {
  if (!eventually([&] { return pool.stats().leased == 0 && pool.stats().waiting == 0; })) {
    return "an instance is lost, or somebody waits for one";
  }
  const auto first = pool.instance_for(1s);
  const auto second = pool.instance_for(1s);
  return first && second && !pool.try_instance() ? "" : "not every instance can be had";
}

toto::Task<int> take_within(Pool& pool, toto::Duration limit) {
  auto lease = co_await pool.lease_for(limit);
  co_return lease->use();
}

}  // namespace

TEST_CASE("setting a hook sets it or leaves all as it was when an allocation fails",
          "[instance_pool][hooks][faults][S8]") {
  const Sweep swept = sweep([] { return make_pool(toto::Duration::never()); },
                            [](std::unique_ptr<Pool>& pool) {
                              pool->validate([](Connection&) { return true; });
                              pool->on_return([](Connection&) { return true; });
                            },
                            [](std::unique_ptr<Pool>& pool, bool) { return check(*pool); });
  REQUIRE(swept.complaint.empty());
  REQUIRE(swept.points >= 2);
}

TEST_CASE("a lease with a limit loses nothing when an allocation fails", "[instance_pool][lease][faults][S8]") {
  for (const bool held : {false, true}) {
    const Sweep swept = sweep([] { return make_pool(toto::Duration::never()); },
                              [held](std::unique_ptr<Pool>& pool) {
                                std::optional<toto::Lease<Connection>> first;
                                std::optional<toto::Lease<Connection>> second;
                                if (held) {
                                  first.emplace(pool->instance());
                                  second.emplace(pool->instance());
                                }
                                try {
                                  toto::sync_wait(take_within(*pool, 1ms));
                                } catch (const toto::TimedOut&) {
                                }
                              },
                              [](std::unique_ptr<Pool>& pool, bool) { return check(*pool); });
    CAPTURE(held);
    REQUIRE(swept.complaint.empty());
    REQUIRE(swept.points >= 2);
  }
}

TEST_CASE("an instance comes back although its retirement cannot be prepared", "[instance_pool][retire][faults][S8]") {
  const Sweep swept =
      sweep([] { return make_pool(1h); }, [](std::unique_ptr<Pool>& pool) { pool->transaction(&Connection::use); },
            [](std::unique_ptr<Pool>& pool, bool) { return check(*pool); }, kMaybeNone);
  REQUIRE(swept.complaint.empty());
}

TEST_CASE("instances retire as soon as there is a thread for it again", "[instance_pool][retire][faults][S2]") {
  const std::unique_ptr<Pool> pool = make_pool(1ms);
  {
    const ThreadStarts starts(&ThreadStarts::always);
    for (int i = 0; i < 3; ++i) {
      pool->transaction(&Connection::use);
    }
  }
  pool->transaction(&Connection::use);
  REQUIRE(eventually([&] { return pool->size() == 0; }));
}

TEST_CASE("a hook that runs out of memory says no", "[instance_pool][hooks][faults][S8]") {
  const std::unique_ptr<Pool> pool = make_pool(toto::Duration::never());
  bool empty = false;
  const auto ask = [&empty](Connection&) -> bool {
    if (std::exchange(empty, false)) {
      throw std::bad_alloc();
    }
    return true;
  };
  pool->validate(ask);
  pool->on_return(ask);
  REQUIRE(pool->transaction(&Connection::use) == 1);
  empty = true;
  REQUIRE(pool->transaction(&Connection::use) == 1);           // validate
  pool->transaction([&empty](Connection&) { empty = true; });  // on_return
  REQUIRE(pool->stats().rejected == 2);
  REQUIRE(check(*pool).empty());
}
