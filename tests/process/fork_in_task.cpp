// SPDX-License-Identifier: MIT
//
// covers: [R1]
// only: posix
//
// A task forks. The child may leave with _exit or exec, or continue; the parent is unharmed.

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <toto/tasks.hpp>

#include "support/expect.hpp"
#include "support/sanitizers.hpp"
#include "support/scenarios.hpp"

using namespace toto_tests;

namespace {

/// In a task of `queue`: forks, runs `body` in the child, and returns how the child ended; see wait_for_child.
template <class Body>
int fork_in_task(toto::TaskQueue& queue, Body body) {
  return queue.yield_task([&] { return toto_tests::fork_and_wait(body); }).get();
}

}  // namespace

int main() {
  toto::TaskQueue& named = toto::TaskQueue::instance("forking", 2);
  std::atomic<int> runs = 0;
  {
    toto::TaskQueue queue(2);
    for (int i = 0; i < 20; ++i) {
      queue.add_task([&] { ++runs; });
      expect(fork_in_task(queue, [] { _exit(3); }) == 3, "the child of a task leaves with _exit");
    }
    expect(fork_in_task(queue, [] { execl("/bin/sh", "sh", "-c", "exit 4", nullptr); }) == 4,
           "the child of a task becomes another program");
    expect(queue.yield_task([] { return std::system("exit 5"); }).get() == 5 << 8, "a task runs a command");

    // ThreadSanitizer allows no threads in the child; AddressSanitizer may have lost its allocator's lock to the
    // parent.
    if (!toto_tests::kThreadSanitizer && !toto_tests::kAddressSanitizer) {
      // In the child the forking thread is still a worker: the only one of its queue.
      expect(fork_in_task(queue,
                          [&] {
                            toto::TaskQueue* const current = toto::TaskQueue::current();
                            auto handle = queue.yield_task([] { return 1; });
                            _exit(current == &queue && handle.get() == 1 ? 6 : 7);
                          }) == 6,
             "the child of a task adds to its own queue, which starts another thread");
      expect(fork_in_task(named, [&] { _exit(named.yield_task([] { return 8; }).get()); }) == 8,
             "the child of a task of a named queue adds to it");
      expect(fork_in_task(queue,
                          [&] {
                            toto::TaskQueue own;
                            _exit(own.yield_task([] { return 9; }).get());
                          }) == 9,
             "the child of a task makes a queue of its own");
      expect(fork_in_task(queue, [] { std::exit(10); }) == 10, "the child of a task leaves with exit");
      expect(fork_in_task(named, [] { std::exit(11); }) == 11, "the child of a task of a named queue leaves with exit");
    }
    queue.wait_idle();
  }
  expect(runs == 20, "the parent's tasks have run");
  expect(named.yield_task([] { return 1; }).get() == 1, "the parent's named queue works");
  return failures == 0 ? 0 : 1;
}
