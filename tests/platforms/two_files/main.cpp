// SPDX-License-Identifier: MIT
//
// A program of two files that both use a queue, a pool and a loop: what the headers define in both has to link.

#include <chrono>
#include <memory>
#include <toto/tasks.hpp>

#include "support/expect.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;

int other_file();

namespace {

toto::Task<int> add_up(toto::TaskQueue& queue) {
  int sum = 0;
  for (int i = 0; i < 10; ++i) {
    co_await toto::sleep_for(1ms);
    sum += co_await queue.yield_task([i] { return i; });
  }
  co_return sum;
}

}  // namespace

int main() {
  toto::TaskQueue queue(2);
  toto::InstancePool<int> pool({std::make_shared<int>(1), std::make_shared<int>(1)});
  expect(toto::sync_wait(add_up(queue)) == 45, "a loop awaits tasks");
  expect(pool.transaction([](int& value) { return value; }) == 1, "a pool lends");
  expect(other_file() == 8, "the other file does the same");
  return failures == 0 ? 0 : 1;
}
