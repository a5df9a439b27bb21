// SPDX-License-Identifier: MIT
//
// The simulator finds bugs that were planted for it, finds none where there is none, explores exactly what it says,
// and repeats what it found.

#include "toto/testing/simulation.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

using namespace std::chrono_literals;
using toto::testing::Exhaustive;
using toto::testing::Pct;
using toto::testing::Random;
using toto::testing::Replay;
using toto::testing::require;
using toto::testing::SimRuntime;
using toto::testing::simulate;
using toto::testing::Simulation;
using toto::testing::SimulationOptions;
using toto::testing::SimulationResult;
using toto::testing::Strategy;
using toto::testing::Time;
using toto_tests::contains;

namespace {

constexpr auto kNever = SimRuntime::Clock::time_point::max();

// Two threads add one to a counter, by a load and a store that are not one operation.
void lose_an_update(Simulation& sim) {
  SimRuntime::Atomic<int> counter{0};
  const auto add = [&] { counter.store(counter.load() + 1); };
  sim.run_threads({{"one", add}, {"other", add}});
  require(counter.load() == 2, "both updates count");
}

// The same under a mutex.
void lose_no_update(Simulation& sim) {
  SimRuntime::Mutex mutex;
  int counter = 0;
  const auto add = [&] {
    mutex.lock();
    ++counter;
    mutex.unlock();
  };
  sim.run_threads({{"one", add}, {"other", add}});
  require(counter == 2, "both updates count");
}

// Two threads take two mutexes, each in its own order.
void lock_in_two_orders(Simulation& sim) {
  SimRuntime::Mutex left;
  SimRuntime::Mutex right;
  const auto take = [](SimRuntime::Mutex& first, SimRuntime::Mutex& second) {
    first.lock();
    second.lock();
    second.unlock();
    first.unlock();
  };
  sim.run_threads({{"left first", [&] { take(left, right); }}, {"right first", [&] { take(right, left); }}});
}

// The waiter says that it sleeps only after it has looked.
void lose_a_wakeup(Simulation& sim) {
  SimRuntime::Atomic<bool> ready{false};
  SimRuntime::Atomic<bool> sleeping{false};
  SimRuntime::Parker parker;
  sim.run_threads({{"waiter",
                    [&] {
                      if (!ready.load()) {
                        sleeping.store(true);
                        parker.park();
                      }
                    }},
                   {"waker", [&] {
                      ready.store(true);
                      if (sleeping.load()) {
                        parker.unpark();
                      }
                    }}});
}

// A worker leaves at its deadline without a second look at the queue.
void expire_without_a_second_look(Simulation& sim) {
  SimRuntime::Mutex mutex;
  SimRuntime::Parker parker;
  bool task = false;
  bool worker = true;
  bool ran = false;
  sim.run_threads({{"worker",
                    [&] {
                      const auto deadline = SimRuntime::Clock::now() + 60s;
                      const bool woken = parker.park_until(deadline);
                      mutex.lock();
                      worker = false;
                      ran = woken && task;
                      mutex.unlock();
                    }},
                   {"adder", [&] {
                      mutex.lock();
                      task = true;
                      const bool wake = worker;
                      mutex.unlock();
                      if (wake) {
                        parker.unpark();
                      } else {
                        ran = true;  // on a new worker
                      }
                    }}});
  require(ran, "the task ran");
}

struct PlantedBug {
  const char* name;
  void (*scenario)(Simulation&);
  const char* failure;
};
constexpr PlantedBug kPlantedBugs[] = {
    {"a lost update", lose_an_update, "both updates count"},
    {"a deadlock", lock_in_two_orders, "deadlock"},
    {"a lost wake-up", lose_a_wakeup, "is parked on parker"},
};

SimulationResult run(Strategy strategy, const std::function<void(Simulation&)>& scenario) {
  SimulationOptions options;
  options.strategy = strategy;
  return simulate(options, scenario);
}

}  // namespace

TEST_CASE("every strategy finds every planted race", "[simulator]") {
  for (const PlantedBug& bug : kPlantedBugs) {
    for (const Strategy& strategy : {Strategy(Exhaustive{1}), Strategy(Exhaustive{2}), Strategy(Exhaustive{3}),
                                     Strategy(Pct{2}), Strategy(Pct{3}), Strategy(Random{})}) {
      INFO(bug.name << ", strategy " << strategy.index());
      const SimulationResult result = run(strategy, bug.scenario);
      INFO(result);
      CHECK_FALSE(result);
      CHECK(result.schedules < 1000);
      CHECK_THAT(result.failure, contains(bug.failure));
    }
  }
}

TEST_CASE("a race that needs a preemption is not found without one", "[simulator]") {
  for (const PlantedBug& bug : kPlantedBugs) {
    const SimulationResult result = run(Exhaustive{0}, bug.scenario);
    INFO(bug.name << ": " << result);
    CHECK(result);
    CHECK(result.exhausted);
  }
}

TEST_CASE("correct code passes all schedules", "[simulator]") {
  for (const unsigned deviations : {0U, 1U, 2U, 3U, 100U}) {
    const SimulationResult result = run(Exhaustive{deviations}, lose_no_update);
    INFO(result);
    CHECK(result);
    CHECK(result.exhausted);
  }
}

TEST_CASE("replaying the choices of a failure gives the identical failure and trace", "[simulator]") {
  for (const PlantedBug& bug : kPlantedBugs) {
    for (const Strategy& strategy : {Strategy(Exhaustive{2}), Strategy(Pct{3}), Strategy(Random{})}) {
      const SimulationResult found = run(strategy, bug.scenario);
      const SimulationResult again = run(Replay{found.choices}, bug.scenario);
      INFO(found.report() << again.report());
      CHECK(again.failed);
      CHECK(again.schedules == 1);
      CHECK(again.failure == found.failure);
      CHECK(again.trace == found.trace);
      CHECK(again.choices == found.choices);
    }
  }
}

TEST_CASE("the same seed gives the same schedules, another seed others", "[simulator]") {
  for (const Strategy& strategy : {Strategy(Pct{3}), Strategy(Random{})}) {
    const auto choices_with = [&](std::uint64_t seed) {
      return simulate({.strategy = strategy, .schedules = 20, .seed = seed}, lose_no_update).choices;
    };
    CHECK(choices_with(1) == choices_with(1));
    std::set<std::string> different;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      different.insert(choices_with(seed));
    }
    CHECK(different.size() > 1);
  }
}

TEST_CASE("the report tells the failure, the seed, the choices and what every thread did", "[simulator]") {
  const SimulationResult result = simulate({.name = "counter", .seed = 42}, lose_an_update);
  const std::string report = result.report();
  INFO(report);
  CHECK_THAT(report, contains("counter: "));
  CHECK_THAT(report, contains("both updates count"));
  CHECK_THAT(report, contains("seed:    42"));
  CHECK_THAT(report, contains("Replay{\"" + result.choices + "\"}"));
  CHECK_THAT(report, contains("one (2)           load atomic 1: 0"));
  CHECK_THAT(report, contains("other (3)         store atomic 1: 1"));
}

TEST_CASE("choices that do not fit the scenario are refused, and so is a malformed text", "[simulator]") {
  const SimulationResult result = run(Replay{"0:9"}, lose_no_update);
  CHECK_THAT(result.failure, contains("choices"));
  for (const char* text : {"x", "1", "1:", "1:1,1:1", "1:1  2:2", "1:1 ", "999999999:1"}) {
    CHECK_THROWS_AS(run(Replay{text}, lose_no_update), std::invalid_argument);
  }
}

// Two threads of n operations each are two rows of n + 1 pieces, since a thread may also stop between its last
// operation and its end: (2n + 2)! / (n + 1)!^2 orders. With one operation each, by hand: without deviations the two
// orders of the threads; with one, in each of them a preemption behind the operation; with two, one more there.
TEST_CASE("an exhaustive search runs exactly as many schedules as there are", "[simulator]") {
  const auto count = [](unsigned deviations, int operations) {
    const SimulationResult result = run(Exhaustive{deviations}, [&](Simulation& sim) {
      SimRuntime::Atomic<int> atomic{0};
      const auto work = [&] {
        for (int i = 0; i < operations; ++i) {
          atomic.fetch_add(1);
        }
      };
      sim.run_threads({{"a", work}, {"b", work}});
    });
    CHECK(result);
    CHECK(result.exhausted);
    return result.schedules;
  };
  CHECK(count(0, 1) == 2);
  CHECK(count(1, 1) == 4);
  CHECK(count(2, 1) == 6);
  CHECK(count(3, 1) == 6);
  CHECK(count(0, 2) == 2);
  CHECK(count(1, 2) == 6);
  CHECK(count(100, 2) == 20);
  CHECK(count(100, 3) == 70);
  CHECK(count(100, 4) == 252);
}

TEST_CASE("a search that is cut short is not called exhausted", "[simulator]") {
  const auto with_limit = [](std::size_t limit) {
    return simulate({.strategy = Exhaustive{0}, .schedules = limit}, lose_no_update);
  };
  CHECK_FALSE(with_limit(1).exhausted);
  CHECK(with_limit(1).schedules == 1);
  CHECK(with_limit(2).exhausted);
  CHECK(with_limit(2).schedules == 2);
  CHECK(with_limit(3).schedules == 2);
}

TEST_CASE("every order of three threads is seen", "[simulator]") {
  std::set<std::string> orders;
  const SimulationResult result = run(Exhaustive{0}, [&](Simulation& sim) {
    std::string order;
    sim.run_threads({{"a", [&] { order += 'a'; }}, {"b", [&] { order += 'b'; }}, {"c", [&] { order += 'c'; }}});
    orders.insert(order);
  });
  CHECK(result.exhausted);
  CHECK(orders == std::set<std::string>{"abc", "acb", "bac", "bca", "cab", "cba"});
}

TEST_CASE("any waiter may get a mutex that is released, and so may a newcomer", "[simulator]") {
  std::set<std::string> orders;
  const SimulationResult result = run(Exhaustive{1}, [&](Simulation& sim) {
    SimRuntime::Mutex mutex;
    std::string order;
    const auto take = [&](char name) {
      mutex.lock();
      order += name;
      mutex.unlock();
    };
    mutex.lock();
    sim.spawn("a", [&] { take('a'); });
    sim.spawn("b", [&] { take('b'); });
    mutex.unlock();
    take('m');
    sim.join_all();
    orders.insert(order);
  });
  INFO(result);
  CHECK(result);
  CHECK(orders == std::set<std::string>{"mab", "mba", "amb", "bma", "abm", "bam"});
}

TEST_CASE("strict time jumps to the next deadline only when nobody can run", "[simulator]") {
  const SimulationResult result = run(Exhaustive{2}, [](Simulation& sim) {
    SimRuntime::Parker parker;
    const auto start = SimRuntime::Clock::now();
    sim.spawn("sleeper", [&] {
      sim.sleep_for(10s);
      require(sim.elapsed() == 10s, "the sleeper wakes on time");
    });
    require(!parker.park_until(start + 60s), "nobody unparks");
    require(SimRuntime::Clock::now() == start + 60s, "the wait ends at its deadline");
    require(!parker.park_until(start), "a deadline in the past has passed");
    require(sim.elapsed() == 60s, "no time passes in between");
    sim.join_all();
  });
  INFO(result);
  CHECK(result);
  CHECK(result.exhausted);
}

TEST_CASE("two deadlines at the same time expire in either order", "[simulator]") {
  std::set<std::string> orders;
  CHECK(run(Exhaustive{0}, [&](Simulation& sim) {
    std::string order;
    const auto sleep = [&](char name) {
      sim.sleep_for(1s);
      order += name;
    };
    sim.run_threads({{"a", [&] { sleep('a'); }}, {"b", [&] { sleep('b'); }}});
    orders.insert(order);
  }));
  CHECK(orders == std::set<std::string>{"ab", "ba"});
}

TEST_CASE("a race with an expiry is found with eager time, not with strict time", "[simulator]") {
  for (const Strategy& strategy : {Strategy(Exhaustive{2}), Strategy(Pct{3}), Strategy(Random{})}) {
    SimulationOptions options{.strategy = strategy, .schedules = 1000};
    CHECK(simulate(options, expire_without_a_second_look));
    options.time = Time::eager;
    const SimulationResult eager = simulate(options, expire_without_a_second_look);
    INFO(eager);
    CHECK_FALSE(eager);
    CHECK_THAT(eager.failure, contains("the task ran"));
    options.strategy = Replay{eager.choices};
    CHECK(simulate(options, expire_without_a_second_look).trace == eager.trace);
  }
}

TEST_CASE("an early expiry is one deviation", "[simulator]") {
  const auto scenario = [](Simulation& sim) {
    SimRuntime::Parker parker;
    sim.run_threads({{"waiter", [&] { require(parker.park_until(SimRuntime::Clock::now() + 1s), "a token in time"); }},
                     {"waker", [&] {
                        SimRuntime::point("before the wake-up");
                        parker.unpark();
                      }}});
  };
  CHECK(simulate({.strategy = Exhaustive{0}, .time = Time::eager}, scenario));
  CHECK_FALSE(simulate({.strategy = Exhaustive{1}, .time = Time::eager}, scenario));
  CHECK(simulate({.strategy = Exhaustive{3}, .time = Time::strict}, scenario));
}

TEST_CASE("a wait on a parker ends for no reason as often as the options allow", "[simulator]") {
  const auto most_returns = [](unsigned allowed) {
    int most = 0;
    const SimulationResult result =
        simulate({.strategy = Exhaustive{3}, .spurious_wakeups = allowed}, [&](Simulation& sim) {
          SimRuntime::Parker parker;
          SimRuntime::Atomic<bool> ready{false};
          int returns = 0;
          sim.run_threads({{"waiter",
                            [&] {
                              do {
                                parker.park();
                                ++returns;
                              } while (!ready.load());
                            }},
                           {"waker", [&] {
                              ready.store(true);
                              parker.unpark();
                            }}});
          most = std::max(most, returns);
        });
    INFO(result);
    CHECK(result);
    return most;
  };
  CHECK(most_returns(0) == 1);
  CHECK(most_returns(1) == 2);
  CHECK(most_returns(2) == 3);
}

TEST_CASE("a deadlock is one although a spurious wake-up could end it", "[simulator]") {
  const SimulationResult result =
      simulate({.spurious_wakeups = 1}, [](Simulation&) { SimRuntime::Parker().park_until(kNever); });
  CHECK_THAT(result.failure, contains("deadlock: main (1) is parked on parker 1"));
}

TEST_CASE("a loop that yields lets the others go first, so the search ends", "[simulator]") {
  const auto scenario = [](Simulation& sim) {
    SimRuntime::Atomic<int> turn{0};
    const auto wait_for_turn = [&](int mine) {
      while (turn.load() != mine) {
        SimRuntime::relax();
      }
      turn.store(mine + 1);
    };
    sim.run_threads({{"first", [&] { wait_for_turn(0); }}, {"second", [&] { wait_for_turn(1); }}, {"third", [&] {
                                                                                                     wait_for_turn(2);
                                                                                                   }}});
    require(turn.load() == 3, "all had their turn");
  };
  const SimulationResult result = run(Exhaustive{2}, scenario);
  INFO(result);
  CHECK(result);
  CHECK(result.exhausted);
  CHECK(simulate({.strategy = Pct{3}, .schedules = 1000}, scenario));
  CHECK(simulate({.strategy = Random{}, .schedules = 1000}, scenario));
}

namespace {

struct SwitchesInDestructor {
  ~SwitchesInDestructor() {
    require(std::uncaught_exceptions() == 1, "one exception unwinds");
    SimRuntime::point("while unwinding");
    require(std::uncaught_exceptions() == 1, "it still does");
  }
};
// A frame of its own, which does not catch: there the unwinding is taken up again after the destructor.
TOTO_NOINLINE void throw_after_switch(const std::string& text) {
  const SwitchesInDestructor switches;
  throw std::runtime_error(text);
}

}  // namespace

TEST_CASE("an exception survives switches while it is handled, and while it unwinds", "[simulator]") {
  const auto scenario = [](Simulation& sim) {
    const auto work = [](const std::string& text) {
      try {
        throw_after_switch(text);
      } catch (const std::runtime_error&) {
        require(std::uncaught_exceptions() == 0, "it was caught");
        SimRuntime::point("in the handler");
        try {
          throw;
        } catch (const std::exception& error) {
          SimRuntime::point("in the inner handler");
          require(error.what() == text, "each thread handles its own exception");
        }
        require(std::current_exception() != nullptr, "the outer one is still handled");
      }
      SimRuntime::point("after the handler");
      require(std::current_exception() == nullptr, "nothing is left");
    };
    sim.run_threads({{"a", [&] { work("a"); }}, {"b", [&] { work("b"); }}});
  };
  const SimulationResult result = run(Exhaustive{3}, scenario);
  INFO(result);
  CHECK(result);
  CHECK(result.exhausted);
}

TEST_CASE("two threads of the system each run a simulation of their own", "[simulator]") {
  std::vector<std::size_t> schedules(2);
  {
    const auto explore = [&](std::size_t i) { schedules[i] = run(Exhaustive{3}, lose_no_update).schedules; };
    std::thread other(explore, 1);
    explore(0);
    other.join();
  }
  CHECK(schedules[0] > 10);
  CHECK(schedules[0] == schedules[1]);
}

TEST_CASE("a simulation within a simulation is refused", "[simulator]") {
  const SimulationResult result = run(Exhaustive{}, [](Simulation&) { run(Exhaustive{}, lose_no_update); });
  CHECK_THAT(result.failure, contains("within a simulation"));
}

TEST_CASE("the simulator runs tens of thousands of schedules a second", "[simulator]") {
  const auto scenario = [](Simulation& sim) {
    SimRuntime::Mutex mutex;
    SimRuntime::Parker parker;
    int value = 0;
    const auto lock_twice = [&] {
      for (int i = 0; i < 2; ++i) {
        mutex.lock();
        ++value;
        mutex.unlock();
      }
    };
    sim.run_threads({{"waker",
                      [&] {
                        lock_twice();
                        parker.unpark();
                      }},
                     {"waiter", [&] {
                        parker.park_until(SimRuntime::Clock::now() + 60s);
                        lock_twice();
                      }}});
    require(value == 4, "all four count");
  };
  const auto start = std::chrono::steady_clock::now();
  const SimulationResult result =
      simulate({.strategy = Exhaustive{3}, .time = Time::eager, .spurious_wakeups = 1}, scenario);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  INFO(result);
  CHECK(result);
  const double rate = static_cast<double>(result.schedules) / spent.count();
  std::cout << "simulator: " << result.schedules << " schedules of two threads, "
            << static_cast<double>(result.steps) / static_cast<double>(result.schedules) << " operations each, "
            << static_cast<std::int64_t>(rate) << " schedules a second\n";
  CHECK(rate > 100);
}
