// SPDX-License-Identifier: MIT
//
// covers: [R2]
// only: posix
//
// A process forks while tasks of a view run and wait for their turn. They are the parent's: in the child the view is
// free, but for the task that has forked.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/sanitizers.hpp"
#include "support/scenarios.hpp"

using namespace std::chrono_literals;
using toto_tests::fork_and_wait;
using namespace toto_tests;

int main() {
  toto_tests::Gate begun;
  toto_tests::Gate go_on;
  int runs = 0;
  toto::TaskQueue queue(3);
  const auto view = queue.limited(1, "one at a time");
  // ThreadSanitizer allows no threads in the child; AddressSanitizer may have lost its allocator's lock to the parent.
  if (!toto_tests::kThreadSanitizer && !toto_tests::kAddressSanitizer) {
    expect(view.yield_task([&] {
                 return fork_and_wait([&] {
                   auto next = view.yield_task([] { return 8; });
                   const bool waits = !next.wait_for(50ms);  // the task that forks has its turn still
                   next.cancel();
                   _exit(waits ? 7 : 1);
                 });
               }).get() == 7,
           "the child of a task of a view keeps its turn");
  }
  view.add_task([&] {
    begun.open();
    go_on.wait();
    ++runs;
  });
  for (int i = 0; i < 3; ++i) {
    view.add_task([&runs] { ++runs; });
  }
  begun.wait();
  if (!toto_tests::kThreadSanitizer && !toto_tests::kAddressSanitizer) {
    expect(fork_and_wait([&] {
             auto first = view.yield_task([] { return 3; });
             auto second = view.yield_task([] { return 4; });
             const bool done = first.wait_for(5s) && second.wait_for(5s);
             _exit(done ? first.get() + second.get() : 1);
           }) == 7,
           "the child's view is free");
  }
  go_on.open();
  queue.wait_idle();
  expect(runs == 4, "the parent's tasks have run");
  return failures == 0 ? 0 : 1;
}
