// SPDX-License-Identifier: MIT
//
// A coroutine can be a task: add a function that returns a Task<R>. While it awaits something it occupies no
// worker, so one thread serves any number of coroutines, and it continues on its own queue each time.
// `schedule()` moves a coroutine to another queue for good.

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "expect.hpp"

using namespace std::chrono_literals;

std::string fetch(const std::string& name) {
  return "content of " + name;
}

toto::Task<std::size_t> total_length(std::vector<std::string> names, toto::TaskQueue& disk) {
  toto::TaskQueue* const home = toto::TaskQueue::current();
  std::size_t length = 0;
  for (const std::string& name : names) {
    const std::string content = co_await disk.yield_task(fetch, name);
    expect(toto::TaskQueue::current() == home, "back on the coroutine's own queue");
    length += content.size();
  }
  co_return length;
}

toto::Task<int> nap(int number) {
  co_await toto::sleep_for(100ms);  // the worker is free meanwhile
  co_return number;
}

toto::Task<> change_queue(toto::TaskQueue& first, toto::TaskQueue& second) {
  co_await first.schedule();
  expect(toto::TaskQueue::current() == &first, "schedule() continues on the queue");
  co_await second.schedule();
  expect(toto::TaskQueue::current() == &second, "and later on another one");
}

int main() {
  toto::TaskQueue disk({.name = "disk"});
  toto::TaskQueue logic({.name = "logic"});  // one thread

  const std::vector<std::string> names = {"left", "right"};
  auto length = logic.yield_task(total_length, names, std::ref(disk));
  expect(length.get() == 31, "the handle of a Task<R> yields R");

  const auto start = std::chrono::steady_clock::now();
  std::vector<toto::TaskHandle<int>> naps;
  for (int i = 0; i < 20; ++i) {
    naps.push_back(logic.yield_task(nap, i));
  }
  int sum = 0;
  for (auto& handle : naps) {
    sum += handle.get();
  }
  expect(sum == 190, "twenty coroutines slept on one thread");
  expect(std::chrono::steady_clock::now() - start < 1500ms, "at the same time");

  toto::sync_wait(change_queue(disk, logic));
}
