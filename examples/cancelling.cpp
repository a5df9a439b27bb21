// SPDX-License-Identifier: MIT
//
// A task that has not begun can be cancelled: by cancel(), or together with others by a token. A running task is never
// interrupted, only asked to stop: one that wants to notice takes a StopToken in front of its arguments.

#include <functional>
#include <latch>
#include <thread>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

/// Counts until it is asked to stop, and returns the count.
long count(const toto::StopToken& stop, std::latch& running) {
  running.count_down();
  long number = 0;
  for (; !stop.stop_requested(); ++number) {
    std::this_thread::yield();
  }
  return number;
}

template <class T>
bool was_cancelled(toto::TaskHandle<T>& handle) {
  try {
    handle.get();
  } catch (const toto::TaskCancelled&) {
    return true;
  }
  return false;
}

void one_task() {
  std::latch running(1);
  toto::TaskQueue queue({.name = "one thread"});
  auto counting = queue.yield_task(count, std::ref(running));
  auto behind_it = queue.yield_task([] { return 1; });
  running.wait();

  expect(behind_it.cancel(), "a task that has not begun never will");
  expect(was_cancelled(behind_it), "and taking its result throws TaskCancelled");
  expect(!counting.cancel(), "a running task is asked to stop");
  expect(counting.get() >= 0, "and returns what it has when it notices");
}

void many_tasks() {
  std::latch running(1);
  toto::TaskQueue queue({.name = "searches"});
  toto::StopSource user_gave_up;
  const auto searches = queue.with(user_gave_up.get_token());
  auto counting = searches.yield_task(count, std::ref(running));
  std::vector<toto::TaskHandle<int>> queued;
  for (int i = 0; i < 3; ++i) {
    queued.push_back(searches.yield_task([] { return 1; }));
  }
  auto not_a_search = queue.yield_task([] { return 2; });
  running.wait();

  user_gave_up.request_stop();
  expect(was_cancelled(queued[0]) && was_cancelled(queued[1]) && was_cancelled(queued[2]),
         "a token cancels all of them");
  expect(counting.get() >= 0, "the running one sees the same request");
  expect(not_a_search.get() == 2, "a task added without the token runs");
}

int main() {
  one_task();
  many_tasks();
}
