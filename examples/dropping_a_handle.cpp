// SPDX-License-Identifier: MIT
//
// A handle may be dropped, or detached, which is the same but says so: the task runs all the same. Should it
// fail, the failure that nobody will ever see goes to the queue's on_error hook instead.

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

  // A task in front, so that the handles below are dropped before theirs have begun.
  std::latch dropped(1);
  queue.add_task([&] { dropped.wait(); });
  {
    auto handle = queue.yield_task([&] { return ++runs; });
  }  // dropped: we have changed our mind about the result, not about the task
  queue.yield_task([&] { return ++runs; }).detach();
  queue.yield_task([]() -> int { throw std::runtime_error("nobody was waiting for this"); }).detach();
  dropped.count_down();

  queue.wait_idle();
  expect(runs == 2, "tasks run whether or not somebody waits for them");
  expect(unseen == "nobody was waiting for this", "a failure nobody could see went to on_error");

  // Moving a handle moves the right to the result.
  auto first = queue.yield_task([] { return 5; });
  auto second = std::move(first);
  expect(!first.valid() && second.valid(), "a handle that was moved from stands for nothing");
  expect(second.get() == 5, "and the other one has the result");
}
