// SPDX-License-Identifier: MIT
//
// Models of the moments at which an instance of a pool changes hands: to a coroutine that is being destroyed, to a
// transaction that is being cancelled, from a factory that fails, out of a pool that shrinks or closes.
//
// One deviation only where a model has three threads of its own: the threads of the pool's queue and of the clock come
// on top. Strict time only where a thread waits in a loop for the others, or for the clock, to come that far: each of
// its sleeps could end early at any moment.

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "support/explore.hpp"
#include "toto/instance_pool.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

struct Thing {
  explicit Thing(Tally& of_model) : living(&of_model) { ++*living; }
  Thing(Thing&& other) noexcept : living(std::exchange(other.living, nullptr)), uses(other.uses) {}
  ~Thing() {
    if (living != nullptr) {
      --*living;
    }
  }
  int use() {
    SimRuntime::point("inside the instance");
    return ++uses;
  }

  Tally* living;
  int uses = 0;
};

using Pool = toto::InstancePool<Thing, SimRuntime>;

toto::Task<> take_one(Pool& pool, Tally& taken) {
  auto lease = co_await pool.lease();
  lease->use();
  ++taken;
}

toto::Task<> try_one(Pool& pool, Tally& taken, Tally& failed) {
  try {
    auto lease = co_await pool.lease();
    lease->use();
    ++taken;
  } catch (const std::runtime_error&) {
    ++failed;
  }
}

/// Runs a coroutine on a loop, and destroys both when it has had its turn or two.
void abandon(toto::Task<> coroutine) {
  SimLoop loop;
  loop.spawn(std::move(coroutine));
  loop.post([&loop] { loop.stop(); });
  loop.run();
  SimRuntime::point("the coroutine is about to be destroyed");
}

void wait_until_waiting(Simulation& sim, const Pool& pool, std::size_t count) {
  while (pool.stats().waiting < count) {
    sim.sleep_for(1ms);
  }
}

}  // namespace

TEST_CASE("an instance on its way to a coroutine that dies goes to the next in line", "[simulation][Q6][Q19][inv.P3]") {
  explore("coroutine dies in line", {.random_schedules = 5'000, .eager = false}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Tally living;
    Tally taken;
    bool served = false;
    {
      Pool pool(Thing{living});
      std::optional held(pool.instance());
      std::optional<SimLoop> loop(std::in_place);
      loop->spawn(take_one(pool, taken));
      loop->post([&loop] { loop->stop(); });
      loop->run();
      sim.spawn("next", [&] {
        pool(&Thing::use);
        served = true;
      });
      wait_until_waiting(sim, pool, 2);
      sim.spawn("holder", [&] { held.reset(); });
      loop.reset();  // with the coroutine, which has the instance on its way, or stands in line
      sim.join_all();
      require(served && taken == 0, "the thread behind it was served");
    }
    require(living == 0, "the instance was destroyed with its pool");
  });
}

TEST_CASE("a coroutine that dies while it waits, or with its instance posted, loses none", "[simulation][Q19]") {
  explore("coroutine dies", {.random_schedules = 10'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Tally living;
    Tally taken;
    Pool pool(Thing{living});
    std::optional held(pool.instance());
    sim.run_threads({{"holder", [&] { held.reset(); }},
                     {"one", [&] { abandon(take_one(pool, taken)); }},
                     {"other", [&] { abandon(take_one(pool, taken)); }}});
    require(pool.stats().free == 1 && pool.stats().waiting == 0, "the instance is back, and nobody waits");
  });
}

TEST_CASE("an instance that is made for a coroutine that dies is not lost", "[simulation][Q19][Q21]") {
  explore("coroutine dies, factory", {.random_schedules = 5'000, .eager = false}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Tally living;
    Tally taken;
    Pool pool([&living] { return Thing(living); }, 1);
    sim.run_threads({{"coroutine", [&] { abandon(take_one(pool, taken)); }}, {"thread", [&] { pool(&Thing::use); }}});
    SimQueue::instance("pool").wait_idle();
    require(pool.stats().free == 1 && pool.stats().waiting == 0, "the instance is free, and nobody waits");
    require(living == 1, "one was made");
  });
}

TEST_CASE("a factory that fails once serves everybody else", "[simulation][Q11][Q21]") {
  explore("failing factory", {.deviations = 1, .random_schedules = 5'000, .eager = false}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    Tally living;
    Tally calls;
    Tally taken;
    Tally failed;
    Pool pool(
        [&] {
          if (++calls == 1) {
            throw std::runtime_error("no");
          }
          return Thing(living);
        },
        1);
    const auto thread = [&] {
      try {
        pool(&Thing::use);
        ++taken;
      } catch (const std::runtime_error&) {
        ++failed;
      }
    };
    sim.run_threads({{"one", thread}, {"other", thread}, {"loop", [&] {
                                                            SimLoop loop;
                                                            loop.spawn(try_one(pool, taken, failed));
                                                            loop.run();
                                                          }}});
    require(taken == 2 && failed == 1, "one got the failure, two an instance");
    require(pool.stats().free == 1 && living == 1, "there is one instance");
  });
}

TEST_CASE("cancelling a transaction that waits for an instance, against its coming", "[simulation][Q18][K4]") {
  explore("cancel against grant", {.random_schedules = 10'000}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    bool cancelled = false;
    Pool pool(Thing{living});
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      std::optional held(pool.instance());
      auto handle = pool.await_transaction([&ran](Thing& thing) { ran += thing.use(); }, queue);
      sim.run_threads({{"holder", [&] { held.reset(); }}, {"canceller", [&] { cancelled = handle.cancel(); }}});
      try {
        handle.get();
        require(!cancelled, "a cancelled transaction has no result");
      } catch (const toto::TaskCancelled&) {
        require(cancelled, "only a cancelled transaction says so");
      }
    }
    require(ran == (cancelled ? 0 : 1), "it ran, or it was cancelled");
    require(pool.stats().free == 1 && pool.stats().waiting == 0, "the instance is back");
  });
}

TEST_CASE("closing a pool against a transaction, a thread and an instance that comes back",
          "[simulation][Q13][inv.P3]") {
  explore("close against give back", {.random_schedules = 10'000}, [](Simulation& sim) {
    Tally living;
    Tally over;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      auto pool = std::make_unique<Pool>(Thing{living});
      std::optional held(pool->instance());
      auto handle = pool->await_transaction([](Thing& thing) { return thing.use(); }, queue);
      sim.spawn("waiter", [&over, core = pool.get()] {
        try {
          (*core)(&Thing::use);
        } catch (const toto::PoolClosed&) {
        }
        ++over;
      });
      wait_until_waiting(sim, *pool, 2);
      sim.spawn("holder", [&] { held.reset(); });
      pool.reset();
      try {
        handle.get();
      } catch (const toto::PoolClosed&) {
      }
      ++over;
      sim.join_all();
    }
    require(over == 2, "everybody was served or told");
    require(living == 0, "the instance is gone");
  });
}

TEST_CASE("discarding the last instance tells whoever waits, and whoever comes", "[simulation][Q11]") {
  explore("discard the last", {.random_schedules = 10'000}, [](Simulation& sim) {
    Tally living;
    Tally told;
    Pool pool(Thing{living});
    std::optional held(pool.instance());
    const auto wait = [&] {
      try {
        pool(&Thing::use);
      } catch (const toto::PoolClosed&) {
        ++told;
      }
    };
    sim.run_threads({{"one", wait}, {"other", wait}, {"holder", [&] { held->discard(); }}});
    require(told == 2 && living == 0, "both were told");
  });
}

TEST_CASE("a discarded instance is replaced for whoever waits", "[simulation][Q11]") {
  explore("discard and replace", {.random_schedules = 10'000}, [](Simulation& sim) {
    Tally living;
    Tally made;
    Pool pool(
        [&] {
          ++made;
          return Thing(living);
        },
        1);
    std::optional held(pool.instance());
    const auto use = [&] { pool(&Thing::use); };
    sim.run_threads({{"one", use}, {"other", use}, {"holder", [&] { held->discard(); }}});
    require(made == 2 && living == 1 && pool.stats().free == 1, "one instance was made instead");
  });
}

TEST_CASE("a thread that comes to hold all that is left is told at once", "[simulation][M5][Q11]") {
  explore("shrinks into a deadlock", {.random_schedules = 10'000}, [](Simulation& sim) {
    Tally living;
    std::vector<Thing> things;
    things.emplace_back(living);
    things.emplace_back(living);
    Pool pool(std::move(things));
    std::optional held(pool.instance());
    bool told = false;
    sim.run_threads({{"nested",
                      [&] {
                        pool.transaction([&](Thing&) {
                          try {
                            pool(&Thing::use);
                          } catch (const toto::DeadlockError&) {
                            told = true;
                          }
                        });
                      }},
                     {"holder", [&] { held->discard(); }}});
    require(told, "the thread would have waited for itself");
    require(pool.stats().free == 1 && pool.size() == 1, "its instance is back");
  });
}

TEST_CASE("two threads that merely wait for each other's instances in turn are not told anything", "[simulation][M5]") {
  explore("no false deadlock", {.random_schedules = 10'000}, [](Simulation& sim) {
    Tally living;
    Pool pool(Thing{living});
    const auto use = [&] {
      pool.transaction([](Thing& thing) { thing.use(); });
      auto lease = pool.instance();
      auto moved = std::move(lease);
      moved->use();
    };
    sim.run_threads({{"one", use}, {"other", use}});
    require(pool.transaction([](Thing& thing) { return thing.uses; }) == 4, "four uses");
  });
}
