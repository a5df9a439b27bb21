// SPDX-License-Identifier: MIT
//
// A race in user code, found by the simulator. Total adds on two threads of a queue; its first version reads and writes
// in two steps, and loses an addition if both tasks read before either has written. On real threads that is rare;
// simulate() tries one order after another, in virtual time, until it happens.

#include <cstdio>
#include <string>
#include <toto/tasks.hpp>
#include <toto/testing/simulation.hpp>

#include "expect.hpp"

using namespace toto::testing;

/// Code to be simulated takes the runtime as a template parameter, as the library's own classes do. In the program
/// itself, use Total<toto::StdRuntime, true>.
template <class Runtime, bool kRepaired>
class Total {
 public:
  void add(int amount) {
    queue_.add_task([this, amount] {
      if constexpr (kRepaired) {
        sum_.fetch_add(amount);
      } else {
        sum_.store(sum_.load() + amount);
      }
    });
  }

  int finish() {
    queue_.wait_idle();
    return sum_.load();
  }

 private:
  typename Runtime::template Atomic<int> sum_{0};
  toto::BasicTaskQueue<Runtime> queue_{2};  // last: its destructor waits for the tasks, which use sum_
};

template <bool kRepaired>
SimulationResult check(const Strategy& strategy) {
  return simulate({.name = "two additions", .strategy = strategy}, [](Simulation&) {
    Total<SimRuntime, kRepaired> total;
    total.add(1);
    total.add(2);
    require(total.finish() == 3, "both were added");
  });
}

int main() {
  const SimulationResult wrong = check<false>(Exhaustive{.deviations = 1});
  expect(wrong.failed, "the race is found");
  std::printf("     after %zu orders: %s\n     Replay{\"%s\"}\n", wrong.schedules, wrong.failure.c_str(),
              wrong.choices.c_str());

  const SimulationResult again = check<false>(Replay{wrong.choices});
  expect(again.failed && again.schedules == 1, "that text reproduces it, in one run");
  expect(again.failure == wrong.failure && again.trace == wrong.trace, "step by step");

  const SimulationResult right = check<true>(Exhaustive{.deviations = 1});
  expect(!right.failed && right.exhausted, "the fixed code passes, in all orders with one deviation");

  Total<toto::StdRuntime, true> total;
  total.add(1);
  total.add(2);
  expect(total.finish() == 3, "the same code on real threads");
}
