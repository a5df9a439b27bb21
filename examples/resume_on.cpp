// SPDX-License-Identifier: MIT
//
// A coroutine comes back to where it was. resume_on() takes it elsewhere for good, with a handle or without one: to a
// queue, a loop, or any executor stored in an ExecutorRef. current_executor() returns where the calling code runs.

#include <latch>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

int load() {
  return 7;
}

toto::Task<> move_about(toto::TaskQueue& disk, toto::TaskQueue& logic, toto::EventLoop& loop) {
  const toto::ExecutorRef home = toto::current_executor();
  expect(home == toto::ExecutorRef(loop), "we begin on the loop");

  co_await disk.yield_task(load);
  expect(toto::current_executor() == home, "and come back to it");

  co_await disk.yield_task(load).resume_on(logic);
  expect(toto::TaskQueue::current() == &logic, "resume_on moves us to a queue");
  co_await disk.yield_task(load);
  expect(toto::TaskQueue::current() == &logic, "and that is our home from then on");

  auto handle = disk.yield_task(load);
  handle.wait();  // it has ended
  co_await std::move(handle).resume_on(home);
  expect(toto::EventLoop::current() == &loop, "back to where we came from, even if there is nothing to wait for");

  co_await toto::resume_on(logic);
  expect(toto::TaskQueue::current() == &logic, "and to the queue once more, without a handle");
  co_await toto::resume_on(home);

  std::latch suspended(1);
  loop.post([&] { suspended.count_down(); });  // the loop gets to this once we have left it
  auto last = disk.yield_task([&] {
    suspended.wait();
    return std::this_thread::get_id();
  });
  const std::thread::id thread = co_await std::move(last).resume_inline();
  expect(thread == std::this_thread::get_id(), "resume_inline stays on the thread that finished the task");
}

int main() {
  expect(!toto::current_executor(), "main runs on no executor");
  toto::TaskQueue disk({.name = "disk"});
  toto::TaskQueue logic({.name = "logic"});
  toto::EventLoop loop;
  loop.run_sync(move_about(disk, logic, loop));
}
