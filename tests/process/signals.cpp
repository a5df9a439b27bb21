// SPDX-License-Identifier: MIT
//
// covers: [R9][C8]
// only: posix
//
// Signals arrive all the time, and no system call is restarted after them. Waits neither end early nor fail, on a queue
// that blocks signals and on one that does not; on a worker of the former the handler never runs.

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <toto/tasks.hpp>

#include "support/expect.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using namespace toto_tests;

namespace {

std::atomic<long> received{0};
std::atomic<long> received_on_a_worker{0};
static_assert(std::atomic<long>::is_always_lock_free);

thread_local bool is_worker = false;

extern "C" void on_signal(int) {
  ++received;
  if (is_worker) {
    ++received_on_a_worker;
  }
}

toto::Task<int> sleep_on_loop() {
  for (int i = 0; i < 10; ++i) {
    co_await toto::sleep_for(5ms);
  }
  co_return 1;
}

void wait_in_every_way(toto::TaskQueue& queue) {
  const auto began = Clock::now();
  auto slow = queue.yield_task([] {
    is_worker = true;
    const auto begin = Clock::now();
    std::this_thread::sleep_for(100ms);
    is_worker = false;
    return Clock::now() - begin;
  });
  const bool early = slow.wait_for(20ms);
  expect(!early && Clock::now() - began >= 20ms, "wait_for does not end early");
  expect(slow.get() >= 100ms, "a sleep in a task is not interrupted");

  std::atomic<int> runs = 0;
  for (int i = 0; i < 200; ++i) {
    queue.add_task([&] {
      is_worker = true;
      ++runs;
      is_worker = false;
    });
    if (queue.yield_task([&] { return ++runs; }).get() <= 0) {
      ++failures;
    }
  }
  queue.wait_idle();
  expect(runs == 400, "every task ran");

  const auto looped = Clock::now();
  expect(toto::sync_wait(sleep_on_loop()) == 1, "a loop sleeps ten times");
  expect(Clock::now() - looped >= 50ms, "and no sleep ends early");
  expect(queue.yield_task(&sleep_on_loop).get() == 1, "so does a coroutine on a queue");

  // Idle threads sleep through the signals, and leave when it is time.
  queue.yield_task([] {}).get();
  const auto idle = Clock::now();
  while (queue.stats().threads > 0 && Clock::now() - idle < 10s) {
    std::this_thread::sleep_for(1ms);
  }
  expect(queue.stats().threads == 0, "idle threads leave in time");
}

}  // namespace

int main() {
  struct sigaction action{};
  action.sa_handler = &on_signal;  // no SA_RESTART
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGALRM, &action, nullptr);

  std::atomic<bool> stop = false;
  const pthread_t main_thread = pthread_self();
  std::thread sender([&] {
    while (!stop) {
      pthread_kill(main_thread, SIGINT);
      raise(SIGALRM);          // to this thread
      kill(getpid(), SIGINT);  // to any thread that does not block it
      std::this_thread::sleep_for(100us);
    }
  });

  toto::TaskQueue open(2, 20ms);
  wait_in_every_way(open);
  received_on_a_worker = 0;
  toto::TaskQueue blocking({.thread_count = 2, .idle_timeout = 20ms, .block_signals = true});
  wait_in_every_way(blocking);

  stop = true;
  sender.join();
  expect(received > 100, std::to_string(received) + " signals were received");
  expect(received_on_a_worker == 0, "none of them on a worker of the queue that blocks them");
  return failures == 0 ? 0 : 1;
}
