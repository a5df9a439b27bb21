// SPDX-License-Identifier: MIT
//
// A group adds to a queue and to a view of one, named, constant or temporary.

#include <toto/tasks.hpp>

toto::Task<> use(toto::TaskQueue& queue) {
  co_await toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
    group.add(queue, [] {});
    group.add(queue.with({.priority = 1}), [](int) {}, 2);
    auto named = queue.limited(1, "named");
    group.add(named, [] { return 1; });
    const auto constant = named;
    group.add(constant, []() -> toto::Task<> { co_return; });
    co_return;
  });
}
