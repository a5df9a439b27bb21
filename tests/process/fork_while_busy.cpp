// SPDX-License-Identifier: MIT
//
// covers: [R2]
// only: posix
// not: thread sanitizer (its runtime does not let the child of a process with threads start new ones)
//
// A busy program forks again and again. In each child the inherited queues are empty and start afresh, or throw
// something of toto's own; nothing hangs; destroying them joins nobody. The parent is unharmed.

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "support/record.hpp"
#include "support/sanitizers.hpp"
#include "support/scenarios.hpp"

using namespace std::chrono_literals;

namespace {

int failures = 0;

void expect(bool condition, const std::string& what) {
  if (!condition) {
    std::printf("FAILED  %s\n", what.c_str());
    ++failures;
  }
}

/// What keeps the parent busy, in as many ways as there are locks.
struct Busy {
  std::unique_ptr<toto::TaskQueue> queue = std::make_unique<toto::TaskQueue>(3, 0ms, "busy");
  toto::TaskQueue& named = toto::TaskQueue::instance("busy and named", 2, 1ms);
  toto::EventLoop loop;
  std::atomic<bool> stop{false};
  std::atomic<int> accepted{0};
  std::atomic<int> runs{0};
  std::atomic<int> names{0};

  static toto::Task<> sleep(std::atomic<int>& runs) {
    co_await toto::sleep_for(100us);
    ++runs;
  }

  void add_tasks() {
    const auto owner = std::make_shared<int>(1);
    while (!stop) {
      for (toto::TaskQueue* const target : {queue.get(), &named}) {
        target->add_task([this] { ++runs; });
        target->add_task([this, owner] { ++runs; });
        auto handle = target->yield_task([this] { return ++runs; });
        auto sleeper = target->yield_task(&sleep, std::ref(runs));
        accepted += 4;
        handle.get();
      }
    }
  }
  void run_the_loop() {
    struct Ticking {
      static toto::Task<> tick(const std::atomic<bool>& stop) {
        while (!stop) {
          co_await toto::sleep_for(100us);
        }
      }
    };
    loop.spawn(Ticking::tick(stop));
    loop.run();
  }
  void make_queues() {
    while (!stop) {
      toto::TaskQueue short_lived(1, 0ms);
      short_lived.add_task([this] { ++runs; });
      ++accepted;
      const toto::EventLoop unused;
      static_cast<void>(unused);
    }
  }
  void make_named_queues() {
    while (!stop && names < 1000) {
      toto::TaskQueue::instance("name " + std::to_string(++names), 1, 0ms).add_task([this] { ++runs; });
      ++accepted;
      std::this_thread::sleep_for(1ms);
    }
  }
};

/// In the child. What is wrong as an exit code, or 0.
int use_what_was_inherited(Busy& busy, toto::TaskHandle<int>& running, int round) {
  alarm(20);  // a hang ends with a signal
  toto::TaskQueue& queue = *busy.queue;
  if (queue.stats().queued != 0 || queue.stats().threads != 0 || queue.size() != 0) {
    return 1;
  }
  if (toto_tests::kThreadSanitizer || toto_tests::kAddressSanitizer) {
    return 0;  // the one allows no threads in the child, the other may have lost its allocator's lock to the parent
  }
  std::atomic<int> runs = 0;
  for (toto::TaskQueue* const target : {&queue, &busy.named, &toto::TaskQueue::instance("made by the child")}) {
    try {
      for (int i = 0; i < 10; ++i) {
        target->add_task([&] { ++runs; });
      }
      if (target->yield_task([] { return 1; }).get() != 1) {
        return 2;
      }
      target->wait_idle();
    } catch (const toto::Error&) {  // says clearly that it cannot
      runs += 10;
    }
  }
  if (runs != 30) {
    return 3;
  }
  struct Coroutine {
    static toto::Task<int> sleep(toto::TaskQueue& on) {
      co_await toto::sleep_for(1ms);
      auto handle = on.yield_task([] { return 2; });
      co_return co_await handle;
    }
  };
  if (toto::sync_wait(Coroutine::sleep(queue)) != 2 ||
      queue.yield_task(&Coroutine::sleep, std::ref(busy.named)).get() != 2) {
    return 4;
  }
  busy.loop.post([] {});  // its thread does not exist here
  busy.loop.stop();
  if (running.ready()) {
    return 5;  // its task belongs to a thread that does not exist here
  }
  if (round % 2 == 0) {
    running = {};  // dropping it waits for nobody
  }
  busy.queue.reset();  // joins the threads of the child, and none of the parent's
  toto::TaskQueue::shutdown_instances(5s);
  return 0;
}

}  // namespace

int main() {
  const int rounds = toto_tests::scaled(50, 15);
  Busy busy;
  std::atomic<bool> release = false;
  toto::TaskQueue holding;
  auto running = holding.yield_task([&] {
    release.wait(false);
    return 7;
  });
  toto_tests::Threads threads;
  for (int i = 0; i < 2; ++i) {
    threads.start([&] { busy.add_tasks(); });
  }
  threads.start([&] { busy.run_the_loop(); });
  threads.start([&] { busy.make_queues(); });
  threads.start([&] { busy.make_named_queues(); });

  for (int round = 0; round < rounds && failures == 0; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(137 * (round % 10)));
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      _exit(use_what_was_inherited(busy, running, round));
    }
    const int end = toto_tests::wait_for_child(child, 60s);
    expect(end == 0, "the child of round " + std::to_string(round) + " ended with " + std::to_string(end));
  }
  busy.stop = true;
  threads.join();
  release = true;
  release.notify_all();
  expect(running.get() == 7, "the parent's running task ends");
  busy.queue->wait_idle();
  expect(toto::TaskQueue::shutdown_instances(30s), "the parent's named queues end");
  busy.queue.reset();
  expect(busy.runs == busy.accepted,
         "the parent has run " + std::to_string(busy.runs) + " of " + std::to_string(busy.accepted) + " tasks");
  return failures == 0 ? 0 : 1;
}
