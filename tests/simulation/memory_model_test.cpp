// SPDX-License-Identifier: MIT
//
// Memory::weak shows each outcome that C++20 allows, but for those that docs/simulation.md names, and none that it
// forbids: the usual litmus tests, by the names that they have in the literature (Alglave and others, "Herding cats",
// TOPLAS 2014).

#include <algorithm>
#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "toto/testing/simulation.hpp"

using toto::testing::Exhaustive;
using toto::testing::Memory;
using toto::testing::Pct;
using toto::testing::Random;
using toto::testing::Replay;
using toto::testing::require;
using toto::testing::SimRuntime;
using toto::testing::simulate;
using toto::testing::Simulation;
using toto::testing::SimulationOptions;
using toto::testing::SimulationResult;
using toto::testing::Time;
using toto_tests::contains;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;

using Atomic = SimRuntime::Atomic<int>;
using Outcomes = std::set<std::string>;
using Program = std::function<std::string(Simulation&)>;

// What comes of a program: of all its schedules, if they are not too many, and of 20,000 of each random kind.
Outcomes outcomes(const Program& program, Memory memory = Memory::weak) {
  Outcomes seen;
  const auto run = [&](SimulationOptions options) {
    options.memory = memory;
    const SimulationResult result = simulate(options, [&](Simulation& sim) { seen.insert(program(sim)); });
    INFO(result);
    REQUIRE_FALSE(result.failed);
  };
  run({.strategy = Exhaustive{.deviations = 4}, .schedules = 20'000});
  run({.strategy = Pct{.depth = 3}, .schedules = 20'000});
  run({.strategy = Random{}, .schedules = 20'000});
  return seen;
}

std::string digits(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) {
    text += static_cast<char>('0' + value);
  }
  return text;
}

Outcomes all_but(Outcomes all, const Outcomes& never) {
  for (const std::string& one : never) {
    all.erase(one);
  }
  return all;
}
const Outcomes kTwoBits{"00", "01", "10", "11"};

// SB: each thread stores to one and loads the other.
Program store_buffering(std::memory_order store, std::memory_order load, std::memory_order between = relaxed) {
  return [=](Simulation& sim) {
    Atomic x{0};
    Atomic y{0};
    int left = 0;
    int right = 0;
    const auto run = [&](Atomic& mine, Atomic& other, int& seen) {
      mine.store(1, store);
      if (between != relaxed) {
        SimRuntime::fence(between);
      }
      seen = other.load(load);
    };
    sim.run_threads({{"left", [&] { run(x, y, left); }}, {"right", [&] { run(y, x, right); }}});
    return digits({left, right});
  };
}

// MP: data and then a flag; the flag and then the data.
Program message_passing(std::memory_order store, std::memory_order load, std::memory_order store_fence = relaxed,
                        std::memory_order load_fence = relaxed) {
  return [=](Simulation& sim) {
    Atomic data{0};
    Atomic flag{0};
    int raised = 0;
    int found = 0;
    sim.run_threads({{"writer",
                      [&] {
                        data.store(1, relaxed);
                        if (store_fence != relaxed) {
                          SimRuntime::fence(store_fence);
                        }
                        flag.store(1, store);
                      }},
                     {"reader", [&] {
                        raised = flag.load(load);
                        if (load_fence != relaxed) {
                          SimRuntime::fence(load_fence);
                        }
                        found = data.load(relaxed);
                      }}});
    return digits({raised, found});
  };
}

// IRIW: two threads store, two others load both, in different orders.
Program independent_reads(std::memory_order store, std::memory_order load, std::memory_order between = relaxed) {
  return [=](Simulation& sim) {
    Atomic x{0};
    Atomic y{0};
    int seen[4] = {};
    const auto read = [&](Atomic& first, Atomic& second, int* into) {
      into[0] = first.load(load);
      if (between != relaxed) {
        SimRuntime::fence(between);
      }
      into[1] = second.load(load);
    };
    sim.run_threads({{"x", [&] { x.store(1, store); }},
                     {"y", [&] { y.store(1, store); }},
                     {"xy", [&] { read(x, y, seen); }},
                     {"yx", [&] { read(y, x, seen + 2); }}});
    return digits({seen[0], seen[1], seen[2], seen[3]});
  };
}

// 2+2W: two threads store to both, in different orders; what remains.
Program two_and_two_writes(std::memory_order order) {
  return [=](Simulation& sim) {
    Atomic x{0};
    Atomic y{0};
    const auto write = [&](Atomic& first, Atomic& second) {
      first.store(1, order);
      second.store(2, order);
    };
    sim.run_threads({{"xy", [&] { write(x, y); }}, {"yx", [&] { write(y, x); }}});
    return digits({x.load(), y.load()});
  };
}

// S: a store that another thread's store, ordered behind it or not, may follow.
Program store_after_read(std::memory_order store, std::memory_order load) {
  return [=](Simulation& sim) {
    Atomic x{0};
    Atomic y{0};
    int seen = 0;
    sim.run_threads({{"writer",
                      [&] {
                        x.store(2, relaxed);
                        y.store(1, store);
                      }},
                     {"reader", [&] {
                        seen = y.load(load);
                        x.store(1, relaxed);
                      }}});
    return digits({seen, x.load()});
  };
}

// R: a store and a load against two stores.
Program read_after_write(std::memory_order order) {
  return [=](Simulation& sim) {
    Atomic x{0};
    Atomic y{0};
    int seen = 0;
    sim.run_threads({{"writer",
                      [&] {
                        x.store(1, order);
                        y.store(1, order);
                      }},
                     {"reader", [&] {
                        y.store(2, order);
                        seen = x.load(order);
                      }}});
    return digits({seen, y.load()});
  };
}

// WRC: what one thread has read of another one, a third one is to see.
Program causality(std::memory_order store, std::memory_order load) {
  return [=](Simulation& sim) {
    Atomic x{0};
    Atomic y{0};
    int seen[3] = {};
    sim.run_threads({{"x", [&] { x.store(1, store); }},
                     {"y",
                      [&] {
                        seen[0] = x.load(load);
                        y.store(1, store);
                      }},
                     {"reader", [&] {
                        seen[1] = y.load(load);
                        seen[2] = x.load(relaxed);
                      }}});
    return digits({seen[0], seen[1], seen[2]});
  };
}

// Data; a flag that is stored with release; something that happens to the flag; a reader that acquires it.
Program release_sequence(const std::function<void(Simulation&, Atomic&)>& same_thread,
                         const std::function<void(Atomic&)>& other_thread) {
  return [=](Simulation& sim) {
    Atomic data{0};
    Atomic flag{0};
    int raised = 0;
    int found = 0;
    sim.run_threads({{"writer",
                      [&] {
                        data.store(1, relaxed);
                        flag.store(1, release);
                        same_thread(sim, flag);
                      }},
                     {"other", [&] { other_thread(flag); }},
                     {"reader", [&] {
                        raised = flag.load(acquire);
                        found = data.load(relaxed);
                      }}});
    return digits({raised, found});
  };
}

}  // namespace

TEST_CASE("weak memory: store buffering is seen unless all is sequentially consistent", "[simulation][memory]") {
  CHECK(outcomes(store_buffering(relaxed, relaxed)) == kTwoBits);
  CHECK(outcomes(store_buffering(release, acquire)) == kTwoBits);
  CHECK(outcomes(store_buffering(seq_cst, relaxed)) == kTwoBits);
  CHECK(outcomes(store_buffering(release, seq_cst)) == kTwoBits);
  CHECK(outcomes(store_buffering(seq_cst, seq_cst)) == all_but(kTwoBits, {"00"}));
  CHECK(outcomes(store_buffering(relaxed, relaxed, acq_rel)) == kTwoBits);
  CHECK(outcomes(store_buffering(relaxed, relaxed, seq_cst)) == all_but(kTwoBits, {"00"}));
  CHECK(outcomes(store_buffering(relaxed, relaxed), Memory::sequential) == all_but(kTwoBits, {"00"}));
}

TEST_CASE("weak memory: store buffering with a fence on one side and seq_cst operations on the other is not seen",
          "[simulation][memory]") {
  CHECK(outcomes([](Simulation& sim) {
          Atomic x{0};
          Atomic y{0};
          int left = 0;
          int right = 0;
          sim.run_threads({{"fence",
                            [&] {
                              x.store(1, relaxed);
                              SimRuntime::fence(seq_cst);
                              left = y.load(relaxed);
                            }},
                           {"operations", [&] {
                              y.store(1, seq_cst);
                              right = x.load(seq_cst);
                            }}});
          return digits({left, right});
        }) == all_but(kTwoBits, {"00"}));
}

TEST_CASE("weak memory: read-modify-writes that acquire and release do not forbid store buffering",
          "[simulation][memory]") {
  const auto exchanges = [](std::memory_order order) {
    return [=](Simulation& sim) {
      Atomic x{0};
      Atomic y{0};
      int left = 0;
      int right = 0;
      const auto run = [&](Atomic& mine, Atomic& other, int& seen) {
        mine.exchange(1, order);
        seen = other.load(order == seq_cst ? seq_cst : acquire);
      };
      sim.run_threads({{"left", [&] { run(x, y, left); }}, {"right", [&] { run(y, x, right); }}});
      return digits({left, right});
    };
  };
  CHECK(outcomes(exchanges(acq_rel)) == kTwoBits);
  CHECK(outcomes(exchanges(seq_cst)) == all_but(kTwoBits, {"00"}));
}

TEST_CASE("weak memory: a message arrives if it is released and acquired, by operations or by fences",
          "[simulation][memory]") {
  const Outcomes arrives = all_but(kTwoBits, {"10"});
  CHECK(outcomes(message_passing(relaxed, relaxed)) == kTwoBits);
  CHECK(outcomes(message_passing(release, relaxed)) == kTwoBits);
  CHECK(outcomes(message_passing(relaxed, acquire)) == kTwoBits);
  CHECK(outcomes(message_passing(seq_cst, relaxed)) == kTwoBits);
  CHECK(outcomes(message_passing(release, acquire)) == arrives);
  CHECK(outcomes(message_passing(seq_cst, seq_cst)) == arrives);
  CHECK(outcomes(message_passing(relaxed, relaxed, release, acquire)) == arrives);
  CHECK(outcomes(message_passing(relaxed, acquire, release)) == arrives);
  CHECK(outcomes(message_passing(release, relaxed, relaxed, acquire)) == arrives);
  CHECK(outcomes(message_passing(relaxed, relaxed, acquire, release)) == kTwoBits);
  CHECK(outcomes(message_passing(relaxed, relaxed, release)) == kTwoBits);
  CHECK(outcomes(message_passing(relaxed, relaxed, relaxed, acquire)) == kTwoBits);
  CHECK(outcomes(message_passing(relaxed, relaxed, seq_cst, seq_cst)) == arrives);
}

TEST_CASE("weak memory: load buffering is not explored, though C++20 allows it", "[simulation][memory]") {
  CHECK(outcomes([](Simulation& sim) {
          Atomic x{0};
          Atomic y{0};
          int left = 0;
          int right = 0;
          const auto run = [](Atomic& from, Atomic& to, int& seen) {
            seen = from.load(relaxed);
            to.store(1, relaxed);
          };
          sim.run_threads({{"left", [&] { run(x, y, left); }}, {"right", [&] { run(y, x, right); }}});
          return digits({left, right});
        }) == all_but(kTwoBits, {"11"}));
}

TEST_CASE("weak memory: two readers disagree on the order of two stores unless all is sequentially consistent",
          "[simulation][memory]") {
  const std::string disagree = "1010";
  CHECK(outcomes(independent_reads(relaxed, relaxed)).count(disagree) == 1);
  const Outcomes weaker = outcomes(independent_reads(release, acquire));
  CHECK(weaker.count(disagree) == 1);
  CHECK(weaker.size() == 16);
  CHECK(outcomes(independent_reads(seq_cst, acquire)).count(disagree) == 1);
  CHECK(outcomes(independent_reads(seq_cst, seq_cst)) == all_but(weaker, {disagree}));
  CHECK(outcomes(independent_reads(relaxed, relaxed, seq_cst)) == all_but(weaker, {disagree}));
  CHECK(outcomes(independent_reads(relaxed, relaxed, acq_rel)).count(disagree) == 1);
}

TEST_CASE("weak memory: stores to one atomic have one order that no thread sees otherwise", "[simulation][memory]") {
  SECTION("CoRR: two loads") {
    CHECK(outcomes([](Simulation& sim) {
            Atomic x{0};
            int first = 0;
            int second = 0;
            sim.run_threads({{"writer",
                              [&] {
                                x.store(1, relaxed);
                                x.store(2, relaxed);
                              }},
                             {"reader", [&] {
                                first = x.load(relaxed);
                                second = x.load(relaxed);
                              }}});
            return digits({first, second});
          }) == Outcomes{"00", "01", "02", "11", "12", "22"});
  }
  SECTION("CoRR: two readers of two stores agree on their order") {
    const Outcomes seen = outcomes([](Simulation& sim) {
      Atomic x{0};
      int read_by[4] = {};
      const auto read = [&](int* into) {
        into[0] = x.load(relaxed);
        into[1] = x.load(relaxed);
      };
      sim.run_threads({{"1", [&] { x.store(1, relaxed); }},
                       {"2", [&] { x.store(2, relaxed); }},
                       {"reader", [&] { read(read_by); }},
                       {"other", [&] { read(read_by + 2); }}});
      return digits({read_by[0], read_by[1], read_by[2], read_by[3]});
    });
    CHECK(seen.count("1221") == 0);
    CHECK(seen.count("2112") == 0);
    CHECK(seen.count("1212") == 1);
    CHECK(seen.count("2121") == 1);
  }
  SECTION("CoWR: a load after a store of the same thread") {
    CHECK(outcomes([](Simulation& sim) {
            Atomic x{0};
            int seen = 0;
            sim.run_threads({{"reader",
                              [&] {
                                x.store(1, relaxed);
                                seen = x.load(relaxed);
                              }},
                             {"other", [&] { x.store(2, relaxed); }}});
            return digits({seen, x.load()});
          }) == Outcomes{"11", "12", "22"});
  }
  SECTION("CoRW: a store after a load of the same thread") {
    CHECK(outcomes([](Simulation& sim) {
            Atomic x{0};
            int seen = 0;
            sim.run_threads({{"reader",
                              [&] {
                                seen = x.load(relaxed);
                                x.store(1, relaxed);
                              }},
                             {"other", [&] { x.store(2, relaxed); }}});
            return digits({seen, x.load()});
          }) == Outcomes{"01", "02", "21"});
  }
  SECTION("CoWW: two stores of the same thread") {
    CHECK(outcomes([](Simulation& sim) {
            Atomic x{0};
            sim.run_threads({{"writer", [&] {
                                x.store(1, relaxed);
                                x.store(2, relaxed);
                              }}});
            return digits({x.load()});
          }) == Outcomes{"2"});
  }
}

TEST_CASE("weak memory: stores of two threads may end up in orders that no interleaving has", "[simulation][memory]") {
  const Outcomes all{"11", "12", "21", "22"};
  CHECK(outcomes(two_and_two_writes(relaxed)) == all);
  CHECK(outcomes(two_and_two_writes(release)) == all);
  CHECK(outcomes(two_and_two_writes(seq_cst)) == all_but(all, {"11"}));
  CHECK(outcomes(store_after_read(relaxed, relaxed)).count("12") == 1);
  CHECK(outcomes(store_after_read(release, acquire)).count("12") == 0);
  CHECK(outcomes(read_after_write(relaxed)).count("02") == 1);
  CHECK(outcomes(read_after_write(seq_cst)).count("02") == 0);
}

TEST_CASE("weak memory: happens-before is transitive, and what is relaxed is not part of it", "[simulation][memory]") {
  CHECK(outcomes(causality(relaxed, relaxed)).count("110") == 1);
  CHECK(outcomes(causality(release, acquire)).count("110") == 0);
  CHECK(outcomes(causality(release, acquire)).size() == 7);
}

TEST_CASE("weak memory: a release sequence goes on through read-modify-writes, and through nothing else",
          "[simulation][memory]") {
  const auto nothing = [](Atomic&) {};
  const auto nothing_either = [](Simulation&, Atomic&) {};
  const auto add = [](Atomic& flag) { flag.fetch_add(1, relaxed); };
  const auto compare = [](Atomic& flag) {
    int expected = 1;
    flag.compare_exchange_strong(expected, 2, relaxed);
  };
  CHECK(outcomes(release_sequence(nothing_either, add)).count("20") == 0);
  CHECK(outcomes(release_sequence(nothing_either, add)).count("21") == 1);
  CHECK(outcomes(release_sequence(nothing_either, compare)).count("20") == 0);
  // Until C++17 a later store of the same thread was part of it.
  CHECK(outcomes(release_sequence([](Simulation&, Atomic& flag) { flag.store(2, relaxed); }, nothing)).count("20") ==
        1);
  CHECK(outcomes(release_sequence(nothing_either, [](Atomic& flag) {
          if (flag.load(relaxed) == 1) {
            flag.store(2, relaxed);
          }
        })).count("20") == 1);
}

TEST_CASE("weak memory: a read-modify-write leaves no room between what it reads and what it writes",
          "[simulation][memory]") {
  CHECK(outcomes([](Simulation& sim) {
          Atomic x{0};
          int seen[2] = {};
          sim.run_threads({{"one", [&] { seen[0] = x.fetch_add(1, relaxed); }},
                           {"other", [&] { seen[1] = x.fetch_add(1, relaxed); }}});
          return digits({seen[0], seen[1], x.load()});
        }) == Outcomes{"012", "102"});
  CHECK(outcomes([](Simulation& sim) {
          Atomic x{0};
          int seen = 0;
          sim.run_threads({{"add", [&] { seen = x.fetch_add(1, relaxed); }}, {"store", [&] { x.store(5, relaxed); }}});
          return digits({seen, x.load()});
        }) == Outcomes{"05", "56"});
  CHECK(outcomes([](Simulation& sim) {
          Atomic x{0};
          bool won[2] = {};
          const auto race = [&](bool& mine) {
            int expected = 0;
            mine = x.compare_exchange_strong(expected, 1, relaxed);
          };
          sim.run_threads({{"one", [&] { race(won[0]); }}, {"other", [&] { race(won[1]); }}});
          return digits({won[0] ? 1 : 0, won[1] ? 1 : 0});
        }) == Outcomes{"01", "10"});
}

TEST_CASE("weak memory: a compare-exchange that fails orders what its second order says", "[simulation][memory]") {
  const auto program = [](std::memory_order failure) {
    return [=](Simulation& sim) {
      Atomic data{0};
      Atomic flag{0};
      int raised = 5;
      int found = 0;
      sim.run_threads({{"writer",
                        [&] {
                          data.store(1, relaxed);
                          flag.store(1, release);
                        }},
                       {"reader", [&] {
                          flag.compare_exchange_strong(raised, 6, acq_rel, failure);
                          found = data.load(relaxed);
                        }}});
      return digits({raised, found});
    };
  };
  CHECK(outcomes(program(relaxed)) == kTwoBits);
  CHECK(outcomes(program(acquire)) == all_but(kTwoBits, {"10"}));
}

TEST_CASE("weak memory: Dekker's mutual exclusion needs sequential consistency", "[simulation][memory]") {
  const auto both_enter = [](std::memory_order store, std::memory_order load) {
    return outcomes([=](Simulation& sim) {
      Atomic wanted[2] = {0, 0};
      Atomic inside{0};
      int most = 0;
      const auto enter = [&](int me) {
        wanted[me].store(1, store);
        if (wanted[1 - me].load(load) == 0) {
          most = std::max(most, inside.fetch_add(1) + 1);
          inside.fetch_sub(1);
        }
        wanted[me].store(0, release);
      };
      sim.run_threads({{"one", [&] { enter(0); }}, {"other", [&] { enter(1); }}});
      return digits({most});
    });
  };
  CHECK(both_enter(seq_cst, seq_cst).count("2") == 0);
  CHECK(both_enter(release, acquire).count("2") == 1);
  CHECK(both_enter(seq_cst, acquire).count("2") == 1);
}

TEST_CASE("weak memory: mutexes, parkers, starts and joins order all that is before them", "[simulation][memory]") {
  CHECK(outcomes([](Simulation& sim) {
          Atomic data{0};
          SimRuntime::Mutex mutex;
          bool written = false;
          int found = 1;
          sim.run_threads({{"writer",
                            [&] {
                              data.store(1, relaxed);
                              mutex.lock();
                              written = true;
                              mutex.unlock();
                            }},
                           {"reader", [&] {
                              mutex.lock();
                              const bool after = written;
                              mutex.unlock();
                              found = after ? data.load(relaxed) : 1;
                            }}});
          return digits({found});
        }) == Outcomes{"1"});
  CHECK(outcomes([](Simulation& sim) {
          Atomic data{0};
          SimRuntime::Parker parker;
          int found = 0;
          sim.run_threads({{"writer",
                            [&] {
                              data.store(1, relaxed);
                              parker.unpark();
                            }},
                           {"reader", [&] {
                              parker.park();
                              found = data.load(relaxed);
                            }}});
          return digits({found});
        }) == Outcomes{"1"});
  CHECK(outcomes([](Simulation& sim) {
          Atomic data{0};
          int found = 0;
          data.store(1, relaxed);
          SimRuntime::Thread thread("child", [&] {
            found = data.load(relaxed);
            data.store(2, relaxed);
          });
          thread.join();
          static_cast<void>(sim);
          return digits({found, data.load(relaxed)});
        }) == Outcomes{"12"});
  CHECK(outcomes([](Simulation& sim) {
          struct Made {
            Atomic value{0};
            Made() { value.store(1, relaxed); }
          };
          int found[2] = {};
          const auto look = [&](int& into) { into = SimRuntime::global<Made>().value.load(relaxed); };
          sim.run_threads({{"one", [&] { look(found[0]); }}, {"other", [&] { look(found[1]); }}});
          return digits({found[0], found[1]});
        }) == Outcomes{"11"});
}

TEST_CASE("weak memory: a look at a parker's token orders nothing, and may come too early", "[simulation][memory]") {
  CHECK(outcomes([](Simulation& sim) {
          Atomic data{0};
          Atomic unparked{0};
          SimRuntime::Parker parker;
          int seen = 0;
          int found = 0;
          sim.run_threads({{"writer",
                            [&] {
                              data.store(1, relaxed);
                              parker.unpark();
                              unparked.store(1, relaxed);
                            }},
                           {"reader", [&] {
                              seen = unparked.load(relaxed) * 2 + (parker.has_token() ? 1 : 0);
                              found = data.load(relaxed);
                            }}});
          return digits({seen, found});
        }) == Outcomes{"00", "01", "10", "11", "20", "21", "30", "31"});
}

TEST_CASE("weak memory: an object that is published without an order is a data race", "[simulation][memory]") {
  const auto publish = [](std::memory_order store, std::memory_order load) {
    return simulate({.strategy = Exhaustive{.deviations = 3}, .memory = Memory::weak}, [=](Simulation& sim) {
      SimRuntime::Atomic<Atomic*> published{nullptr};
      sim.run_threads({{"writer", [&] { published.store(new Atomic(1), store); }},
                       {"reader", [&] {
                          if (Atomic* const found = published.load(load)) {
                            require(found->load(relaxed) == 1, "it is made");
                          }
                        }}});
      delete published.load();
    });
  };
  CHECK_FALSE(publish(release, acquire).failed);
  for (const auto& [store, load] : {std::pair(relaxed, acquire), std::pair(release, relaxed)}) {
    const SimulationResult result = publish(store, load);
    CHECK(result.failed);
    CHECK_THAT(result.failure, contains("data race"));
    CHECK_THAT(result.failure, contains("construction"));
  }
}

TEST_CASE("weak memory: an object that is destroyed while another thread's use is not over is a data race",
          "[simulation][memory]") {
  const auto count_down = [](std::memory_order order) {
    return simulate({.strategy = Exhaustive{.deviations = 3}, .memory = Memory::weak}, [=](Simulation& sim) {
      struct Shared {
        Atomic owners{2};
        Atomic value{0};
      };
      auto* const shared = new Shared;
      const auto drop = [=] {
        shared->value.fetch_add(1, relaxed);
        if (shared->owners.fetch_sub(1, order) == 1) {
          delete shared;
        }
      };
      sim.run_threads({{"one", drop}, {"other", drop}});
    });
  };
  CHECK_FALSE(count_down(acq_rel).failed);
  for (const std::memory_order order : {relaxed, acquire, release}) {
    const SimulationResult result = count_down(order);
    CHECK(result.failed);
    CHECK_THAT(result.failure, contains("data race"));
    CHECK_THAT(result.failure, contains("destroys"));
  }
}

TEST_CASE("weak memory: a failure names the older stores that were met, and is repeated by its choices",
          "[simulation][memory]") {
  const auto scenario = [](Simulation& sim) {
    require(message_passing(relaxed, relaxed)(sim) != "10", "the message arrives");
  };
  for (const toto::testing::Strategy& strategy :
       {toto::testing::Strategy(Exhaustive{.deviations = 2}), toto::testing::Strategy(Pct{.depth = 3}),
        toto::testing::Strategy(Random{})}) {
    const SimulationResult found = simulate({.strategy = strategy, .memory = Memory::weak}, scenario);
    REQUIRE(found.failed);
    CHECK(found.older > 0);
    CHECK_THAT(found.trace, contains(": older"));
    const SimulationResult again = simulate({.strategy = Replay{found.choices}, .memory = Memory::weak}, scenario);
    CHECK(again.failed);
    CHECK(again.trace == found.trace);
    CHECK(again.failure == found.failure);
  }
}

TEST_CASE("weak memory: in strict time a store is seen from the next moment on, in eager time it need not be",
          "[simulation][memory]") {
  const auto run = [](Time time) {
    Outcomes seen;
    const SimulationResult result =
        simulate({.strategy = Exhaustive{.deviations = 3}, .time = time, .memory = Memory::weak}, [&](Simulation& sim) {
          Atomic x{0};
          int found = 0;
          sim.run_threads({{"writer", [&] { x.store(1, relaxed); }}, {"reader", [&] {
                                                                        sim.sleep_for(std::chrono::milliseconds(1));
                                                                        found = x.load(relaxed);
                                                                      }}});
          seen.insert(digits({found}));
        });
    CHECK_FALSE(result.failed);
    return seen;
  };
  CHECK(run(Time::strict) == Outcomes{"1"});
  CHECK(run(Time::eager) == Outcomes{"0", "1"});
}

TEST_CASE("weak memory: an atomic that is stored to for ever keeps the stores that may still be met",
          "[simulation][memory]") {
  CHECK(outcomes([](Simulation& sim) {
          Atomic x{0};
          Atomic done{0};
          int found = 0;
          sim.run_threads({{"writer",
                            [&] {
                              for (int i = 0; i < 100; ++i) {
                                x.store(i % 10, relaxed);
                              }
                              done.store(1, release);
                            }},
                           {"reader", [&] { found = done.load(acquire) == 1 ? x.load(relaxed) : 9; }}});
          return digits({found});
        }) == Outcomes{"9"});
}
