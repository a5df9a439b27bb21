// SPDX-License-Identifier: MIT
//
// A handle may be dropped, or detached, which is the same but explicit: the task still runs. If it fails, no one
// can observe the exception, so it goes to the queue's on_error handler.

#include <exception>
#include <latch>
#include <stdexcept>
#include <string>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

int main() {
  int runs = 0;
  std::string unseen;

  toto::TaskQueue queue({.name = "background"});
  queue.on_error([&](const std::exception_ptr& error, const toto::TaskInfo&) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& exception) {
      unseen = exception.what();
    }
  });

  // This task keeps the thread busy, so that the handles below are dropped before their tasks begin.
  std::latch dropped(1);
  queue.add_task([&] { dropped.wait(); });
  {
    auto handle = queue.yield_task([&] { return ++runs; });
  }  // dropped: the results are no longer wanted, but the tasks still run
  queue.yield_task([&] { return ++runs; }).detach();
  queue.yield_task([]() -> int { throw std::runtime_error("no one was waiting for this"); }).detach();
  dropped.count_down();

  queue.wait_idle();
  expect(runs == 2, "tasks run whether or not anyone waits for them");
  expect(unseen == "no one was waiting for this", "an exception that no one could observe went to on_error");

  // Moving a handle moves the right to the result.
  auto first = queue.yield_task([] { return 5; });
  auto second = std::move(first);
  expect(!first.valid() && second.valid(), "a moved-from handle is empty");
  expect(second.get() == 5, "and the other one has the result");
}
