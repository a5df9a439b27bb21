// SPDX-License-Identifier: MIT
//
// AwaitableInstance::concurrent() is for an object that is thread-safe: a wrapper of it whose calls may overlap, as far
// as the queue has threads. Calls through the first wrapper still run one at a time and in order.

#include <latch>
#include <memory>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

class Index {
 public:
  /// Comes back when two callers are in it.
  void meet() { both_.arrive_and_wait(); }

  /// Needs no lock if calls do not overlap.
  int next() { return ++last_; }

 private:
  std::latch both_{2};
  int last_ = 0;
};

toto::Task<> caller(toto::TaskQueue& queue) {
  toto::AwaitableInstance index(std::make_shared<Index>(), queue);
  const auto overlapping = index.concurrent();
  co_await toto::when_all(overlapping(&Index::meet), overlapping(&Index::meet));
  expect(true, "two calls were in the object at a time: neither would have come back alone");

  std::vector<toto::TaskHandle<int>> numbers;
  for (int i = 0; i < 100; ++i) {
    numbers.push_back(index(&Index::next));
  }
  int in_order = 0;
  for (auto& number : numbers) {
    in_order += co_await number == in_order + 1 ? 1 : 0;
  }
  expect(in_order == 100, "through the first wrapper they still take turns");
}

int main() {
  toto::TaskQueue queue({.thread_count = 2, .name = "index"});
  toto::sync_wait(caller(queue));
}
