// SPDX-License-Identifier: MIT
//
// covers: [G20][G21]
// flags: -O1 -fno-optimize-sibling-calls
//
// Coroutines that await each other take no stack, whatever the options are by which the compiler may, or may not, make
// a jump of symmetric transfer.

#include <cstdio>
#include <stdexcept>
#include <toto/tasks.hpp>
#include <utility>

#include "support/expect.hpp"
#include "support/stack_position.hpp"

using namespace toto_tests;

namespace {

constexpr std::size_t kFewFrames = 32 * 1024;
constexpr int kMany = 1'000'000;
StackExtent stack;

toto::Task<int> one() {
  stack.see();
  co_return 1;
}
toto::Task<int> fail() {
  stack.see();
  throw std::runtime_error("on purpose");
  co_return 0;
}
toto::Task<int> one_of_another() {
  co_return co_await one();
}
toto::Task<int> count(int times, toto::Task<int> (*next)()) {
  int sum = 0;
  for (int i = 0; i < times; ++i) {
    sum += co_await next();
  }
  co_return sum;
}
toto::Task<int> count_failures(int times) {
  int sum = 0;
  for (int i = 0; i < times; ++i) {
    try {
      co_await fail();
    } catch (const std::runtime_error&) {
      ++sum;
    }
  }
  co_return sum;
}
toto::Task<int> recurse(int depth) {
  stack.see();
  const int below = depth == 0 ? -1 : co_await recurse(depth - 1);
  stack.see();
  co_return below + 1;
}

/// Each of `times` calls of itself waits before it goes deeper.
toto::Task<int> recurse_with_waits(toto::TaskQueue& queue, int depth) {
  co_await queue.schedule();
  if (depth > 0) {
    co_await recurse_with_waits(queue, depth - 1);
  }
  co_return 0;
}

}  // namespace

int main() {
  expect(toto::sync_wait(count(kMany, &one)) == kMany, "a loop awaits a million Tasks that end at once");
  expect(toto::sync_wait(count(kMany, &one_of_another)) == kMany, "the same two levels deep");
  expect(toto::sync_wait(count_failures(kMany / 100)) == kMany / 100, "Tasks that fail");
  expect(toto::sync_wait(recurse(kMany / 10)) == kMany / 10, "a hundred thousand Tasks, each awaits the next");
  expect(stack.bytes() < kFewFrames, "and all of that takes a few frames on the stack");
  toto::TaskQueue queue;
  expect(queue.yield_task(&count, kMany, &one).get() == kMany, "on a queue");
  expect(queue.yield_task(&recurse_with_waits, std::ref(queue), 5'000).get() == 0, "with waits in between");
  return failures == 0 ? 0 : 1;
}
