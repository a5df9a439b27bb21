// SPDX-License-Identifier: MIT
//
// The body of a group is a coroutine that takes the group.
// covers: [U5]
// expect: the body of a task group must be a coroutine
// each: PLAIN WITHOUT_GROUP

#include <toto/tasks.hpp>

void use() {
#if defined(PLAIN)
  static_cast<void>(toto::with_task_group([](toto::TaskGroup&) {}));
#else
  static_cast<void>(toto::with_task_group([]() -> toto::Task<> { co_return; }));
#endif
}
