// SPDX-License-Identifier: MIT
//
// A bounded queue: at most max_queued tasks wait for a thread. `overflow` says what happens when a task is added to a
// full queue; try_add_task never waits, whatever `overflow` says; admission() lets a coroutine wait for room without
// holding a thread.

#include <latch>
#include <memory>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

struct Gate {
  std::latch running{1};
  std::latch go_on{1};
};

/// A queue with one thread, which is busy until `go_on`, and with room for one more task, which is taken.
void fill(toto::TaskQueue& queue, Gate& gate) {
  queue.add_task([&gate] {
    gate.running.count_down();
    gate.go_on.wait();
  });
  gate.running.wait();
  queue.add_task([] {});
}

void refuse() {
  Gate gate;
  toto::TaskQueue queue({.name = "requests", .max_queued = 1, .overflow = toto::Overflow::reject});
  fill(queue, gate);
  bool full = false;
  try {
    queue.add_task([] {});
  } catch (const toto::QueueFull&) {
    full = true;
  }
  expect(full, "Overflow::reject throws QueueFull");

  auto record = std::make_unique<int>(42);
  const bool added = queue.try_add_task([](const std::unique_ptr<int>&) {}, std::move(record));
  expect(!added && record != nullptr, "try_add_task returns false and has not touched its arguments");
  gate.go_on.count_down();
}

void discard() {
  Gate gate;
  int shown = 0;
  toto::TaskQueue queue({.name = "display", .max_queued = 1, .overflow = toto::Overflow::discard_oldest});
  fill(queue, gate);
  for (int frame = 1; frame <= 10; ++frame) {
    queue.add_task([&shown, frame] { shown = frame; });
  }
  gate.go_on.count_down();
  queue.wait_idle();
  expect(shown == 10 && queue.stats().cancelled == 10, "Overflow::discard_oldest keeps the newest task");
}

toto::Task<> produce(toto::TaskQueue& queue, int count, int& sum) {
  for (int number = 1; number <= count; ++number) {
    auto room = co_await queue.admission();
    room.add_task([&sum, number] { sum += number; });  // never waits, never refused
  }
}

int main() {
  refuse();
  discard();

  int sum = 0;
  toto::TaskQueue queue({.name = "disk", .max_queued = 2});  // Overflow::block
  toto::EventLoop loop;
  loop.spawn(produce(queue, 100, sum));
  loop.spawn(produce(queue, 100, sum));
  loop.run();
  queue.wait_idle();
  expect(sum == 10100, "two coroutines waited for room in turn, on one thread");
}
