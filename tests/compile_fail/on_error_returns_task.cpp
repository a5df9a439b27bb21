// SPDX-License-Identifier: MIT
//
// expect: the hook returns a Task, which nobody would run

#include <toto/tasks.hpp>

void set(toto::TaskQueue& queue) {
  queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) -> toto::Task<> { co_return; });
}
