// SPDX-License-Identifier: MIT
//
// covers: [R7]
//
// A program and two shared libraries include toto: they share one registry, one idea of which queue a thread belongs
// to, and the types of the exceptions. (Libraries that hide their symbols have a registry each: docs/semantics.md.)

#include <cstdio>
#include <functional>

#include "shared.hpp"
#include "support/expect.hpp"

using namespace toto_tests;

int main() {
  toto::TaskQueue* const queue = &toto::TaskQueue::instance("shared by libraries", 1);
  expect(one::named_queue() == queue && two::named_queue() == queue, "there is one registry");
  expect(queue->thread_count() == 1, "whoever is first decides on the options");
  expect(queue->yield_task(&one::current_queue).get() == queue, "the first library knows the queue of the thread");
  expect(queue->yield_task(&two::current_queue).get() == queue, "the second library knows the queue of the thread");
  auto first = one::add(1);
  auto second = two::add(1);
  expect(first.get() == 2 && second.get() == 11, "handles pass between libraries");
  expect(toto::sync_wait(two::coroutine(1)) == 13, "coroutines of several libraries await each other");
  expect(queue->yield_task(&two::coroutine, 2).get() == 15, "and run on the shared queue");
  bool caught = false;
  try {
    one::throw_queue_closed();
  } catch (const toto::QueueClosed&) {
    caught = true;
  }
  expect(caught, "an exception thrown in a library is caught in the program");
  return failures == 0 ? 0 : 1;
}
