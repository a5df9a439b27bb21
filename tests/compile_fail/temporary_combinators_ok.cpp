// SPDX-License-Identifier: MIT
//
// What may be awaited at once: temporaries without a destructor, named objects, and bodies that capture references.
// covers: [G24]

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await toto::when_any(queue.yield_task([] { return 1; }), queue.yield_task([&text] { return text.size(); }));
  auto handle = queue.yield_task([text] { return text.size(); });
  co_await toto::when_all_or_cancel(handle, queue.yield_task([] {}));
  co_await toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
    group.add(queue, [text] { static_cast<void>(text); });
    co_return;
  });
  auto group = toto::with_task_group([text](toto::TaskGroup&) -> toto::Task<std::string> { co_return text; });
  static_cast<void>(co_await group);
  toto::sync_wait(toto::with_task_group([text](toto::TaskGroup&) -> toto::Task<> { co_return; }));
}
