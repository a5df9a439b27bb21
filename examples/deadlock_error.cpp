// SPDX-License-Identifier: MIT
//
// A blocking wait that could never end throws DeadlockError instead of hanging: in the thread that would block last,
// before it blocks. The text says who waits for what. co_await holds no thread, so it does not have the problem.

#include <cstdio>
#include <functional>
#include <string>
#include <toto/tasks.hpp>

#include "expect.hpp"

int answer() {
  return 42;
}

int wait_blocking(toto::TaskQueue& queue) {
  return queue.yield_task(answer).get();
}

toto::Task<int> wait_awaiting(toto::TaskQueue& queue) {
  co_return co_await queue.yield_task(answer);
}

std::string complaint_of(toto::TaskHandle<int> handle) {
  try {
    handle.get();
  } catch (const toto::DeadlockError& error) {
    std::printf("     %s\n", error.what());
    return error.what();
  }
  return "";
}

int main() {
  toto::TaskQueue small({.thread_count = 1, .name = "small"});
  expect(!complaint_of(small.yield_task(wait_blocking, std::ref(small))).empty(),
         "waiting for a task that needs this very thread throws");
  expect(small.yield_task(wait_awaiting, std::ref(small)).get() == 42, "a coroutine may do that, even with one thread");

  // Across queues: a task of one queue waits for a task of another, which waits for the first queue.
  toto::TaskQueue other({.thread_count = 1, .name = "other"});
  const auto round_trip = [&] { return other.yield_task([&] { return wait_blocking(small); }).get(); };
  const std::string text = complaint_of(small.yield_task(round_trip));
  expect(text.find("'small'") != std::string::npos && text.find("'other'") != std::string::npos,
         "a cycle through several queues is detected, too");

  toto::TaskQueue large({.thread_count = 2, .name = "large"});
  expect(large.yield_task(wait_blocking, std::ref(large)).get() == 42, "no error if another thread can run the task");

  toto::InstancePool<int> pool({1});
  auto lease = pool.instance();
  bool thrown = false;
  try {
    auto second = pool.instance();
  } catch (const toto::DeadlockError&) {
    thrown = true;
  }
  expect(thrown, "waiting for an instance that this thread holds throws as well");
}
