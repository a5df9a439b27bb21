// SPDX-License-Identifier: MIT
//
// What has not begun can be taken back: cancel() for one task, a token for all that were added with it. What runs is
// never interrupted, but asked to stop: a task that wants to hear of it takes a StopToken in front of its arguments.

#include <functional>
#include <latch>
#include <thread>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

/// Counts until it is told to stop, and gives what it has then.
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
  expect(was_cancelled(behind_it), "and whoever wants its result gets TaskCancelled");
  expect(!counting.cancel(), "one that runs is asked to stop");
  expect(counting.get() >= 0, "and gives what it has, when it has heard of it");
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
  expect(was_cancelled(queued[0]) && was_cancelled(queued[1]) && was_cancelled(queued[2]), "a token takes all of them");
  expect(counting.get() >= 0, "the one that runs sees the same request");
  expect(not_a_search.get() == 2, "and what was added without the token runs");
}

int main() {
  one_task();
  many_tasks();
}
