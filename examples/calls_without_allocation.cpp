// SPDX-License-Identifier: MIT
//
// call() is yield_task() without a handle: callable, arguments and result live in the frame of the coroutine that
// awaits it, so nothing is allocated. The price: a coroutine that is destroyed meanwhile takes its task with it.

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <latch>
#include <new>
#include <toto/tasks.hpp>

#include "expect.hpp"

namespace {
std::atomic<int> allocations = 0;
}

// Counts what the whole program allocates.
void* operator new(std::size_t size, const std::nothrow_t& /*null if there is no memory*/) noexcept {
  ++allocations;
  return std::malloc(size);
}
void* operator new(std::size_t size) {
  void* const memory = operator new(size, std::nothrow);
  return memory != nullptr ? memory : throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}

int look_up(int key) {
  return 2 * key;
}

toto::Task<int> sum(toto::TaskQueue& queue, int count) {
  int total = 0;
  for (int key = 0; key < count; ++key) {
    total += co_await queue.call(look_up, key);
  }
  co_return total;
}

toto::Task<> count_allocations(toto::TaskQueue& queue) {
  co_await sum(queue, 1000);  // the first calls start the thread and grow the queue
  const int before = allocations;
  const int total = co_await sum(queue, 1000);
  expect(total == 999000, "call() gives the result, as yield_task() does");
  expect(allocations - before <= 1, "a thousand calls allocate no more than the coroutine's frame");
}

void take_the_task_along(toto::TaskQueue& queue) {
  std::latch running(1);
  std::latch go_on(1);
  queue.add_task([&] {
    running.count_down();
    go_on.wait();
  });
  running.wait();
  {
    toto::EventLoop loop;
    loop.spawn([](toto::TaskQueue& tasks) -> toto::Task<> { co_await tasks.call([] {}); }(queue));
    loop.post([&] { loop.stop(); });
    loop.run();
    expect(queue.stats().queued == 1, "the call stands in line");
  }  // destroys the coroutine
  expect(queue.stats().queued == 0, "and is gone with the coroutine, in whose frame it was");
  go_on.count_down();
  queue.wait_idle();
}

int main() {
  toto::TaskQueue queue({.name = "tables"});
  toto::sync_wait(count_allocations(queue));
  take_the_task_along(queue);
}
