// SPDX-License-Identifier: MIT
//
// covers: [R6][W5]
//
// Queues at namespace scope, and named queues that are used before main begins: from static initialisers, and from
// tasks that run meanwhile. The program ends with a queue's destructor after main.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <toto/tasks.hpp>

using namespace std::chrono_literals;

namespace {

std::atomic<int> runs{0};

/// The first static of the program: destroyed after all the others. Says whether everything ran.
struct Judge {
  ~Judge() {
    if (runs != 1 + 10 + 100 + 100) {
      std::printf("FAILED  %d tasks ran\n", runs.load());
      std::fflush(nullptr);
      std::_Exit(1);
    }
  }
};
const Judge judge;

// Before main: from a static initialiser, and inside a task that it waits for.
const int used_before_main = toto::TaskQueue::instance("before main")
                                 .yield_task([] {
                                   ++runs;
                                   toto::TaskQueue& inner = toto::TaskQueue::instance("inner");
                                   for (int i = 0; i < 10; ++i) {
                                     inner.add_task([] { ++runs; });
                                   }
                                   inner.wait_idle();
                                   return toto::TaskQueue::find("inner") == &inner ? 1 : 0;
                                 })
                                 .get();

toto::TaskQueue global(2, 60s, "global");

struct Adds {
  Adds() {
    for (int i = 0; i < 100; ++i) {
      global.add_task([] { ++runs; });
    }
  }
};
const Adds adds_before_main;

const toto::AwaitableInstance wrapper(std::string("wrapped"), "before main");

}  // namespace

int main() {
  if (used_before_main != 1) {
    std::puts("FAILED  the registry before main");
    return 1;
  }
  if (wrapper(&std::string::size).get() != 7) {
    std::puts("FAILED  a wrapper made before main");
    return 1;
  }
  global.wait_idle();
  for (int i = 0; i < 100; ++i) {
    global.add_task([] {
      std::this_thread::sleep_for(100us);
      ++runs;
    });
  }
  return 0;
}
