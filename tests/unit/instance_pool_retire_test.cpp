// SPDX-License-Identifier: MIT
//
// Instances that were not used for a while are destroyed, down to min_instances; and co_await pool.lease_for(limit).

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
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

using namespace std::chrono_literals;
using toto::Duration;
using toto::InstancePool;
using toto::sync_wait;
using toto::Task;
using toto::TimedOut;
using toto_tests::Alive;
using toto_tests::eventually;

namespace {

using Pool = InstancePool<Alive>;

void use_at_once(Pool& pool, std::size_t count) {
  std::vector<toto::Lease<Alive>> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(pool.instance());
  }
}

std::string text_of_late_lease(Pool& pool, Duration limit) {
  try {
    sync_wait([](Pool& from, Duration within) -> Task<> { auto lease = co_await from.lease_for(within); }(pool, limit));
  } catch (const TimedOut& late) {
    return late.what();
  }
  return "";
}

}  // namespace

TEST_CASE("idle instances are destroyed, down to the minimum, and made again", "[instance_pool][retire]") {
  std::atomic<int> living{0};
  Pool pool([&living] { return Alive(living); }, 4,
            {.default_queue = "retire", .idle_timeout = 20ms, .min_instances = 1});
  REQUIRE(living == 0);  // the minimum is not made before it is needed
  use_at_once(pool, 4);
  REQUIRE(pool.size() == 4);
  REQUIRE(eventually([&] { return pool.size() == 1 && living == 1; }));
  const toto::PoolStats stats = pool.stats();
  REQUIRE(stats.retired == 3);
  REQUIRE(stats.made == stats.instances + stats.retired);
  REQUIRE(stats.free + stats.leased == stats.instances + stats.changing);
  use_at_once(pool, 4);
  REQUIRE(pool.stats().made == 7);
}

TEST_CASE("a pool that retires lends the instance that was used last", "[instance_pool][retire]") {
  std::atomic<int> living{0};
  Pool pool([&living] { return Alive(living); }, 3, {.idle_timeout = 1h});
  std::vector<Alive*> order;
  {
    auto one = pool.instance();
    auto two = pool.instance();
    order = {one.get(), two.get()};
    one.release();
  }
  for (int i = 0; i < 3; ++i) {
    auto lease = pool.instance();
    REQUIRE(lease.get() == order[1]);
  }
}

TEST_CASE("an idle timeout of 0 destroys instances as they come back", "[instance_pool][retire]") {
  std::atomic<int> living{0};
  Pool pool([&living] { return Alive(living); }, 2, {.default_queue = "retire", .idle_timeout = Duration()});
  use_at_once(pool, 2);
  REQUIRE(eventually([&] { return living == 0; }));
}

TEST_CASE("an instance that is in use all the time does not retire", "[instance_pool][retire]") {
  std::atomic<int> living{0};
  std::atomic<int> made{0};
  Pool pool(
      [&] {
        ++made;
        return Alive(living);
      },
      2, {.default_queue = "retire", .idle_timeout = 2s});
  const auto end = std::chrono::steady_clock::now() + 50ms;
  while (std::chrono::steady_clock::now() < end) {
    pool([](Alive& alive) { ++alive.uses; });
  }
  REQUIRE(made == 1);
  REQUIRE(pool.stats().retired == 0);
}

TEST_CASE("a pool that goes leaves no timer and no instance behind", "[instance_pool][retire][Q12]") {
  std::atomic<int> living{0};
  {
    Pool pool([&living] { return Alive(living); }, 2, {.default_queue = "retire", .idle_timeout = 1h});
    use_at_once(pool, 2);
    REQUIRE(living == 2);
  }
  REQUIRE(living == 0);
  for (int i = 0; i < 50; ++i) {  // in the middle of it
    Pool pool([&living] { return Alive(living); }, 2, {.default_queue = "retire", .idle_timeout = 1us});
    use_at_once(pool, 2);
  }
  REQUIRE(eventually([&] { return living == 0; }));
}

TEST_CASE("wrong options are refused by name", "[instance_pool][retire]") {
  const auto make = [] { return std::make_unique<int>(1); };
  using Ints = InstancePool<int>;
  REQUIRE_THROWS_WITH(Ints(make, 2, {.min_instances = 3}), toto_tests::contains("min_instances is 3"));
  REQUIRE_THROWS_WITH(Ints(make, 2, {.idle_timeout = -1s}), toto_tests::contains("idle_timeout"));
  REQUIRE_THROWS_WITH(Ints(1, {.idle_timeout = 1s}), toto_tests::contains("factory"));
  REQUIRE_THROWS_WITH(Ints(1, {.min_instances = 1}), toto_tests::contains("min_instances"));
  const Ints fine(make, 2, {.idle_timeout = Duration(), .min_instances = 2});
  REQUIRE(fine.size() == 0);
}

TEST_CASE("a lease with a limit is given within it, or not at all, and says who holds the instances",
          "[instance_pool][lease][retire][Q5]") {
  std::atomic<int> living{0};
  Pool pool([&living] { return Alive(living); }, 1, {.default_queue = "late"});
  REQUIRE(text_of_late_lease(pool, 1h).empty());
  {
    const unsigned line = __LINE__ + 1;
    const auto held = pool.instance();
    const auto before = std::chrono::steady_clock::now();
    const std::string text = text_of_late_lease(pool, 10ms);
    REQUIRE(std::chrono::steady_clock::now() - before >= 10ms);
    CAPTURE(text);
    REQUIRE(text.find("instance_pool_retire_test.cpp:" + std::to_string(line)) != std::string::npos);
    REQUIRE(text.find("s ago") != std::string::npos);
    REQUIRE(text.find("within 0.010 s") != std::string::npos);
    REQUIRE(text.find("by thread") != std::string::npos);
    REQUIRE_FALSE(text_of_late_lease(pool, Duration()).empty());
    REQUIRE_FALSE(text_of_late_lease(pool, -1s).empty());
    REQUIRE(pool.dump().find("instance_pool_retire_test.cpp:" + std::to_string(line)) != std::string::npos);
  }
  REQUIRE(pool.stats().waiting == 0);
  REQUIRE(pool.stats().free == 1);
  REQUIRE(text_of_late_lease(pool, Duration::never()).empty());
  REQUIRE_THROWS_AS(pool.lease_for(std::chrono::duration<double>(std::nan(""))), std::invalid_argument);
}

TEST_CASE("a lease with a limit may come before it, from another thread", "[instance_pool][lease][retire][Q5][Q10]") {
  std::atomic<int> living{0};
  Pool pool([&living] { return Alive(living); }, 1, {.default_queue = "late"});
  std::optional held(pool.instance());
  std::thread other([&] {
    static_cast<void>(toto_tests::until_waiting(pool, 1));
    held.reset();
  });
  REQUIRE(text_of_late_lease(pool, 1h).empty());
  other.join();
}

TEST_CASE("a coroutine that dies while it waits with a limit leaves the line, and its timer",
          "[instance_pool][lease][retire][Q19]") {
  std::atomic<int> living{0};
  Pool pool([&living] { return Alive(living); }, 1, {.default_queue = "late"});
  const auto held = pool.instance();
  const auto body = [&]() -> Task<> { auto lease = co_await pool.lease_for(1ms); };
  for (int i = 0; i < 20; ++i) {
    toto::EventLoop loop;
    loop.spawn(body());
    loop.post([&loop] { loop.stop(); });
    loop.run();
    if (i % 2 == 0) {
      std::this_thread::sleep_for(1ms);
    }
  }
  REQUIRE(pool.stats().waiting == 0);
}

TEST_CASE("a pool with many holders names some of them and counts the rest", "[instance_pool][retire]") {
  std::atomic<int> living{0};
  Pool pool([&living] { return Alive(living); }, 40);
  std::vector<toto::Lease<Alive>> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(pool.instance());
  }
  const std::string text = pool.dump();
  REQUIRE(std::count(text.begin(), text.end(), '\n') == 18);
  REQUIRE(text.find("held: 24 more") != std::string::npos);
}
