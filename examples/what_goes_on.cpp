// SPDX-License-Identifier: MIT
//
// See what a queue is doing: stats() counts, dump() says it in words, an observer is notified of each task, and a
// watchdog notifies it when tasks are queued and none begins. trace.cpp draws a picture of all of it.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <latch>
#include <string>
#include <string_view>
#include <toto/tasks.hpp>

#include "expect.hpp"

using namespace std::chrono_literals;

/// A task is shown with the type of its callable: a named class reads better than a lambda.
struct ReadFile {
  std::latch& running;
  std::latch& go_on;
  void operator()() const {
    running.count_down();
    go_on.wait();
  }
};

/// Called on several threads at a time.
class Metrics final : public toto::QueueObserver {
 public:
  void task_finished(const toto::TaskEvent& /*task*/, toto::TaskEnd end) noexcept override {
    failures += end == toto::TaskEnd::failed ? 1 : 0;
  }
  void queue_starving(std::string_view /*queue*/, std::size_t /*queued*/, toto::Duration /*since*/) noexcept override {
    starving = true;
    starving.notify_one();
  }

  std::atomic<int> failures = 0;
  std::atomic<bool> starving = false;
};

int main() {
  std::latch running(1);
  std::latch go_on(1);
  Metrics metrics;  // must outlive the queue
  toto::TaskQueue queue({.name = "disk", .observer = &metrics, .watchdog = 20ms, .track_tasks = true});
  queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
  queue.add_task(ReadFile{running, go_on});
  queue.add_task([] { throw 1; });
  running.wait();

  const toto::QueueStats now = queue.stats();
  expect(now.submitted == 2 && now.running == 1 && now.queued == 1 && now.threads == 1, "stats() counts");

  const std::string text = queue.dump();
  std::printf("%s", text.c_str());
  expect(text.find("ReadFile running on worker 1") != std::string::npos,
         "dump() says what each task is doing, by name");

  metrics.starving.wait(false);
  expect(metrics.starving, "the watchdog reports that nothing has begun for a while");

  go_on.count_down();
  queue.wait_idle();
  expect(metrics.failures == 1, "the observer counted the task that failed");
  const toto::QueueStats end = queue.stats();
  expect(end.submitted == end.completed + end.failed && end.completed == 1, "and so did the queue");
}
