// SPDX-License-Identifier: MIT
//
// AwaitableInstance::concurrent() is for thread-safe objects: it returns a wrapper of the same object whose calls may
// overlap, as far as the queue has threads. Calls through the first wrapper still run one at a time, in order.

#include <latch>
#include <memory>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

class Index {
 public:
  /// Returns once two callers are inside.
  void meet() { both_.arrive_and_wait(); }

  /// Needs no lock as long as calls do not overlap.
  int next() { return ++last_; }

 private:
  std::latch both_{2};
  int last_ = 0;
};

toto::Task<> caller(toto::TaskQueue& queue) {
  toto::AwaitableInstance index(std::make_shared<Index>(), queue);
  const auto overlapping = index.concurrent();
  co_await toto::when_all(overlapping(&Index::meet), overlapping(&Index::meet));
  expect(true, "two calls were inside the object at once; neither would have returned alone");

  std::vector<toto::TaskHandle<int>> numbers;
  for (int i = 0; i < 100; ++i) {
    numbers.push_back(index(&Index::next));
  }
  int in_order = 0;
  for (auto& number : numbers) {
    in_order += co_await number == in_order + 1 ? 1 : 0;
  }
  expect(in_order == 100, "calls through the first wrapper still take turns");
}

int main() {
  toto::TaskQueue queue({.thread_count = 2, .name = "index"});
  toto::sync_wait(caller(queue));
}
