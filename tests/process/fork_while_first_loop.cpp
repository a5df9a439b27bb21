// SPDX-License-Identifier: MIT
//
// covers: [R2]
// only: posix
// not: thread sanitizer (its runtime does not let the child of a process with threads start new ones)
//
// A process forks while another of its threads makes its first loop, and so what all loops and queues share. The child
// can make queues and loops.

#include <pthread.h>
#include <unistd.h>

#include <thread>
#include <toto/tasks.hpp>

#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/sanitizers.hpp"
#include "support/scenarios.hpp"

using namespace toto_tests;

namespace {

Gate forking;

/// Runs in the middle of a fork: handlers that are registered earlier are called later.
void let_it_make_its_loop() {
  forking.open();
  usleep(100'000);  // it passes anyway: this only gives the other thread the time to come to where it would be harmful
}

/// In the child. What is wrong as an exit code, or 0.
int use_everything() {
  alarm(20);  // a hang ends with a signal
  toto::EventLoop loop;
  toto::TaskQueue queue;
  const int answer = loop.run_sync(queue.yield_task([] { return 7; }));
  return answer == 7 && toto::TaskQueue::find("nobody") == nullptr ? 0 : 1;
}

}  // namespace

int main() {
  pthread_atfork(&let_it_make_its_loop, nullptr, nullptr);
  toto::TaskQueue::find("nobody");  // the handlers of toto are registered now
  std::thread other([] {
    forking.wait();
    toto::EventLoop loop;
  });
  // AddressSanitizer may have lost its allocator's lock to the parent.
  if (!kThreadSanitizer && !kAddressSanitizer) {
    expect(fork_and_wait([] { _exit(use_everything()); }) == 0, "the child makes a loop and a queue, and uses them");
  } else {
    forking.open();
  }
  other.join();
  return failures == 0 ? 0 : 1;
}
