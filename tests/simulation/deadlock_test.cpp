// SPDX-License-Identifier: MIT
//
// Models of threads that wait for each other: of those that could never continue, exactly one gets the error; others do
// not.

#include <optional>
#include <utility>
#include <vector>

#include "support/explore.hpp"
#include "toto/awaitable_instance.hpp"
#include "toto/instance_pool.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

struct Thing {
  int uses = 0;
  int use() { return ++uses; }
};
using Pool = toto::InstancePool<Thing, SimRuntime>;

/// 1 if the wait was refused.
template <class Wait>
int refused(Wait wait) {
  try {
    wait();
    return 0;
  } catch (const toto::DeadlockError&) {
    return 1;
  }
}

/// The worker of each of two queues calls `wait(other queue)`; exactly one of them is refused.
template <class Wait>
void wait_for_each_other(Wait wait) {
  SimQueue first(1, 5ms);
  SimQueue second(1, 5ms);
  SimBarrier both(2);
  const auto wait_for = [&](SimQueue& other) {
    both.arrive_and_wait();
    return refused([&] { wait(other); });
  };
  auto one = first.yield_task([&] { return wait_for(second); });
  auto other = second.yield_task([&] { return wait_for(first); });
  require(one.get() + other.get() == 1, "the last one to block");
}

}  // namespace

TEST_CASE("workers of two queues that wait for each other: exactly one is told", "[simulation][M4]") {
  explore("deadlock over two queues", {.deviations = 1, .random_schedules = 4'000},
          [](Simulation&) { wait_for_each_other([](SimQueue& other) { other.yield_task([] {}).get(); }); });
}

TEST_CASE("workers of two queues that wait for each other to be idle: exactly one is told", "[simulation][M8]") {
  explore("deadlock of idle waits", {.deviations = 2, .random_schedules = 4'000},
          [](Simulation&) { wait_for_each_other([](SimQueue& other) { other.wait_idle(); }); });
}

TEST_CASE("a task that waits for the next one of its view is told, whatever else goes on", "[simulation][M8]") {
  explore("deadlock in a lane", {.deviations = 1, .random_schedules = 4'000}, [](Simulation&) {
    SimQueue queue(2, 5ms);
    auto view = queue.limited(1, "one");
    auto outer = view.yield_task([&] {
      auto inner = view.yield_task([] {});
      return refused([&] { inner.get(); });
    });
    queue.add_task([] {});
    require(outer.get() == 1, "its own turn would have to end first");
  });
}

TEST_CASE("two running tasks that wait for each other: exactly one is told", "[simulation][M8]") {
  explore("deadlock of running tasks", {.deviations = 1, .random_schedules = 4'000}, [](Simulation&) {
    SimQueue queue(3, 5ms);
    SimHandle<int> one;
    SimHandle<int> other;
    SimBarrier handed_out(3);
    one = queue.yield_task([&] {
      handed_out.arrive_and_wait();
      return refused([&] { other.wait(); });
    });
    other = queue.yield_task([&] {
      handed_out.arrive_and_wait();
      return refused([&] { one.wait(); });
    });
    handed_out.arrive_and_wait();
    one.wait();
    other.wait();  // before the handles are used up
    require(one.get() + other.get() == 1, "the last one to block");
  });
}

TEST_CASE("instances of two pools taken in opposite order: exactly one is told", "[simulation][M9]") {
  explore("deadlock over two pools", {.deviations = 2}, [](Simulation& sim) {
    Pool left(Thing{});
    Pool right(Thing{});
    SimBarrier both(2);
    Tally told;
    const auto take = [&](Pool& mine, Pool& then) {
      const auto held = mine.instance();
      both.arrive_and_wait();
      told += refused([&] { then(&Thing::use); });
    };
    sim.run_threads({{"one", [&] { take(left, right); }}, {"other", [&] { take(right, left); }}});
    require(told == 1, "the last one to block");
    require(left.stats().free + right.stats().free == 2, "all are back");
  });
}

TEST_CASE("three threads that take instances of three pools in a ring: exactly one is told", "[simulation][M9]") {
  explore("deadlock over three pools", {.deviations = 1}, [](Simulation& sim) {
    Pool pools[]{Pool(Thing{}), Pool(Thing{}), Pool(Thing{})};
    SimBarrier all(3);
    Tally told;
    const auto take = [&](int mine) {
      const auto held = pools[mine].instance();
      all.arrive_and_wait();
      told += refused([&] { pools[(mine + 1) % 3](&Thing::use); });
    };
    sim.run_threads({{"one", [&] { take(0); }}, {"two", [&] { take(1); }}, {"three", [&] { take(2); }}});
    require(told == 1, "the last one to block");
  });
}

TEST_CASE("a lease held while waiting for a queue whose worker waits for it: exactly one is told", "[simulation][M9]") {
  explore("deadlock over a lease and a queue", {.deviations = 2, .random_schedules = 6'000, .eager = false},
          [](Simulation&) {
            Pool pool(Thing{});
            SimQueue first(1, 5ms);
            SimQueue second(1, 5ms);
            SimBarrier both(2);
            auto holder = first.yield_task([&] {
              const auto held = pool.instance();
              both.arrive_and_wait();
              return refused([&] { second.yield_task([] {}).get(); });
            });
            auto taker = second.yield_task([&] {
              both.arrive_and_wait();
              return refused([&] { pool(&Thing::use); });
            });
            require(holder.get() + taker.get() == 1, "the last one to block");
          });
}

TEST_CASE("a thread that holds the only instance and waits for a transaction is told", "[simulation][M9]") {
  explore("waits for the line behind itself", {.deviations = 2}, [](Simulation&) {
    Pool pool(Thing{});
    SimQueue queue(1, 5ms);
    SimHandle<int> handle;
    pool.transaction([&](Thing&) {
      handle = pool.await_transaction(&Thing::use, queue);
      require(refused([&] { handle.get(); }) == 1, "it holds what the transaction needs");
    });
    require(handle.get() == 1, "it has run after all");
  });
}

TEST_CASE("a task in line behind a transaction of its own one-thread queue is told", "[simulation][M9]") {
  explore("behind a transaction that cannot run", {.deviations = 2, .random_schedules = 6'000}, [](Simulation&) {
    Pool pool(Thing{});
    SimQueue queue(1, 5ms);
    std::optional lent(pool.instance());
    SimHandle<int> behind;
    auto outer = queue.yield_task([&] {
      behind = pool.await_transaction(&Thing::use, queue);
      return refused([&] { pool(&Thing::use); });
    });
    lent.reset();  // at any moment
    const int told = outer.get();
    require(behind.get() >= 1, "the transaction has run");
    require(told == 1, "whether the instance was given to the transaction already, or not yet");
  });
}

TEST_CASE("threads that take instances of two pools in the same order are told nothing", "[simulation][M10]") {
  explore("two pools in order", {.deviations = 2}, [](Simulation& sim) {
    Pool left(Thing{});
    Pool right(Thing{});
    const auto take = [&] {
      const auto held = left.instance();
      right(&Thing::use);
    };
    sim.run_threads({{"one", take}, {"other", take}});
    require(right(&Thing::use) == 3, "each got both");
  });
}

TEST_CASE("a worker that waits for a lease which another one gives back is told nothing", "[simulation][M10]") {
  explore("a lease and a queue in order", {.deviations = 1, .random_schedules = 8'000}, [](Simulation&) {
    Pool pool(Thing{});
    SimQueue first(1, 5ms);
    SimQueue second(2, 5ms);
    auto holder = first.yield_task([&] {
      const auto held = pool.instance();
      return refused([&] { second.yield_task([] {}).get(); });
    });
    auto taker = second.yield_task([&] { return refused([&] { pool(&Thing::use); }); });
    require(holder.get() + taker.get() == 0, "a worker was left for the task");
  });
}

TEST_CASE("tasks of a view that wait for tasks beside it are told nothing", "[simulation][M10]") {
  explore("a lane and its queue", {.deviations = 1, .random_schedules = 6'000}, [](Simulation&) {
    SimQueue queue(2, 5ms);
    auto view = queue.limited(1, "one");
    auto one = view.yield_task([&] { return refused([&] { queue.yield_task([] {}).get(); }); });
    auto next = view.yield_task([&] { return refused([&] { queue.yield_task([] {}).get(); }); });
    require(one.get() + next.get() == 0, "the other worker was free");
  });
}

TEST_CASE("a task that is cancelled while workers block for it and for each other: all go on", "[simulation][M10]") {
  explore("cancelled meanwhile", {.deviations = 1, .random_schedules = 8'000}, [](Simulation&) {
    SimQueue first(1, 5ms);
    SimQueue second(1, 5ms);
    SimBarrier begun(3);
    SimHandle<void> behind;
    auto one = first.yield_task([&] {
      behind = first.yield_task([] {});
      begun.arrive_and_wait();
      return refused([&] { second.yield_task([] {}).get(); });
    });
    auto other = second.yield_task([&] {
      begun.arrive_and_wait();
      return refused([&] { behind.wait(); });
    });
    begun.arrive_and_wait();
    behind.cancel();
    require(one.get() + other.get() <= 1, "nobody, or the last one to block");
  });
}
