// SPDX-License-Identifier: MIT
//
// Named queues are shared by the whole program, made by whoever asks first, and live until it ends. What they have
// accepted runs before that: at shutdown_instances(), or, without it, at exit.

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
  expect(archived, "what a named queue has accepted runs although main has returned");
}

int main() {
  // Called after the drain, which is registered later, with the first named queue.
  std::atexit(look_after_the_drain);

  expect(toto::TaskQueue::find("mail") == nullptr, "there is no queue before somebody asks for it");
  toto::TaskQueue& mail = toto::TaskQueue::instance("mail", 2, 10s);
  expect(&toto::TaskQueue::instance("mail") == &mail, "who asks later gets the same one");
  expect(toto::TaskQueue::find("mail") == &mail && mail.thread_count() == 2, "as it was made");

  const auto letters = mail.limited(1, "letters");
  for (int i = 0; i < 100; ++i) {
    letters.add_task([] { ++sent; });
  }
  expect(toto::TaskQueue::shutdown_instances(1min), "shutdown_instances closes them all and waits, with a limit");
  expect(sent == 100, "so everything has run");
  bool closed = false;
  try {
    toto::TaskQueue::instance("mail").add_task([] {});
  } catch (const toto::QueueClosed&) {
    closed = true;
  }
  expect(closed, "the name stays with the closed queue");

  // One that is made after that is drained at exit. set_exit_limit says how long that may take at most.
  toto::TaskQueue::set_exit_limit(1min);
  toto::TaskQueue::instance("archive").add_task([] { archived = true; });
}
