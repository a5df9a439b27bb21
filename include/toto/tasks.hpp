// SPDX-License-Identifier: MIT
//
// toto: a task queue for C++20 coroutines. It runs blocking code on a bounded set of threads, which end when they are
// idle, and lets coroutines co_await the results and continue where they were.
//
//   #include <cstdio>
//   #include <toto/tasks.hpp>
//
//   int add(int a, int b) { return a + b; }
//
//   toto::Task<> caller() {
//     const int sum = co_await toto::TaskQueue::instance("myqueue").yield_task(add, 1, 2);
//     std::printf("%d\n", sum);                       // back on the event loop's thread
//   }
//
//   int main() {
//     toto::EventLoop loop;
//     loop.spawn(caller());
//     loop.run();
//   }
//
// Words: a task is a callable you add to a queue; a worker is one of the queue's threads; a handle stands for the
// result of one task; a coroutine's home is the loop, queue or executor on which it runs and to which it comes back
// after each co_await; an executor is anything a coroutine can continue on; a continuation is a coroutine on its way
// back; a view of a queue is for tasks of one kind; a lease holds an instance taken from a pool until it is returned; a
// task group is a scope that outlives everything started in it.
//
// This header includes everything except the opt-in headers (task_scope.hpp, trace.hpp, fmt.hpp, asio.hpp, qt.hpp,
// glib.hpp, libuv.hpp) and the simulator (testing/). Namespace toto::detail is not part of the interface.
//
// Read in this order: the headers below, then the ten files of docs/design.md, "The life of a task".

#ifndef TOTO_TASKS_HPP
#define TOTO_TASKS_HPP

// clang-format off: the reading order
#include "version.hpp"
#include "errors.hpp"
#include "duration.hpp"
#include "observer.hpp"
#include "options.hpp"
#include "stats.hpp"
#include "runtime.hpp"
#include "executor.hpp"
#include "task.hpp"
#include "task_handle.hpp"
#include "queue_view.hpp"
#include "timer.hpp"
#include "admission.hpp"
#include "task_queue.hpp"
#include "event_loop.hpp"
#include "spawn.hpp"
#include "sleep_for.hpp"
#include "resume_on.hpp"
#include "sync_wait.hpp"
#include "when_all.hpp"
#include "when_all_settled.hpp"
#include "when_all_or_cancel.hpp"
#include "when_any.hpp"
#include "task_group.hpp"
#include "queue_choice.hpp"
#include "awaitable_instance.hpp"
#include "pool_options.hpp"
#include "lease.hpp"
#include "instance_pool.hpp"
// clang-format on

// Defined by the program, or by the CMake target toto::compiled: compiled.cpp is compiled along with the program, and
// what does not depend on the program's types is compiled only there.
#ifdef TOTO_COMPILED
#include "detail/compiled_templates.hpp"
#endif

#endif  // TOTO_TASKS_HPP
