// SPDX-License-Identifier: MIT
//
// covers: [C9]
// only: posix
//
// A program that a task starts ends by SIGTERM, as one that the program's own threads start does, wherever the task
// runs: also where the thread was started by one that blocks signals.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <future>
#include <thread>
#include <toto/tasks.hpp>

#include "support/expect.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;

extern char** environ;

namespace {

/// The signal that ended a child of the calling thread which was sent SIGTERM; 0 if it went on.
int end_of_child() {
  char program[] = "sleep";
  char seconds[] = "3";
  char* arguments[] = {program, seconds, nullptr};
  pid_t child = 0;
  if (posix_spawnp(&child, program, nullptr, nullptr, arguments, environ) != 0) {
    return -1;
  }
  kill(child, SIGTERM);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace

int main() {
  expect(end_of_child() == SIGTERM, "a child of main ends by SIGTERM");
  int end = 0;
  std::thread([&] { end = end_of_child(); }).join();
  expect(end == SIGTERM, "a child of another thread, too");

  toto::TaskQueue queue;
  expect(queue.yield_task(&end_of_child).get() == SIGTERM, "a child of a task, too");

  toto::TaskQueue blocking({.name = "blocking", .block_signals = true});
  expect(blocking.yield_task(&end_of_child).get() == 0, "not of a queue that blocks signals");
  expect(blocking.yield_task([] {
                   toto::TaskQueue inner;
                   return inner.yield_task(&end_of_child).get();
                 })
                 .get() == SIGTERM,
         "but of a queue whose thread a thread of that one has started");

  // The timer thread is started by one that blocks signals, and starts a thread of a queue.
  std::promise<int> of_timer;
  auto timer =
      blocking.yield_task([&] { return queue.add_task_after(1ms, [&] { of_timer.set_value(end_of_child()); }); }).get();
  expect(of_timer.get_future().get() == SIGTERM, "of a task that was delayed");
  return failures == 0 ? 0 : 1;
}
