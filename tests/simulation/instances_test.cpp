// SPDX-License-Identifier: MIT
//
// Models of AwaitableInstance and InstancePool: order, overlap, leases against timeouts, cancelling and the
// end.

#include <optional>
#include <vector>

#include "support/explore.hpp"
#include "toto/awaitable_instance.hpp"
#include "toto/instance_pool.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// An object that notices two users at a time.
struct Fragile {
  int value = 0;
  bool busy = false;

  int increment() {
    require(!busy, "one user at a time");
    busy = true;
    SimRuntime::point("inside the object");
    busy = false;
    return ++value;
  }
  int fail() {
    increment();
    throw std::runtime_error("no");
  }
};

using Pool = toto::InstancePool<Fragile, SimRuntime>;

toto::Task<> lease_and_use(Pool& pool, Tally& used) {
  auto lease = co_await pool.lease();
  lease->increment();
  ++used;
}

}  // namespace

TEST_CASE("calls of a wrapper never overlap and keep their order on a queue of two",
          "[simulation][P3][P8][inv.L1][inv.L2]") {
  // One deviation: two workers and main, and each call may be taken up by either.
  explore("wrapper on two threads", {.deviations = 1, .random_schedules = 20'000}, [](Simulation& sim) {
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    Fragile object;
    const toto::AwaitableInstance calls(object, queue);
    auto first = calls(&Fragile::increment);
    auto second = calls(&Fragile::increment);
    auto third = calls(&Fragile::increment);
    require(third.get() == 3 && first.get() == 1 && second.get() == 2, "in the order of the calls");
  });
}

TEST_CASE("a call that waits for its turn can be cancelled", "[simulation][P3][K4]") {
  explore("cancel in a lane", {.random_schedules = 10'000}, [](Simulation& sim) {
    Fragile object;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    const toto::AwaitableInstance calls(object, queue);
    auto first = calls(&Fragile::increment);
    auto second = calls(&Fragile::increment);
    auto third = calls(&Fragile::increment);
    const bool cancelled = second.cancel();
    require(third.get() == (cancelled ? 2 : 3) && first.get() == 1, "the others ran");
    queue.wait_idle();
    require(object.value == (cancelled ? 2 : 3), "a cancelled call never ran");
  });
}

TEST_CASE("a call that is cancelled while it waits lets nobody in early", "[simulation][P3][P8][K4][inv.L1]") {
  // One deviation: as above.
  explore("cancel in a lane of two threads", {.deviations = 1, .random_schedules = 10'000}, [](Simulation& sim) {
    Fragile object;
    SimQueue queue(2, 5ms);
    const auto checks = watch(sim, queue);
    const toto::AwaitableInstance calls(object, queue);
    auto first = calls(&Fragile::increment);
    auto second = calls(&Fragile::increment);
    auto third = calls(&Fragile::increment);
    static_cast<void>(second.cancel());
    auto fourth = calls(&Fragile::increment);
    require(third.get() < fourth.get(), "one after another, in order");
  });
}

TEST_CASE("closing with calls waiting in a lane runs or cancels them all", "[simulation][P4][L3]") {
  explore("close with a lane", {.random_schedules = 10'000}, [](Simulation& sim) {
    Fragile object;
    Tally over;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    const toto::AwaitableInstance calls(object, queue);
    SimHandle<int> handles[3];
    for (auto& handle : handles) {
      handle = calls(&Fragile::increment);
    }
    queue.close(toto::Pending::cancel);
    for (auto& handle : handles) {
      try {
        handle.get();
        ++over;
      } catch (const toto::TaskCancelled&) {
        ++over;
      }
    }
    require(over == 3, "every handle was completed");
  });
}

TEST_CASE("an instance has one user at a time and comes back when the call throws",
          "[simulation][Q2][Q3][Q4][inv.P1]") {
  explore("two threads, one instance", {.random_schedules = 10'000}, [](Simulation& sim) {
    Pool pool(Fragile{});
    const auto use = [&] {
      pool(&Fragile::increment);
      try {
        pool(&Fragile::fail);
      } catch (const std::runtime_error&) {
      }
    };
    sim.run_threads({{"a", use}, {"b", use}});
    require(pool.transaction([](Fragile& object) { return object.value; }) == 4, "four calls, one after another");
  });
}

TEST_CASE("a lease that times out while the instance comes back loses nothing", "[simulation][Q5][Q6][inv.P3]") {
  explore("lease timeout against release", {.random_schedules = 10'000}, [](Simulation& sim) {
    Pool pool(Fragile{});
    Tally got;
    sim.run_threads({{"holder",
                      [&] {
                        auto lease = pool.instance();
                        sim.sleep_for(5ms);
                      }},
                     {"waiter", [&] {
                        if (auto lease = pool.instance_for(5ms)) {
                          (*lease)->increment();
                          ++got;
                        }
                      }}});
    require(pool.stats().free == 1 && pool.try_instance().has_value(), "the instance is back");
  });
}

TEST_CASE("waiters are served in the order of coming, and a newcomer does not overtake", "[simulation][Q8][inv.P2]") {
  explore("fair waiters", {.random_schedules = 10'000}, [](Simulation& sim) {
    Pool pool(Fragile{});
    std::string order;
    {
      auto held = pool.instance();
      sim.spawn("first", [&] {
        auto lease = pool.instance();
        order += '1';
      });
      while (pool.stats().waiting < 1) {
        sim.sleep_for(1ms);
      }
      sim.spawn("second", [&] {
        auto lease = pool.instance();
        order += '2';
      });
      while (pool.stats().waiting < 2) {
        sim.sleep_for(1ms);
      }
    }
    if (auto lease = pool.try_instance()) {
      require(order == "12", "nobody was overtaken");
    }
    sim.join_all();
    require(order == "12", "in order");
  });
}

TEST_CASE("a pool destroyed with waiters tells them", "[simulation][Q12][Q13]") {
  explore("pool gone", {.random_schedules = 10'000}, [](Simulation& sim) {
    auto pool = std::make_unique<Pool>(Fragile{});
    std::optional lease(pool->instance());
    bool told = false;
    sim.spawn("waiter", [&, core = pool.get()] {
      try {
        auto mine = core->instance();
      } catch (const toto::PoolClosed&) {
        told = true;
      }
    });
    while (pool->stats().waiting < 1) {
      sim.sleep_for(1ms);
    }
    pool.reset();
    (*lease)->increment();  // outlives the pool
    lease.reset();
    sim.join_all();
    require(told, "PoolClosed");
  });
}

TEST_CASE("a coroutine gets its lease, or is destroyed while it waits, and no instance is lost",
          "[simulation][Q6][Q19][G8]") {
  explore("coroutine lease", {.random_schedules = 10'000}, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());  // the pool may make its default queue
    Pool pool(Fragile{});
    Tally used;
    sim.run_threads({{"holder", [&] { auto lease = pool.instance(); }}, {"loop", [&] {
                                                                           SimLoop loop;
                                                                           loop.spawn(lease_and_use(pool, used));
                                                                           loop.post([&] { loop.stop(); });
                                                                           loop.run();
                                                                         }}});
    require(used <= 1 && pool.stats().free == 1, "the instance is back");
  });
}

TEST_CASE("a transaction waits for its instance without a thread, and runs", "[simulation][Q16][Q18][M6]") {
  explore("await_transaction", {.failing_starts = 1, .random_schedules = 10'000}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    Pool pool(Fragile{});
    try {
      auto first = pool.await_transaction([](Fragile& object) { return object.increment(); }, queue);
      auto second = pool.await_transaction([](Fragile& object) { return object.increment(); }, queue);
      const bool cancelled = second.cancel();
      require(first.get() == 1, "the first ran");
      if (!cancelled) {
        require(second.get() == 2, "and so did the second");
      }
    } catch (const std::system_error&) {
    }
    queue.wait_idle();
    require(pool.stats().free == 1 && pool.stats().waiting == 0, "the instance is back");
  });
}

TEST_CASE("a transaction whose queue closes while it waits passes its instance on", "[simulation][Q18]") {
  explore("transaction against close", {.random_schedules = 10'000}, [](Simulation& sim) {
    Pool pool(Fragile{});
    Tally over;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      std::optional lease(pool.instance());
      auto waiting = pool.await_transaction([](Fragile& object) { return object.increment(); }, queue);
      sim.run_threads({{"closer", [&] { queue.close(); }}, {"holder", [&] { lease.reset(); }}});
      try {
        waiting.get();
        ++over;
      } catch (const toto::QueueClosed&) {
        ++over;
      }
    }
    require(over == 1 && pool.stats().free == 1, "told, and the instance is back");
  });
}

TEST_CASE("calls from two threads never overlap on a one-thread queue", "[simulation][P2]") {
  explore("wrapper on one thread", {}, [](Simulation& sim) {
    Fragile object;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    const toto::AwaitableInstance calls(object, queue);
    sim.spawn("other", [&] { calls(&Fragile::increment).get(); });
    calls(&Fragile::increment).get();
    sim.join_all();
    require(object.value == 2, "both calls ran");
  });
}

TEST_CASE("a method may call its own object through the wrapper, and await that", "[simulation][P9]") {
  explore("wrapper within wrapper", {}, [](Simulation& sim) {
    struct Node : Fragile {
      SimHandle<int> next(const toto::AwaitableInstance<Node, SimRuntime>& self) {
        increment();
        return self(&Node::increment);
      }
    };
    Node object;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    const toto::AwaitableInstance calls(object, queue);
    const auto twice = [](const toto::AwaitableInstance<Node, SimRuntime>& self) -> toto::Task<int> {
      auto inner = co_await self(&Node::next, std::cref(self));
      co_return co_await inner;
    };
    require(queue.yield_task(twice, std::cref(calls)).get() == 2, "one after the other");
  });
}

TEST_CASE("what an async_transaction throws goes to on_error, and the instance comes back", "[simulation][Q15][Q3]") {
  explore("async_transaction", {}, [](Simulation& sim) {
    Tally reported;
    Pool pool(Fragile{});
    {
      SimQueue queue(1, 5ms);
      queue.on_error([&reported](const std::exception_ptr&, const toto::TaskInfo&) { ++reported; });
      pool.async_transaction([](Fragile& object) { object.fail(); }, queue);
      pool.async_transaction([](Fragile& object) { object.increment(); }, queue);
      require(pool(&Fragile::increment) >= 1, "a thread gets the instance, too");
      while (pool.stats().free == 0 || pool.stats().waiting > 0) {
        sim.sleep_for(1ms);
      }
    }
    require(reported == 1, "told once");
    require(pool.transaction([](Fragile& object) { return object.value; }) == 3, "each used it once");
  });
}

TEST_CASE("as many transactions run at a time as there are instances", "[simulation][Q17]") {
  explore("default queue of a pool", {}, [](Simulation&) {
    SimQueue::set_exit_limit(toto::Duration::never());
    std::vector<Fragile> two(2);
    Pool pool(std::move(two));
    SimBarrier both(2);
    auto first = pool.await_transaction([&both](Fragile&) { both.arrive_and_wait(); });
    auto second = pool.await_transaction([&both](Fragile&) { both.arrive_and_wait(); });
    first.get();
    second.get();
    require(pool.stats().free == 2, "both are back");
  });
}
