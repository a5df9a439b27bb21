// SPDX-License-Identifier: MIT
//
// Two time limits. timeout() limits a wait: the coroutine gets TimedOut. start_by limits the time until a task begins:
// a task that would begin later never runs. Neither interrupts a task that has begun.

#include <chrono>
#include <latch>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

using namespace std::chrono_literals;

toto::Task<bool> is_late(toto::TaskHandle<int> handle, toto::Duration limit) {
  try {
    co_await std::move(handle).timeout(limit);
  } catch (const toto::TimedOut&) {
    co_return true;
  }
  co_return false;
}

int main() {
  int runs = 0;
  std::latch running(1);
  std::latch go_on(1);
  toto::TaskQueue queue({.name = "sensors"});
  toto::EventLoop loop;

  expect(!loop.run_sync(is_late(queue.yield_task([] { return 1; }), 1min)), "a result that arrives in time");

  auto slow = queue.yield_task([&] {
    running.count_down();
    go_on.wait();
    return ++runs;
  });
  running.wait();
  const auto read = [&] { return ++runs; };
  expect(loop.run_sync(is_late(std::move(slow), 10ms)), "a task that takes too long: TimedOut");
  expect(loop.run_sync(is_late(queue.yield_task(read), 10ms)), "and a task queued behind it, which is taken out");

  auto stale = queue.with({.start_by = 10ms}).yield_task(read);
  bool cancelled = false;
  try {
    stale.get();  // the thread is still busy
  } catch (const toto::TaskCancelled&) {
    cancelled = true;
  }
  expect(cancelled, "start_by: a task that has not begun by then completes with TaskCancelled");

  // Blocking waits have limits, too. They leave the handle as it was.
  auto patient = queue.yield_task(read);
  expect(!patient.wait_for(1ms) && patient.valid(), "wait_for returns false when the time is up");
  go_on.count_down();
  expect(patient.get() == 2, "only the slow task, which kept running, and this one have run");
}
