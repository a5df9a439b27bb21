// SPDX-License-Identifier: MIT
//
// Named queues are shared by the whole program, made by whoever asks first, and live until it ends. What they have
// accepted runs before that: in shutdown_instances(), or else at exit.

#include <chrono>
#include <cstdlib>
#include <toto/tasks.hpp>

#include "expect.hpp"

using namespace std::chrono_literals;

namespace {
int sent = 0;
bool archived = false;
}  // namespace

void look_after_the_drain() {
  expect(archived, "what a named queue has accepted runs even after main has returned");
}

int main() {
  // Called after the drain, because the drain is registered later, with the first named queue.
  std::atexit(look_after_the_drain);

  expect(toto::TaskQueue::find("mail") == nullptr, "there is no queue before someone asks for it");
  toto::TaskQueue& mail = toto::TaskQueue::instance("mail", 2, 10s);
  expect(&toto::TaskQueue::instance("mail") == &mail, "later callers get the same queue");
  expect(toto::TaskQueue::find("mail") == &mail && mail.thread_count() == 2, "as it was made");

  const auto letters = mail.limited(1, "letters");
  for (int i = 0; i < 100; ++i) {
    letters.add_task([] { ++sent; });
  }
  expect(toto::TaskQueue::shutdown_instances(1min), "shutdown_instances closes them all and waits, with a limit");
  expect(sent == 100, "so everything ran");
  bool closed = false;
  try {
    toto::TaskQueue::instance("mail").add_task([] {});
  } catch (const toto::QueueClosed&) {
    closed = true;
  }
  expect(closed, "the closed queue keeps its name");

  // A queue that is made after that is drained at exit. set_exit_limit limits how long that may take.
  toto::TaskQueue::set_exit_limit(1min);
  toto::TaskQueue::instance("archive").add_task([] { archived = true; });
}
