// SPDX-License-Identifier: MIT
//
// A group adds to queues and to nothing else.
// covers: [U5]
// expect: a group adds tasks to a queue or to a view of one
// each: HANDLE LOOP NUMBER

#include <toto/tasks.hpp>

void use(toto::TaskGroup& group, [[maybe_unused]] toto::TaskQueue& queue, [[maybe_unused]] toto::EventLoop& loop) {
#if defined(HANDLE)
  group.add(queue.yield_task([] {}), [] {});
#elif defined(LOOP)
  group.add(loop, [] {});
#else
  group.add(3, [] {});
#endif
}
