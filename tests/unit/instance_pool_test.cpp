// SPDX-License-Identifier: MIT
//
// InstancePool on threads: what it is made from, to whom it lends its instances, and how they come back.

#include "toto/instance_pool.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/pool_probe.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using toto::DeadlockError;
using toto::Duration;
using toto::InstancePool;
using toto::Lease;
using toto::NoState;
using toto::PoolClosed;
using toto_tests::Alive;
using toto_tests::contains;
using toto_tests::Counter;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::until_waiting;

namespace {

struct Immovable {
  explicit Immovable(int start) : value(start) {}
  Immovable(Immovable&&) = delete;
  int value;
};

std::vector<std::unique_ptr<Counter>> two_counters() {
  std::vector<std::unique_ptr<Counter>> counters;
  counters.push_back(std::make_unique<Counter>());
  counters.push_back(std::make_unique<Counter>());
  return counters;
}

}  // namespace

TEST_CASE("a pool of two gives its instances in turn", "[instance_pool][Q1]") {
  InstancePool pool(std::vector<Counter>(2));
  for (const int expected : {1, 1, 2, 2, 3, 3, 4, 4}) {
    REQUIRE(pool(&Counter::increment) == expected);
  }
}

TEST_CASE("two leases at the same time are two instances", "[instance_pool][Q1]") {
  Counter one;
  Counter other;
  InstancePool pool({&one, &other});
  auto first = pool.instance();
  auto second = pool.instance();
  REQUIRE(first.get() == &one);
  REQUIRE(second.get() == &other);
  first.release();
  REQUIRE(pool.instance().operator->() == &one);
}

TEST_CASE("several calls through a lease are on one instance", "[instance_pool][Q1]") {
  InstancePool pool(two_counters());
  {
    auto counter = pool.instance();
    REQUIRE(counter->increment() == 1);
    REQUIRE(counter->increment() == 2);
    REQUIRE((*counter).increment() == 3);
  }
  REQUIRE(pool(&Counter::increment) == 1);
  REQUIRE(pool(&Counter::increment) == 4);
}

TEST_CASE("never two holders of one instance, for eight threads", "[instance_pool][Q2]") {
  constexpr int kThreads = 8;
  constexpr int kCalls = toto_tests::scaled(100'000, 10'000);
  std::vector<Counter> counters(3);
  std::vector<Counter*> instances;
  for (Counter& counter : counters) {
    instances.push_back(&counter);
  }
  InstancePool pool(instances);
  const int before = Counter::overlaps();
  {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&pool, thread] {
        for (int call = 0; call < kCalls; ++call) {
          switch ((thread + call) % 4) {
            case 0:
              pool(&Counter::increment);
              break;
            case 1:
              pool.instance()->increment();
              break;
            case 2:
              pool.transaction([](Counter& counter) { counter.increment(); });
              break;
            default:
              if (auto lease = pool.instance_for(20s)) {
                auto moved = std::move(*lease);
                moved->increment();
              }
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  int sum = 0;
  for (const Counter& counter : counters) {
    sum += counter.value();
  }
  REQUIRE(Counter::overlaps() == before);
  REQUIRE(sum == kThreads * kCalls);
  REQUIRE(pool.stats().free == 3);
  REQUIRE(pool.stats().leases == kThreads * kCalls);
}

TEST_CASE("an instance comes back when its holder throws", "[instance_pool][Q3]") {
  InstancePool pool(Counter{});
  REQUIRE_THROWS_WITH(pool(&Counter::fail), "the counter failed");
  REQUIRE_THROWS_WITH(pool.transaction([](Counter& counter) { counter.fail(); }), "the counter failed");
  REQUIRE_THROWS_AS(
      [&] {
        auto counter = pool.instance();
        throw std::logic_error("in a block");
      }(),
      std::logic_error);
  REQUIRE(pool.stats().free == 1);
  REQUIRE(pool(&Counter::increment) == 1);
}

TEST_CASE("a lease waits while all are taken, and one that comes back wakes exactly one", "[instance_pool][Q4]") {
  InstancePool pool(Counter{});
  auto held = std::make_optional(pool.instance());
  std::atomic<int> got{0};
  Gate go_on;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      auto lease = pool.instance();
      ++got;
      go_on.wait();
    });
  }
  REQUIRE(until_waiting(pool, 3));
  REQUIRE(got == 0);
  held.reset();
  REQUIRE(eventually([&] { return got == 1; }));
  REQUIRE(pool.stats().waiting == 2);
  REQUIRE(pool.stats().leased == 1);
  go_on.open();
  for (std::thread& thread : threads) {
    thread.join();
  }
  REQUIRE(got == 3);
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a limited wait ends after its time, not before, and leaves the pool as it was", "[instance_pool][Q5]") {
  InstancePool pool(Counter{});
  const auto held = pool.instance();
  const auto before = std::chrono::steady_clock::now();
  REQUIRE_FALSE(pool.instance_for(30ms).has_value());
  REQUIRE(std::chrono::steady_clock::now() - before >= 30ms);
  REQUIRE(pool.stats().waiting == 0);
  REQUIRE(pool.stats().leased == 1);
}

TEST_CASE("a limited wait of zero or less only looks", "[instance_pool][Q5]") {
  InstancePool pool(Counter{});
  REQUIRE(pool.instance_for(0s).has_value());
  REQUIRE(pool.instance_for(-1h).has_value());
  REQUIRE(pool.try_instance().has_value());
  const auto held = pool.instance();
  REQUIRE_FALSE(pool.instance_for(0s).has_value());
  REQUIRE_FALSE(pool.instance_for(-1h).has_value());
  REQUIRE_FALSE(pool.try_instance().has_value());
  REQUIRE(pool.stats().waiting == 0);
}

TEST_CASE("a wait of NaN is refused by name", "[instance_pool][Q5]") {
  InstancePool pool(Counter{});
  REQUIRE_THROWS_WITH(pool.instance_for(std::chrono::duration<double>(std::nan(""))), contains("limit is NaN"));
  REQUIRE(pool.instance_for(Duration::never()).has_value());
}

TEST_CASE("an instance that comes back as a wait times out is not lost", "[instance_pool][Q6]") {
  InstancePool pool(Counter{});
  int got = 0;
  for (int round = 0; round < 300; ++round) {
    auto held = std::make_optional(pool.instance());
    const auto deadline = std::chrono::steady_clock::now() + 1ms;
    std::thread other([&] {
      while (std::chrono::steady_clock::now() < deadline) {
      }
      held.reset();
    });
    got += pool.instance_for(deadline - std::chrono::steady_clock::now()).has_value() ? 1 : 0;
    other.join();
    REQUIRE(pool.stats().free == 1);
    REQUIRE(pool.stats().waiting == 0);
  }
  CAPTURE(got);
}

TEST_CASE("threads that wait are served in the order of coming, and nobody overtakes", "[instance_pool][Q8]") {
  constexpr int kThreads = 5;
  InstancePool pool(Counter{});
  auto held = std::make_optional(pool.instance());
  std::vector<int> order;  // guarded by being the holder
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&pool, &order, thread] {
      const auto lease = pool.instance();
      order.push_back(thread);
    });
    REQUIRE(until_waiting(pool, static_cast<std::size_t>(thread) + 1));
  }
  REQUIRE_FALSE(pool.try_instance().has_value());
  held.reset();
  for (std::thread& thread : threads) {
    thread.join();
  }
  REQUIRE(order == std::vector{0, 1, 2, 3, 4});
}

TEST_CASE("a moved lease is the only one to give its instance back", "[instance_pool][Q9]") {
  InstancePool pool(two_counters());
  Lease<Counter> empty;
  REQUIRE_FALSE(empty);
  REQUIRE(empty.get() == nullptr);
  {
    auto first = pool.instance();
    Counter* const counter = first.get();
    Lease<Counter> second(std::move(first));
    REQUIRE_FALSE(first);  // NOLINT(bugprone-use-after-move)
    REQUIRE(second.get() == counter);
    REQUIRE_THROWS_AS(first->increment(), NoState);
    REQUIRE_THROWS_AS(*first, NoState);
    REQUIRE_THROWS_AS(first.release(), NoState);
    REQUIRE_THROWS_AS(first.discard(), NoState);
    REQUIRE(pool.stats().leased == 1);
    empty = std::move(second);
    REQUIRE(empty.get() == counter);
    REQUIRE(pool.stats().leased == 1);
    auto& self = empty;
    empty = std::move(self);
    REQUIRE(empty.get() == counter);
  }
  empty = pool.instance();
  REQUIRE(pool.stats().leased == 1);
  empty.release();
  REQUIRE_THROWS_WITH(empty.release(), contains("moved from, released or discarded"));
  REQUIRE(pool.stats().free == 2);
}

TEST_CASE("a lease may end on another thread", "[instance_pool][Q10]") {
  InstancePool pool(Counter{});
  std::thread([lease = pool.instance()]() mutable { lease->increment(); }).join();
  REQUIRE(pool.stats().free == 1);
  REQUIRE(pool(&Counter::increment) == 2);
}

TEST_CASE("a pool without a factory shrinks when an instance is discarded", "[instance_pool][Q11]") {
  std::atomic<int> living{0};
  std::vector<Alive> instances;
  instances.emplace_back(living);
  instances.emplace_back(living);
  InstancePool pool(std::move(instances));
  REQUIRE(living == 2);
  {
    auto broken = pool.instance();
    broken.discard();
    REQUIRE_FALSE(broken);
    REQUIRE(living == 1);
  }
  REQUIRE(pool.size() == 1);
  REQUIRE(pool.stats().capacity == 1);
  REQUIRE(pool.stats().discarded == 1);
  REQUIRE(pool.stats().made == 2);
  REQUIRE(pool.instance());
}

TEST_CASE("whoever waits is told when the last instance is discarded", "[instance_pool][Q11]") {
  InstancePool pool(Counter{});
  auto held = pool.instance();
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&] {
      try {
        static_cast<void>(pool.instance());
      } catch (const PoolClosed&) {
        ++told;
      }
    });
  }
  REQUIRE(until_waiting(pool, 2));
  held.discard();
  for (std::thread& thread : threads) {
    thread.join();
  }
  REQUIRE(told == 2);
  REQUIRE_THROWS_WITH(pool.instance(), contains("discarded"));
  REQUIRE(pool.size() == 0);
}

TEST_CASE("a factory replaces what was discarded, for whoever waits", "[instance_pool][Q11]") {
  std::atomic<int> living{0};
  std::atomic<int> made{0};
  InstancePool pool(
      [&] {
        ++made;
        return Alive(living);
      },
      1);
  auto held = std::make_optional(pool.instance());
  std::thread waiter([&] { pool.instance()->uses = 1; });
  REQUIRE(until_waiting(pool, 1));
  held->discard();
  waiter.join();
  REQUIRE(made == 2);
  REQUIRE(living == 1);
  REQUIRE(pool.stats().made == 2);
  REQUIRE(pool.stats().discarded == 1);
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("an instance that is leased outlives its pool", "[instance_pool][Q12]") {
  std::atomic<int> living{0};
  std::optional<Lease<Alive>> lease;
  {
    std::vector<Alive> instances;
    instances.emplace_back(living);
    instances.emplace_back(living);
    InstancePool pool(std::move(instances));
    lease = pool.instance();
  }
  REQUIRE(living == 1);
  (*lease)->uses = 1;
  lease.reset();
  REQUIRE(living == 0);
}

TEST_CASE("threads that wait get PoolClosed when the pool is destroyed", "[instance_pool][Q13]") {
  auto pool = std::make_unique<InstancePool<Counter>>(Counter{});
  auto held = std::make_optional(pool->instance());
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (int kind = 0; kind < 3; ++kind) {
    threads.emplace_back([&told, kind, pool = pool.get()] {
      try {
        switch (kind) {
          case 0:
            static_cast<void>(pool->instance());
            break;
          case 1:
            static_cast<void>(pool->instance_for(1h));
            break;
          default:
            (*pool)(&Counter::increment);
        }
      } catch (const PoolClosed&) {
        ++told;
      }
    });
  }
  REQUIRE(until_waiting(*pool, 3));
  pool.reset();
  for (std::thread& thread : threads) {
    thread.join();
  }
  REQUIRE(told == 3);
  REQUIRE(held->get()->increment() == 1);
}

TEST_CASE("a closed pool hands out nothing and destroys what is free", "[instance_pool][Q13]") {
  std::atomic<int> living{0};
  std::vector<Alive> instances;
  instances.emplace_back(living);
  instances.emplace_back(living);
  InstancePool pool(std::move(instances));
  auto held = pool.instance();
  pool.close();
  pool.close();
  REQUIRE(living == 1);
  REQUIRE_THROWS_AS(pool.instance(), PoolClosed);
  REQUIRE_THROWS_AS(pool.try_instance(), PoolClosed);
  REQUIRE_THROWS_AS(pool.instance_for(1h), PoolClosed);
  REQUIRE_THROWS_AS(pool.transaction([](Alive&) {}), PoolClosed);
  held.release();
  REQUIRE(living == 0);
  REQUIRE(pool.size() == 0);
  REQUIRE_THAT(pool.dump(), contains("closed"));
}

TEST_CASE("a call through the pool returns a value, never a part of an instance", "[instance_pool][Q14]") {
  InstancePool pool(Counter(7));
  STATIC_REQUIRE(std::is_same_v<decltype(pool(&Counter::name)), std::string>);
  STATIC_REQUIRE(std::is_same_v<decltype(pool(&Counter::reference)), int>);
  STATIC_REQUIRE(std::is_same_v<decltype(pool.transaction([](Counter& c) -> int& { return c.reference(); })), int>);
  STATIC_REQUIRE(std::is_same_v<decltype(pool.transaction([](Counter&) {})), void>);
  REQUIRE(pool(&Counter::name) == Counter().name());
  REQUIRE(pool(&Counter::reference) == 7);
}

TEST_CASE("a call passes its arguments on", "[instance_pool]") {
  InstancePool pool(Counter{});
  REQUIRE(pool(&Counter::add, 2, 3) == 5);
  int seen = 0;
  pool([](Counter& counter, std::unique_ptr<int> step, int& out) { out = counter.add(*step, 0); },
       std::make_unique<int>(4), seen);
  REQUIRE(seen == 9);
}

TEST_CASE("a pool is made of one instance, a range, a list, or owners of instances", "[instance_pool][Q20]") {
  Counter counter(1);
  Counter other(2);

  InstancePool one(Counter(5));
  InstancePool braces{Counter(6)};
  InstancePool copied(counter);
  InstancePool pointer(&counter);
  InstancePool unique(std::make_unique<Counter>(7));
  InstancePool shared(std::make_shared<Counter>(8));
  STATIC_REQUIRE(std::is_same_v<decltype(one), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(braces), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(pointer), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(unique), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(shared), InstancePool<Counter>>);
  REQUIRE(one(&Counter::value) == 5);
  REQUIRE(braces(&Counter::value) == 6);
  REQUIRE(copied(&Counter::increment) == 2);
  REQUIRE(counter.value() == 1);
  REQUIRE(pointer(&Counter::increment) == 2);
  REQUIRE(counter.value() == 2);
  REQUIRE(unique(&Counter::value) == 7);
  REQUIRE(shared(&Counter::value) == 8);

  const std::vector<Counter*> pointers{&counter, &other};
  std::list<Counter> values{Counter(1), Counter(2), Counter(3)};
  std::vector<std::shared_ptr<Counter>> owners{std::make_shared<Counter>(), std::make_shared<Counter>()};
  Counter* array[] = {&counter, &other};
  InstancePool of_pointers(pointers);
  InstancePool of_copies(values);
  InstancePool of_moved(std::move(values));
  InstancePool of_owners(owners);
  InstancePool of_array(array);
  InstancePool of_list({&counter, &other});
  InstancePool of_braces{&counter, &other};
  InstancePool of_values({Counter(1), Counter(2)});
  InstancePool of_unique(two_counters());
  InstancePool of_span(std::span<Counter* const>(pointers.data(), pointers.size()));
  STATIC_REQUIRE(std::is_same_v<decltype(of_pointers), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(of_copies), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(of_owners), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(of_array), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(of_list), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(of_braces), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(of_values), InstancePool<Counter>>);
  STATIC_REQUIRE(std::is_same_v<decltype(of_unique), InstancePool<Counter>>);
  REQUIRE(of_pointers.size() == 2);
  REQUIRE(of_copies.size() == 3);
  REQUIRE(of_moved.size() == 3);
  REQUIRE(of_owners.size() == 2);
  REQUIRE(of_array.size() == 2);
  REQUIRE(of_list.size() == 2);
  REQUIRE(of_braces.size() == 2);
  REQUIRE(of_values.size() == 2);
  REQUIRE(of_unique.size() == 2);
  REQUIRE(of_span.size() == 2);

  // Named types: a range as an instance, a base class, a constant.
  InstancePool<std::vector<int>> of_range(std::vector<int>{1, 2, 3});
  struct Derived : Counter {};
  InstancePool<Counter> of_base(std::make_unique<Derived>());
  InstancePool of_constants({static_cast<const Counter*>(&counter)});
  REQUIRE(of_range(&std::vector<int>::size) == 3);
  REQUIRE(of_base(&Counter::increment) == 1);
  REQUIRE(of_constants(&Counter::value) == counter.value());
}

TEST_CASE("a container that is given away is emptied, what a view looks at is not", "[instance_pool][Q20]") {
  std::vector<std::shared_ptr<Counter>> owners{std::make_shared<Counter>(1), std::make_shared<Counter>(2)};
  const InstancePool of_span(std::span(owners.data(), owners.size()));
#if !defined(__clang__) || __clang_major__ >= 16  // Clang 14 cannot compile the views of libstdc++
  {
    const InstancePool of_view(owners | std::views::filter([](const auto& owner) { return owner != nullptr; }));
    const InstancePool of_mapped(std::views::iota(0, 3) |
                                 std::views::transform([](int value) { return Counter(value); }));
    REQUIRE(of_view.size() == 2);
    REQUIRE(owners[0].use_count() == 3);
    REQUIRE(of_mapped.size() == 3);
  }
#endif
  const InstancePool of_lvalue(owners);
  REQUIRE(owners[0].use_count() == 3);
  REQUIRE(owners[1].use_count() == 3);
  const InstancePool of_moved(std::move(owners));
  REQUIRE(of_moved.size() == 2);

  std::list<std::unique_ptr<Counter>> only;  // cannot be copied
  only.push_back(std::make_unique<Counter>(3));
  const InstancePool of_only(std::move(only));
  REQUIRE(of_only.size() == 1);
}

TEST_CASE("instances need not be movable if they are made in place", "[instance_pool][Q20]") {
  InstancePool pool([] { return Immovable(3); }, 2);
  STATIC_REQUIRE(std::is_same_v<decltype(pool), InstancePool<Immovable>>);
  REQUIRE(pool(&Immovable::value) == 3);
  InstancePool owned([] { return std::make_unique<Immovable>(4); }, 2);
  STATIC_REQUIRE(std::is_same_v<decltype(owned), InstancePool<Immovable>>);
  REQUIRE(owned(&Immovable::value) == 4);
}

TEST_CASE("an empty range is refused", "[instance_pool][Q20]") {
  const std::vector<Counter*> none;
  REQUIRE_THROWS_AS(InstancePool(none), std::invalid_argument);
  REQUIRE_THROWS_WITH(InstancePool(none), contains("instances is empty"));
}

TEST_CASE("a factory makes instances when they are needed, up to the maximum", "[instance_pool][Q20]") {
  int made = 0;
  InstancePool pool([&made] { return std::make_unique<Counter>(++made); }, 2, {.default_queue = "made"});
  REQUIRE(made == 0);
  REQUIRE(pool.size() == 0);
  REQUIRE(pool.stats().capacity == 2);
  {
    auto first = pool.instance();
    REQUIRE(made == 1);
    auto second = pool.instance();
    REQUIRE(made == 2);
    REQUIRE_FALSE(pool.try_instance().has_value());
  }
  REQUIRE(pool.instance());
  REQUIRE(made == 2);
  REQUIRE(pool.size() == 2);
}

TEST_CASE("a slow factory keeps nobody else", "[instance_pool][Q21]") {
  Gate slow;
  std::atomic<int> calls{0};
  InstancePool pool(
      [&] {
        if (++calls == 2) {
          slow.wait();
        }
        return Counter(calls);
      },
      3);
  auto first = std::make_optional(pool.instance());
  std::thread stuck([&] { pool(&Counter::increment); });
  REQUIRE(eventually([&] { return calls == 2; }));
  first.reset();
  REQUIRE(pool(&Counter::value) == 1);
  {
    auto again = pool.instance();
    REQUIRE(pool.instance()->value() == 3);  // the third is made while the second is not ready
  }
  REQUIRE(pool.size() == 2);
  slow.open();
  stuck.join();
  REQUIRE(pool.size() == 3);
}

TEST_CASE("what a factory throws goes to whoever needed the instance, and the next one tries again",
          "[instance_pool][Q21]") {
  int calls = 0;
  InstancePool pool(
      [&calls] {
        if (++calls == 1) {
          throw std::runtime_error("no connection");
        }
        return Counter();
      },
      1);
  REQUIRE_THROWS_WITH(pool(&Counter::increment), "no connection");
  REQUIRE(pool.stats().leased == 0);
  REQUIRE(pool(&Counter::increment) == 1);
}

TEST_CASE("a factory that fails leaves nobody waiting forever", "[instance_pool][Q11][Q21]") {
  Gate go_on;
  std::atomic<int> calls{0};
  InstancePool pool(
      [&] {
        if (++calls == 1) {
          go_on.wait();
        }
        if (calls <= 2) {
          throw std::runtime_error("no connection");
        }
        return Counter();
      },
      1);
  std::atomic<int> failed{0};
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      try {
        pool(&Counter::increment);
        ++served;
      } catch (const std::runtime_error&) {
        ++failed;
      }
    });
  }
  REQUIRE(until_waiting(pool, 3));
  go_on.open();
  for (std::thread& thread : threads) {
    thread.join();
  }
  REQUIRE(failed == 2);
  REQUIRE(served == 2);
  REQUIRE(pool.size() == 1);
}

TEST_CASE("null and repeated instances, and impossible numbers, are refused by name", "[instance_pool][Q22][U4]") {
  Counter counter;
  const std::vector<Counter*> one_null{&counter, nullptr};
  const std::vector<Counter*> twice{&counter, &counter};
  const std::function<Counter()> no_factory;
  const auto factory = [] { return Counter(); };
  REQUIRE_THROWS_AS(InstancePool(one_null), std::invalid_argument);
  REQUIRE_THROWS_WITH(InstancePool(one_null), contains("instances[1] is null"));
  REQUIRE_THROWS_WITH(InstancePool(twice), contains("instances[1] is the same instance as instances[0]"));
  REQUIRE_THROWS_WITH(InstancePool(std::vector<Counter*>{&counter, &counter, nullptr}), contains("instances[1] is"));
  REQUIRE_THROWS_WITH(InstancePool(std::unique_ptr<Counter>()), contains("instance is null"));
  REQUIRE_THROWS_WITH(InstancePool(std::shared_ptr<Counter>()), contains("instance is null"));
  REQUIRE_THROWS_WITH(InstancePool(static_cast<Counter*>(nullptr)), contains("instance is null"));
  REQUIRE_THROWS_WITH(InstancePool(no_factory, 1), contains("factory is null"));
  REQUIRE_THROWS_WITH(InstancePool(factory, 0), contains("max is 0"));
  REQUIRE_THROWS_WITH(InstancePool(factory, static_cast<std::size_t>(-1)),
                      contains("max is " + std::to_string(static_cast<std::size_t>(-1))));
  REQUIRE_THROWS_WITH(InstancePool(Counter{}, {.default_queue = ""}), contains("default_queue is empty"));

  InstancePool pool([] { return std::unique_ptr<Counter>(); }, 1);
  REQUIRE_THROWS_WITH(pool.instance(), contains("null pointer"));
  REQUIRE_THROWS_WITH(pool.instance(), contains("null pointer"));
  REQUIRE(pool.stats().leased == 0);
}

#if !defined(__clang__) || __clang_major__ >= 16  // Clang 14 cannot compile the views of libstdc++
TEST_CASE("a range that computes its elements is read once", "[instance_pool][Q22]") {
  int made = 0;
  const auto make = [&made](int) {
    ++made;
    return std::make_unique<Counter>();
  };
  InstancePool pool(std::views::iota(0, 5) | std::views::transform(make));
  REQUIRE(made == 5);
  REQUIRE(pool.size() == 5);
}
#endif

TEST_CASE("one instance among many that is there twice is found, however far apart they lie", "[instance_pool][Q22]") {
  std::vector<Counter> counters(3'000);
  for (const std::size_t step : {1U, 2U, 1'000U}) {
    CAPTURE(step);
    std::vector<Counter*> pointers;
    for (std::size_t i = 0; i < counters.size(); i += step) {
      pointers.push_back(&counters[i]);
    }
    REQUIRE(InstancePool(pointers).size() == pointers.size());
    pointers.push_back(pointers[1]);
    REQUIRE_THROWS_WITH(InstancePool(pointers), contains("instances[" + std::to_string(pointers.size() - 1) +
                                                         "] is the same instance as instances[1]"));
  }
}

TEST_CASE("a null callable is refused before an instance is taken", "[instance_pool][U3]") {
  InstancePool pool(Counter{});
  REQUIRE_THROWS_AS(pool.transaction(std::function<void(Counter&)>()), std::invalid_argument);
  REQUIRE_THROWS_AS(pool(static_cast<int (Counter::*)()>(nullptr)), std::invalid_argument);
  REQUIRE(pool.stats().leases == 0);
}

TEST_CASE("a thread that holds every instance itself is told, not stuck", "[instance_pool][M5]") {
  InstancePool pool(Counter{});

  SECTION("a transaction in a transaction") {
    pool.transaction([&](Counter&) {
      REQUIRE_THROWS_AS(pool.transaction([](Counter&) {}), DeadlockError);
      REQUIRE_THROWS_AS(pool(&Counter::increment), DeadlockError);
      REQUIRE_THROWS_AS(pool.instance(), DeadlockError);
      REQUIRE_THROWS_AS(pool.instance_for(Duration::never()), DeadlockError);
      REQUIRE_FALSE(pool.instance_for(1ms).has_value());
      REQUIRE_FALSE(pool.try_instance().has_value());
    });
  }
  SECTION("a lease that was taken here and never moved") {
    const auto held = pool.instance();
    REQUIRE_THROWS_AS(pool.instance(), DeadlockError);
    REQUIRE_THROWS_WITH(pool.instance(), contains("instance_pool_test.cpp:"));
    REQUIRE_FALSE(pool.instance_for(1ms).has_value());
  }
  SECTION("a lease from a limited wait") {
    const auto held = pool.instance_for(1h);
    REQUIRE_THROWS_AS(pool.instance(), DeadlockError);
  }
  REQUIRE(pool.stats().free == 1);
  REQUIRE(pool.stats().waiting == 0);
  REQUIRE(pool(&Counter::increment) == 1);
}

TEST_CASE("a wait becomes certain to last when the other instance is discarded", "[instance_pool][M5][Q11]") {
  InstancePool pool(two_counters());
  auto others = std::make_optional(pool.instance());
  std::atomic<bool> told{false};
  std::thread waiter([&] {
    const auto mine = pool.instance();
    try {
      static_cast<void>(pool.instance());
    } catch (const DeadlockError&) {
      told = true;
    }
  });
  REQUIRE(until_waiting(pool, 1));
  others->discard();
  waiter.join();
  REQUIRE(told);
  REQUIRE(pool.stats().free == 1);
}

TEST_CASE("a lease that was moved, or taken on the heap, is not taken for a deadlock", "[instance_pool][M5]") {
  InstancePool pool(Counter{});

  SECTION("moved to another thread") {
    auto held = pool.instance();
    std::thread other([&pool, lease = std::move(held)]() mutable {
      if (until_waiting(pool, 1)) {
        lease.release();
      }
    });
    REQUIRE(pool(&Counter::increment) == 1);
    other.join();
  }
  SECTION("made on the heap, where anybody may end it") {
    const std::unique_ptr<Lease<Counter>> held(new Lease<Counter>(pool.instance()));
    std::thread other([&] {
      if (until_waiting(pool, 1)) {
        held->release();
      }
    });
    REQUIRE(pool(&Counter::increment) == 1);
    other.join();
  }
  SECTION("held by another thread") {
    Gate holds;
    std::thread other([&] {
      const auto lease = pool.instance();
      holds.open();
      static_cast<void>(until_waiting(pool, 1));
    });
    holds.wait();
    REQUIRE(pool(&Counter::increment) == 1);
    other.join();
  }
}

TEST_CASE("the pool tells who holds its instances, since when, and from where", "[instance_pool]") {
  InstancePool pool(two_counters(), {.default_queue = "told"});
  const auto held = pool.instance();
  Gate inside;
  Gate go_on;
  std::thread other([&] {
    pool.transaction([&](Counter&) {
      inside.open();
      go_on.wait();
    });
  });
  inside.wait();
  std::thread waiting([&] { pool(&Counter::increment); });
  const bool waits = until_waiting(pool, 1);
  const std::string text = pool.dump();
  go_on.open();
  other.join();
  waiting.join();
  REQUIRE(waits);
  REQUIRE_THAT(text, contains("default queue 'told'"));
  REQUIRE_THAT(text, contains("2 instance(s) of at most 2, 0 free, 2 leased, 1 waiting"));
  REQUIRE_THAT(text, contains("held: lease taken at "));
  REQUIRE_THAT(text, contains("instance_pool_test.cpp:"));
  REQUIRE_THAT(text, contains("held: transaction at "));
  REQUIRE_THAT(text, contains("waiting: call by thread "));
  REQUIRE_THAT(text, contains(" s ago"));
}
