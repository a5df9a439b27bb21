// SPDX-License-Identifier: MIT
//
// covers: [R2]
// only: posix
// not: thread sanitizer (its runtime does not let the child of a process with threads start new ones)
//
// A process forks while tasks are queued, whatever they wait for. The child may cancel what it has inherited: that does
// nothing to the queue, which is used and destroyed there, and whose list of tasks has none of the parent's.

#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <string>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "support/expect.hpp"
#include "support/gate.hpp"
#include "support/sanitizers.hpp"
#include "support/scenarios.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;

namespace {

/// A queue whose only thread is busy, and tasks of each kind behind that.
struct Inherited {
  Gate begun;
  Gate go_on;
  std::optional<toto::TaskQueue> queue;
  toto::StopSource stop;
  std::vector<toto::TaskHandle<>> handles;
  toto::Timer timer;

  explicit Inherited(bool tracked)
      : queue(std::in_place, toto::QueueOptions{.thread_count = 1, .track_tasks = tracked}) {
    queue->add_task([this] {
      begun.open();
      go_on.wait();
    });
    begun.wait();
    const auto turns = queue->limited(1, "one at a time");
    for (int i = 0; i < 3; ++i) {
      handles.push_back(queue->yield_task([] {}));
      handles.push_back(queue->with({.priority = 3 - 3 * i}).yield_task([] {}));
      handles.push_back(turns.yield_task([] {}));
      handles.push_back(queue->with(stop.get_token()).yield_task([] {}));
      queue->add_task([] {});
    }
    const std::size_t before = queue->stats().queued;
    timer = queue->add_task_every(1ms, [] {});
    while (queue->stats().queued == before) {
      sched_yield();
    }
  }
};

/// In the child. What is wrong as an exit code, or 0.
int cancel_and_go_on(Inherited& inherited) {
  alarm(20);  // a hang ends with a signal
  inherited.timer.stop();
  inherited.stop.request_stop();
  for (auto& handle : inherited.handles) {
    if (handle.cancel()) {
      return 1;  // there was nothing to take out
    }
  }
  toto::TaskQueue& queue = *inherited.queue;
  if (queue.dump().find("  task ") != std::string::npos) {
    return 3;
  }
  int runs = 0;
  for (int i = 0; i < 10; ++i) {
    queue.with({.priority = i % 3 - 1}).add_task([&runs] { ++runs; });
    queue.add_task([&runs] { ++runs; });
  }
  queue.wait_idle();
  if (runs != 20 || queue.stats().queued != 0 || queue.size() != queue.stats().threads) {
    return 2;
  }
  inherited.queue.reset();
  return 0;
}

}  // namespace

int main() {
  for (const bool tracked : {false, true}) {
    Inherited inherited(tracked);
    // AddressSanitizer may have lost its allocator's lock to the parent.
    if (!kThreadSanitizer && !kAddressSanitizer) {
      expect(fork_and_wait([&] { _exit(cancel_and_go_on(inherited)); }) == 0,
             "the child cancels what it has inherited, and uses the queue");
    }
    inherited.timer.stop();
    inherited.go_on.open();
    inherited.queue->wait_idle();
    for (auto& handle : inherited.handles) {
      handle.wait();
    }
  }
  return failures == 0 ? 0 : 1;
}
