// SPDX-License-Identifier: MIT
//
// yield_task runs a function on a queue and returns a handle to await. The coroutine continues where it was: on
// the event loop's thread, so data that belongs to the loop needs no lock. What the function throws comes out of
// the co_await.

#include <stdexcept>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

using ThreadAndValue = std::pair<std::thread::id, int>;

ThreadAndValue slow_square(int number) {
  return {std::this_thread::get_id(), number * number};
}

int reciprocal(int number) {
  if (number == 0) {
    throw std::domain_error("nothing divides by zero");
  }
  return 1 / number;
}

toto::Task<> caller(toto::TaskQueue& queue) {
  const std::thread::id loop_thread = std::this_thread::get_id();

  // Eager: the task is in the queue when yield_task returns, and runs while we do something else.
  auto handle = queue.yield_task(slow_square, 7);
  expect(handle.valid(), "the handle stands for the task");
  const ThreadAndValue result = co_await handle;

  expect(result.second == 49, "co_await yields what the function returned");
  expect(result.first != loop_thread, "the function ran on a worker");
  expect(std::this_thread::get_id() == loop_thread, "the coroutine continues on the loop's thread");

  std::string message;
  try {
    co_await queue.yield_task(reciprocal, 0);
  } catch (const std::domain_error& error) {
    message = error.what();
  }
  expect(message == "nothing divides by zero", "what the function threw comes out of co_await");
  expect(std::this_thread::get_id() == loop_thread, "on the same thread as before");

  bool taken = false;
  try {
    co_await handle;
  } catch (const toto::NoState&) {
    taken = true;
  }
  expect(taken, "a result is taken once: a second await throws NoState");
}

int main() {
  toto::TaskQueue queue({.thread_count = 2, .name = "workers"});
  toto::EventLoop loop;
  loop.run_sync(caller(queue));

  // Without a coroutine: block for the result.
  expect(queue.yield_task(reciprocal, 1).get() == 1, "get() blocks the calling thread");
  expect(toto::sync_wait(queue.yield_task(reciprocal, 1)) == 1, "and so does sync_wait, for anything awaitable");
}
