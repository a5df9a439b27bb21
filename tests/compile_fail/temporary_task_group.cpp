// SPDX-License-Identifier: MIT
//
// The body of a task group is such a temporary, too, if it captures what has a destructor.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await toto::with_task_group([&queue, text](toto::TaskGroup& group) -> toto::Task<> {
    group.add(queue, [] {});
    co_return;
  });
}
