// SPDX-License-Identifier: MIT
//
// Models of what else happens to a pool's instances while others wait for them: they retire, they turn out to be bad
// when they go out or come back, and a waiter's time is up.
//
// One deviation only where a model has three threads of its own: the threads of the pool's queue and of the clock come
// on top. Strict time only where a thread waits in a loop for the others, or for the clock, to come that far: each of
// its sleeps could end early at any moment.

#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/explore.hpp"
#include "toto/instance_pool.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// What a model knows of the instances of its pool.
struct Count {
  Tally living = 0;
  Tally made = 0;
  int most = 1'000;
};

struct Thing {
  explicit Thing(Count& of_model) : count(&of_model), number(++of_model.made) {
    toto::testing::assert_no_lock_held();
    require(++count->living <= count->most, "no more instances than there may be");
  }
  Thing(Thing&& other) noexcept : count(std::exchange(other.count, nullptr)), number(other.number) {}
  ~Thing() {
    if (count != nullptr) {
      toto::testing::assert_no_lock_held();
      require(!used, "an instance is destroyed while it is used");
      SimRuntime::point("destroying an instance");
      --count->living;
    }
  }
  int use() {
    require(!std::exchange(used, true), "an instance has two users");
    SimRuntime::point("inside the instance");
    used = false;
    return number;
  }

  Count* count;
  int number;
  bool used = false;
};

using Pool = toto::InstancePool<Thing, SimRuntime>;

std::vector<Thing> things(Count& count, int how_many) {
  std::vector<Thing> all;
  for (int i = 0; i < how_many; ++i) {
    all.emplace_back(count);
  }
  return all;
}

/// The first instance is no good.
bool is_good(Thing& thing) {
  toto::testing::assert_no_lock_held();
  return thing.use() != 1;
}

void check_counts(const Pool& pool) {
  const toto::PoolStats stats = pool.stats();
  require(stats.made == stats.instances + stats.discarded + stats.rejected + stats.retired + stats.closed,
          "every instance that was made is there, or it is known what became of it");
  require(stats.free + stats.leased == stats.instances + stats.changing, "every instance is free or leased");
}

/// Whether the coroutine got a lease within the limit.
toto::Task<> take_within(Pool& pool, toto::Duration limit, Tally& taken, Tally& late) {
  try {
    auto lease = co_await pool.lease_for(limit);
    lease->use();
    ++taken;
  } catch (const toto::TimedOut&) {
    ++late;
  } catch (const toto::PoolClosed&) {
    ++late;
  }
}

void run(toto::Task<> coroutine) {
  SimLoop loop;
  loop.spawn(std::move(coroutine));
  loop.run();
}

void abandon(toto::Task<> coroutine) {
  SimLoop loop;
  loop.spawn(std::move(coroutine));
  loop.post([&loop] { loop.stop(); });
  loop.run();
  SimRuntime::point("the coroutine is about to be destroyed");
}

}  // namespace

TEST_CASE("an instance retires while others want one", "[simulation][Q2][inv.P1]") {
  explore("retire against take", {.deviations = 1, .random_schedules = 10'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count{.most = 1};
    {
      Pool pool([&count] { return Thing(count); }, 1, {.idle_timeout = 1ms});
      const auto watch = sim.on_step([&pool] { check_counts(pool); });
      const auto user = [&] {
        pool(&Thing::use);
        sim.sleep_for(1ms);
        pool(&Thing::use);
      };
      sim.run_threads({{"one", user}, {"other", user}});
      while (pool.size() > 0 || pool.stats().leased > 0) {
        sim.sleep_for(1ms);
      }
      require(pool.stats().waiting == 0, "nobody waits");
    }
    require(count.living == 0, "no instance is left");
  });
}

TEST_CASE("what is idle goes, and the minimum stays", "[simulation][inv.P5]") {
  explore("retire to the minimum", {.random_schedules = 5'000, .eager = false}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count{.most = 2};
    Pool pool([&count] { return Thing(count); }, 2, {.idle_timeout = 1ms, .min_instances = 1});
    SimBarrier both(2);
    const auto user = [&] { pool([&both](Thing&) { both.arrive_and_wait(); }); };
    sim.run_threads({{"one", user}, {"other", user}});
    while (pool.stats().retired == 0) {
      sim.sleep_for(1ms);
    }
    sim.sleep_for(10ms);
    require(pool.size() == 1 && pool.stats().retired == 1, "one is left");
    require(pool.transaction(&Thing::use) > 0, "and can be used");
  });
}

TEST_CASE("a pool is destroyed while an instance of it retires", "[simulation][Q12]") {
  explore("retire against close", {.random_schedules = 5'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    {
      auto pool = std::make_unique<Pool>([&count] { return Thing(count); }, 2, toto::PoolOptions{.idle_timeout = 1ms});
      sim.spawn("user", [lease = pool->instance()]() mutable {
        lease->use();
        lease.release();
      });
      sim.sleep_for(1ms);
      pool.reset();
      sim.join_all();
    }
    SimQueue::shutdown_instances(toto::Duration::never());
    require(count.living == 0, "no instance is left");
  });
}

TEST_CASE("an instance that is no good is replaced while others wait for it", "[simulation][Q8][Q11]") {
  explore("validate and replace", {.deviations = 1, .random_schedules = 5'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count{.most = 1};
    Tally taken;
    Tally late;
    Pool pool([&count] { return Thing(count); }, 1);
    pool.validate(&is_good);
    std::optional held(pool.instance());
    const auto watch = sim.on_step([&pool] { check_counts(pool); });
    auto handle = pool.await_transaction(&Thing::use);
    sim.run_threads({{"thread", [&] { pool(&Thing::use); }},
                     {"coroutine", [&] { run(take_within(pool, toto::Duration::never(), taken, late)); }},
                     {"holder", [&] { held.reset(); }}});
    require(handle.get() == 2 && taken == 1, "everybody was served");
    require(count.made == 2 && pool.stats().free == 1, "by the one that was made instead");
    require(pool.stats().instances == 1 && pool.stats().rejected == 1, "which is the only one there is");
  });
}

TEST_CASE("who was given an instance that is no good gets the next one", "[simulation][Q8][Q11]") {
  explore("validate and wait again", {.deviations = 1, .random_schedules = 5'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    Tally taken;
    Tally late;
    Pool pool(things(count, 2));
    pool.validate(&is_good);
    auto good = pool.instance();  // the first one is destroyed on the way
    require(pool.size() == 1, "one is left");
    std::optional held(std::move(good));
    sim.run_threads({{"thread", [&] { pool(&Thing::use); }},
                     {"coroutine", [&] { run(take_within(pool, toto::Duration::never(), taken, late)); }},
                     {"holder", [&] { held.reset(); }}});
    require(taken == 1 && pool.stats().free == 1, "both were served");
  });
}

TEST_CASE("who was given an instance that is no good goes before everybody else", "[simulation][Q8][Q11][inv.P2]") {
  explore("validate and go first", {.deviations = 1, .random_schedules = 5'000, .eager = false}, [](Simulation& sim) {
    Count count;
    std::string order;
    Pool pool(things(count, 2));
    bool first = true;
    pool.validate([&first](Thing& thing) { return std::exchange(first, false) || is_good(thing); });
    std::optional bad(pool.instance());
    std::optional good(pool.instance());
    const auto until_waiting = [&](std::size_t waiting, std::size_t rejected) {
      while (pool.stats().waiting != waiting || pool.stats().rejected != rejected) {
        sim.sleep_for(1ms);
      }
    };
    const auto user = [&](char name) {
      const auto lease = pool.instance();
      order += name;
    };
    sim.spawn("a", [&] { user('a'); });
    until_waiting(1, 0);
    sim.spawn("b", [&] { user('b'); });
    until_waiting(2, 0);
    bad.reset();  // to a, for whom it is no good
    until_waiting(2, 1);
    good.reset();
    sim.join_all();
    require(order == "ab", "a still had his place");
  });
}

TEST_CASE("a transaction and a thread share what is left of a pool", "[simulation][Q8][Q11]") {
  explore("one of two is no good", {.deviations = 1, .random_schedules = 5'000, .eager = false}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    {
      Pool pool(things(count, 2));
      pool.validate(&is_good);
      int value = 0;
      sim.run_threads({{"thread", [&] { pool(&Thing::use); }},
                       {"transaction", [&] { value = pool.await_transaction(&Thing::use).get(); }}});
      require(value == 2, "both were served by the good one");
      require(pool.stats().rejected == 1 && pool.stats().free == 1, "which is all there is");
      check_counts(pool);
    }
    require(count.living == 0, "no instance is left");
  });
}

TEST_CASE("the queue of a transaction that waits again ends", "[simulation][Q11][Q18]") {
  explore("no good against the queue's end", {.random_schedules = 5'000, .eager = false}, [](Simulation& sim) {
    Count count;
    {
      Pool pool(things(count, 2));
      bool first = true;
      pool.validate([&first](Thing& thing) { return std::exchange(first, false) || is_good(thing); });
      std::optional bad(pool.instance());
      std::optional good(pool.instance());
      std::optional<SimQueue> queue(std::in_place, 1, 5ms);
      auto handle = pool.await_transaction(&Thing::use, *queue);
      bad.reset();  // to the transaction
      sim.run_threads({{"owner", [&] { queue.reset(); }}, {"holder", [&] { good.reset(); }}});
      try {
        require(handle.get() == 2, "it ran with the good one");
      } catch (const toto::QueueClosed&) {
      }
      require(pool.stats().leased == 0 && pool.stats().waiting == 0, "nothing is lost");
    }
    require(count.living == 0, "no instance is left");
  });
}

TEST_CASE("validating a transaction's instance against cancelling it and giving back the other",
          "[simulation][Q11][Q18]") {
  explore("no good against cancel", {.random_schedules = 5'000}, [](Simulation& sim) {
    Count count;
    {
      Pool pool(things(count, 2));
      bool first = true;
      pool.validate([&first](Thing& thing) { return std::exchange(first, false) || is_good(thing); });
      std::optional bad(pool.instance());
      std::optional good(pool.instance());
      {
        SimQueue queue(1, 5ms);
        const auto checks = watch(sim, queue);
        auto handle = pool.await_transaction(&Thing::use, queue);
        bad.reset();  // to the transaction
        bool cancelled = false;
        sim.run_threads({{"canceller", [&] { cancelled = handle.cancel(); }}, {"holder", [&] { good.reset(); }}});
        try {
          const int number = handle.get();
          require(!cancelled && number == 2, "it ran with the good one");
        } catch (const toto::TaskCancelled&) {
          require(cancelled, "only a cancelled transaction says so");
        }
        queue.wait_idle();
        const toto::QueueStats stats = queue.stats();
        require(stats.submitted == stats.completed + stats.failed + stats.cancelled, "its queue's counts agree");
      }
      require(pool.stats().leased == 0 && pool.stats().waiting == 0, "nothing is lost");
    }
    require(count.living == 0, "no instance is left");
  });
}

TEST_CASE("an instance that must not come back is replaced for whoever waits", "[simulation][Q11][inv.P4]") {
  explore("on_return throws", {.deviations = 1, .random_schedules = 5'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count{.most = 1};
    Tally taken;
    Tally late;
    Pool pool([&count] { return Thing(count); }, 1);
    pool.on_return([](Thing& thing) {
      if (!is_good(thing)) {
        throw std::runtime_error("cannot be cleaned up");
      }
    });
    std::optional held(pool.instance());
    const auto watch = sim.on_step([&pool] { check_counts(pool); });
    sim.run_threads({{"thread", [&] { pool(&Thing::use); }},
                     {"coroutine", [&] { run(take_within(pool, toto::Duration::never(), taken, late)); }},
                     {"holder", [&] { held.reset(); }}});
    require(taken == 1 && count.made == 2 && pool.stats().free == 1, "both got the one that was made instead");
  });
}

TEST_CASE("the time of a coroutine is up as its instance comes", "[simulation][Q5][Q6][inv.P3]") {
  explore("limit against release", {.random_schedules = 10'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    Tally taken;
    Tally late;
    Pool pool(Thing{count});
    std::optional held(pool.instance());
    sim.run_threads({{"coroutine",
                      [&] {
                        const toto::Duration before = sim.elapsed();
                        run(take_within(pool, 1ms, taken, late));
                        require(late == 0 || (sim.elapsed().nanoseconds() - before.nanoseconds()) >= 1ms, "not before");
                      }},
                     {"holder", [&] {
                        sim.sleep_for(1ms);
                        held.reset();
                      }}});
    require(taken + late == 1, "it was served or told, once");
    require(pool.stats().free == 1 && pool.stats().waiting == 0, "the instance is back, and nobody waits");
  });
}

TEST_CASE("the time of a coroutine is up before it stands in line, or while it does", "[simulation][Q5]") {
  explore("nothing but the limit", {.random_schedules = 1'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    Tally taken;
    Tally late;
    Pool pool(Thing{count});
    auto held = pool.instance();
    auto moved = std::move(held);
    sim.run_threads({{"coroutine", [&] { run(take_within(pool, 1ms, taken, late)); }}});
    require(late == 1 && pool.stats().waiting == 0, "it was told");
  });
}

TEST_CASE("a coroutine with a limit dies, or its pool does", "[simulation][Q13][Q19]") {
  explore("limit against death", {.deviations = 1, .random_schedules = 10'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    Tally taken;
    Tally late;
    Pool pool(Thing{count});
    std::optional held(pool.instance());
    sim.run_threads({{"dies", [&] { abandon(take_within(pool, 1ms, taken, late)); }},
                     {"holder",
                      [&] {
                        sim.sleep_for(1ms);
                        held.reset();
                      }},
                     {"closer", [&] {
                        sim.sleep_for(1ms);
                        pool.close();
                      }}});
    require(taken + late <= 1, "it was served or told, at most once");
    require(pool.stats().leased == 0 && pool.stats().waiting == 0 && count.living == 0, "nothing is left");
  });
}

TEST_CASE("the time is up while the instance is found to be no good", "[simulation][Q6][Q11]") {
  explore("limit against validate", {.deviations = 1, .random_schedules = 5'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    Tally taken;
    Tally late;
    Pool pool(things(count, 2));
    bool first = true;
    pool.validate([&first](Thing& thing) { return std::exchange(first, false) || is_good(thing); });
    std::optional bad(pool.instance());
    std::optional good(pool.instance());
    bad.reset();
    sim.run_threads({{"coroutine", [&] { run(take_within(pool, 1ms, taken, late)); }}, {"holder", [&] {
                                                                                          sim.sleep_for(1ms);
                                                                                          good.reset();
                                                                                        }}});
    require(taken + late == 1, "it was served or told, once");
    require(pool.stats().free == 1 && pool.stats().waiting == 0, "the good one is back, and nobody waits");
  });
}

TEST_CASE("a coroutine that dies while its instance is found to be no good does not wait again",
          "[simulation][Q11][Q19]") {
  explore("no good for a dead coroutine", {.random_schedules = 5'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Count count;
    Tally taken;
    Tally late;
    Pool pool(things(count, 2));
    bool first = true;
    pool.validate([&first](Thing& thing) { return std::exchange(first, false) || is_good(thing); });
    std::optional bad(pool.instance());
    std::optional good(pool.instance());
    bad.reset();
    sim.run_threads({{"dies", [&] { abandon(take_within(pool, toto::Duration::never(), taken, late)); }}});
    SimQueue::instance("pool").wait_idle();
    require(pool.stats().waiting == 0, "nobody waits");
    good.reset();
    require(taken + late == 0 && pool.stats().leased == 0, "nothing is lost");
  });
}
