// SPDX-License-Identifier: MIT
//
// A view is a way into a queue for tasks of one kind. limited(n, name) lets at most n of them run at a time; with a
// limit of 1 it keeps their order, as a one-thread queue would, and replaces a lock. A task that waits its turn holds
// no thread.

#include <atomic>
#include <cstddef>
#include <latch>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

void no_more_than_two(toto::TaskQueue& queue) {
  const auto reports = queue.limited(2, "reports");
  std::atomic<int> at_work = 0;
  std::atomic<int> most = 0;
  for (int i = 0; i < 100; ++i) {
    reports.add_task([&] {
      const int now = ++at_work;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      --at_work;
    });
  }
  queue.wait_idle();
  expect(most >= 1 && most <= 2, "the view's tasks never had more than two of the four threads");
}

void one_after_another(toto::TaskQueue& queue) {
  const auto log = queue.limited(1, "log");
  std::vector<int> lines;  // without a lock
  for (int i = 0; i < 100; ++i) {
    log.add_task([&lines, i] { lines.push_back(i); });
  }
  auto in_order = log.yield_task([&lines] {
    bool right = lines.size() == 100;
    for (int i = 0; right && i < 100; ++i) {
      right = lines[static_cast<std::size_t>(i)] == i;
    }
    return right;
  });
  expect(in_order.get(), "a view with a limit of 1 runs them one at a time, in the order of adding");
}

void hold_no_thread() {
  toto::TaskQueue queue({.thread_count = 2, .name = "two threads"});
  const auto slow = queue.limited(1, "slow");
  std::latch go_on(1);
  for (int i = 0; i < 10; ++i) {
    slow.add_task([&] { go_on.wait(); });
  }
  expect(queue.yield_task([] { return 1; }).get() == 1, "nine slow tasks wait for a tenth; the other thread is free");
  expect(queue.stats().queued == 9, "they are queued tasks of the queue");
  go_on.count_down();
}

int main() {
  toto::TaskQueue queue({.thread_count = 4, .name = "work"});
  no_more_than_two(queue);
  one_after_another(queue);
  hold_no_thread();
}
