// SPDX-License-Identifier: MIT
//
// A named callable or argument that can only be moved has to be moved, whatever takes it.
// covers: [U5]
// expect: fn or one of its arguments can be moved, but not copied
// each: ARGUMENT CALLABLE CALL INSTANCE

#include <toto/tasks.hpp>

#include <memory>

struct Row {
  void set(std::unique_ptr<int>) {}
};

void use(toto::TaskQueue& queue, [[maybe_unused]] toto::AwaitableInstance<Row>& row, std::unique_ptr<int> number) {
  [[maybe_unused]] auto callable = [captured = std::move(number)] {};
#if defined(ARGUMENT)
  queue.add_task([](std::unique_ptr<int>) {}, number);
#elif defined(CALLABLE)
  queue.add_task(callable);
#elif defined(CALL)
  static_cast<void>(queue.call(callable));
#else
  static_cast<void>(row(&Row::set, number));
#endif
}
