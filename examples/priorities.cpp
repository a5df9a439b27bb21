// SPDX-License-Identifier: MIT
//
// Tasks begin in the order of adding, unless some are more urgent: add those through with({.priority = n}), n from -8
// to 7. With ageing, a task that waits long enough becomes urgent by itself.

#include <chrono>
#include <latch>
#include <string>
#include <toto/tasks.hpp>

#include "expect.hpp"

using namespace std::chrono_literals;

int main() {
  std::string order;
  std::latch running(1);
  std::latch go_on(1);
  toto::TaskQueue queue({.name = "mixed"});  // one thread
  queue.add_task([&] {
    running.count_down();
    go_on.wait();
  });
  running.wait();  // everything below is queued while that task blocks the thread

  const auto urgent = queue.with({.priority = 5});
  const auto most_urgent = queue.with({.priority = 7});
  const auto idle = queue.with({.priority = -5});
  idle.add_task([&] { order += "idle "; });
  queue.add_task([&] { order += "first "; });
  queue.add_task([&] { order += "second "; });
  urgent.add_task([&] { order += "urgent "; });
  most_urgent.add_task([&] { order += "most_urgent "; });
  go_on.count_down();
  queue.wait_idle();
  expect(order == "most_urgent urgent first second idle ",
         "by priority, and within one priority in the order of adding");

  // One level per nanosecond: a task that has waited at all is more urgent than a new one.
  order.clear();
  std::latch aged(1);
  toto::TaskQueue fair({.name = "fair", .ageing = 1ns});
  fair.add_task([&] { aged.wait(); });
  fair.with({.priority = -8}).add_task([&] { order += "old "; });
  const auto added = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - added < 1us) {
  }
  fair.with({.priority = 7}).add_task([&] { order += "new "; });
  aged.count_down();
  fair.wait_idle();
  expect(order == "old new ", "with ageing nothing waits forever");
}
