// SPDX-License-Identifier: MIT
//
// How a queue ends. close() refuses new work and returns at once; accepted tasks still run. wait_idle() and the
// destructor wait for them. Pending::cancel also cancels what has not begun: its handles complete with
// TaskCancelled, so no one waits forever.

#include <atomic>
#include <chrono>
#include <latch>
#include <string>
#include <toto/tasks.hpp>

#include "expect.hpp"

using namespace std::chrono_literals;

void drain_by_the_destructor() {
  std::atomic<int> runs = 0;
  {
    toto::TaskQueue queue({.thread_count = 2, .name = "drained"});
    for (int i = 0; i < 100; ++i) {
      queue.add_task([&] { ++runs; });
    }
  }  // closes, runs what was accepted, joins the threads
  expect(runs == 100, "the destructor waited for all tasks");
}

void close_and_refuse() {
  toto::TaskQueue queue({.name = "shop"});
  auto accepted = queue.yield_task([] { return 1; });
  queue.close();
  std::string message;
  try {
    queue.add_task([] {});
  } catch (const toto::QueueClosed& error) {
    message = error.what();
  }
  expect(message.find("shop") != std::string::npos, "a closed queue refuses new tasks, by name");
  expect(accepted.get() == 1, "a task accepted before still runs");
}

void close_and_cancel() {
  toto::TaskQueue queue({.name = "cancelled"});
  std::latch running(1);
  std::latch go_on(1);
  auto begun = queue.yield_task([&] {
    running.count_down();
    go_on.wait();
  });
  auto queued = queue.yield_task([] { return 2; });
  running.wait();
  queue.close(toto::Pending::cancel);
  bool cancelled = false;
  try {
    queued.get();
  } catch (const toto::TaskCancelled&) {
    cancelled = true;
  }
  expect(cancelled, "Pending::cancel completes queued tasks with TaskCancelled");
  go_on.count_down();
  expect(begun.wait_for(1min), "a task that has begun runs to its end");
}

void wait_until_idle() {
  toto::TaskQueue queue({.name = "busy"});
  std::latch go_on(1);
  queue.add_task([&] { go_on.wait(); });
  expect(!queue.wait_idle_for(1ms), "wait_idle_for says whether the queue became idle in time");
  go_on.count_down();
  queue.wait_idle();
  expect(queue.stats().completed == 1, "wait_idle waits as long as it takes");
}

int main() {
  drain_by_the_destructor();
  close_and_refuse();
  close_and_cancel();
  wait_until_idle();
}
