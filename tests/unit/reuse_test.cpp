// SPDX-License-Identifier: MIT
//
// Group C on real threads: when a queue starts a thread and when it uses one that is there; what its threads are like.

#include <toto/tasks.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#endif

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"
#include "support/record.hpp"

using namespace std::chrono_literals;
using toto::Duration;
using toto::TaskQueue;
using toto_tests::Arrivals;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::kPatience;
using toto_tests::kProcessInfo;
using toto_tests::Meeting;
using toto_tests::Record;
using toto_tests::threads_named;

TEST_CASE("tasks one after another use a single thread", "[task_queue][C1]") {
  TaskQueue queue(4, Duration::never(), "c1");
  std::set<std::thread::id> threads;
  for (int i = 0; i < 20; ++i) {
    threads.insert(queue.yield_task([] { return std::this_thread::get_id(); }).get());
    // The worker is idle only shortly after get() has returned: adding sooner may rightly start another.
    REQUIRE(eventually([&] { return queue.stats().idle == queue.stats().threads; }));
  }
  REQUIRE(threads.size() == 1);
  REQUIRE(queue.stats().threads_started == 1);
}

TEST_CASE("after a burst single tasks reuse the threads that are there", "[task_queue][C2]") {
  constexpr int kBurst = 3;
  Meeting meeting(kBurst);
  TaskQueue queue(8, Duration::never(), "c2");
  for (int i = 0; i < kBurst; ++i) {
    queue.add_task([&meeting] { meeting.arrive_and_wait(); });
  }
  const auto all_idle = [&queue] {
    const toto::QueueStats stats = queue.stats();
    return stats.idle == stats.threads && stats.threads_started == stats.threads;
  };
  REQUIRE(eventually(all_idle));
  const std::uint64_t after_burst = queue.stats().threads_started;
  REQUIRE(after_burst >= kBurst);
  for (int i = 0; i < 20; ++i) {
    queue.yield_task([] {}).get();
    REQUIRE(eventually(all_idle));
  }
  REQUIRE(queue.stats().threads_started == after_burst);
}

TEST_CASE("as many tasks as threads really run at once", "[task_queue][C4]") {
  const int threads = GENERATE(1, 2, 4, 16);
  CAPTURE(threads);
  TaskQueue queue(static_cast<std::size_t>(threads), Duration::never(), "c4");
  for (int round = 0; round < 5; ++round) {  // with new threads, and with idle ones
    Meeting meeting(threads);
    std::vector<toto::TaskHandle<bool>> handles;
    for (int i = 0; i < threads; ++i) {
      handles.push_back(queue.yield_task([&meeting] { return meeting.arrive_and_wait(); }));
    }
    for (toto::TaskHandle<bool>& handle : handles) {
      REQUIRE(handle.get());
    }
  }
  REQUIRE(queue.stats().threads_started == static_cast<std::uint64_t>(threads));
}

TEST_CASE("a task gets a thread although another one has just begun a long task", "[task_queue][C4]") {
  // Each task is added while the previous one runs, then two at once: none may rely on a worker that is busy.
  constexpr int kThreads = 6;
  Gate gate;
  Arrivals begun;
  TaskQueue queue(kThreads, Duration::never(), "c4");
  const auto block = [&] {
    begun.arrive();
    gate.wait();
  };
  for (int i = 1; i <= kThreads - 2; ++i) {
    queue.add_task(block);
    REQUIRE(begun.wait_for(i));
  }
  queue.add_task(block);
  queue.add_task(block);
  const bool all_begun = begun.wait_for(kThreads);
  gate.open();
  REQUIRE(all_begun);
}

namespace {

/// Woken by each task, the other worker of the queue mostly finds that this one has run it already.
toto::Task<int> round_trips_then_meet(TaskQueue& queue, int count) {
  int met = 0;
  for (int i = 0; i < count; ++i) {
    auto handle = queue.yield_task([i] { return i; });
    static_cast<void>(co_await handle);
    if (i % 100 == 0) {
      Meeting meeting(2);
      queue.add_task([meeting]() mutable { meeting.arrive_and_wait(); });
      met += meeting.arrive_and_wait() ? 1 : 0;  // blocks this worker: only the other one can come
    }
  }
  co_return met;
}

}  // namespace

TEST_CASE("a worker that was woken for nothing many times comes when it is needed", "[task_queue][C4]") {
  TaskQueue queue(2, Duration::never(), "c4");
  REQUIRE(queue.yield_task(round_trips_then_meet, std::ref(queue), 2000).get() == 20);
}

TEST_CASE("making a queue starts no thread", "[task_queue][C5]") {
  TaskQueue queue(64, Duration::never(), "c5");
  REQUIRE(queue.size() == 0);
  REQUIRE(queue.stats() == toto::QueueStats());
  if (kProcessInfo) {
    REQUIRE(threads_named("c5-") == 0);
  }
}

TEST_CASE("adding starts no more threads than there are tasks waiting", "[task_queue][C6]") {
  const int tasks = GENERATE(1, 2, 3, 7);
  CAPTURE(tasks);
  for (int round = 0; round < 20; ++round) {
    Gate gate;
    Arrivals begun;
    TaskQueue queue(32, Duration::never(), "c6");
    for (int i = 0; i < tasks; ++i) {
      queue.add_task([&] {
        begun.arrive();
        gate.wait();
      });
    }
    const bool all_begun = begun.wait_for(tasks);
    const std::uint64_t threads = queue.stats().threads;  // final: nothing waits any more
    gate.open();
    REQUIRE(all_begun);
    REQUIRE(threads == static_cast<std::uint64_t>(tasks));
  }
}

TEST_CASE("run starts one thread at a time up to thread_count", "[task_queue]") {
  TaskQueue queue(2, Duration::never(), "run");
  queue.run();
  REQUIRE(eventually([&] { return queue.stats().idle == 1; }));
  REQUIRE(queue.stats().threads_started == 1);
  REQUIRE(queue.size() == 1);
  std::this_thread::sleep_for(10ms);  // until the first one sleeps
  queue.run();
  REQUIRE(eventually([&] { return queue.stats().idle == 2; }));
  queue.run();
  queue.run();
  REQUIRE(queue.stats().threads_started == 2);
  queue.yield_task([] {}).get();
  REQUIRE(queue.stats().threads_started == 2);
  queue.close();
  REQUIRE_THROWS_AS(queue.run(), toto::QueueClosed);
}

TEST_CASE("run called twice in a row starts two threads", "[task_queue]") {
  TaskQueue queue(3, Duration::never(), "run");
  queue.run();
  queue.run();
  REQUIRE(eventually([&] { return queue.stats().idle == 2; }, 2s));
  REQUIRE(queue.stats().threads_started == 2);
}

#if defined(__linux__)

namespace {

std::string name_of_this_thread() {
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

}  // namespace

TEST_CASE("threads are named after the queue within what the system can show", "[task_queue][C7]") {
  const auto name_on = [](TaskQueue& queue) { return queue.yield_task(&name_of_this_thread).get(); };
  SECTION("a short name") {
    TaskQueue queue(1, 60s, "short");
    REQUIRE(name_on(queue) == "short-1");
  }
  SECTION("each thread has a number of its own") {
    Meeting meeting(3);
    TaskQueue queue(3, 60s, "three");
    std::vector<toto::TaskHandle<std::string>> handles;
    for (int i = 0; i < 3; ++i) {
      handles.push_back(queue.yield_task([&meeting] {
        meeting.arrive_and_wait();
        return name_of_this_thread();
      }));
    }
    std::set<std::string> names;
    for (auto& handle : handles) {
      names.insert(handle.get());
    }
    REQUIRE(names == std::set<std::string>{"three-1", "three-2", "three-3"});
  }
  SECTION("a name that just fits") {
    TaskQueue queue(1, 60s, "thirteen-long");
    REQUIRE(name_on(queue) == "thirteen-long-1");
  }
  SECTION("a name that has to be cut keeps the number") {
    TaskQueue queue(1, 60s, "a-name-much-too-long-for-the-kernel");
    REQUIRE(name_on(queue) == "a-name-much-t-1");
    REQUIRE(queue.name() == "a-name-much-too-long-for-the-kernel");
  }
}

#endif

#if defined(__unix__) || defined(__APPLE__)

namespace {

volatile sig_atomic_t signals_on_main_thread = 0;
volatile sig_atomic_t signals_elsewhere = 0;
pthread_t main_thread;

extern "C" void count_signal(int) {
  if (pthread_equal(pthread_self(), main_thread) != 0) {
    signals_on_main_thread = signals_on_main_thread + 1;
  } else {
    signals_elsewhere = signals_elsewhere + 1;
  }
}

}  // namespace

TEST_CASE("workers of a queue that blocks signals do not receive those of the program", "[task_queue][C8]") {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Meeting meeting(4);
  TaskQueue queue({.thread_count = 4, .name = "c8", .block_signals = true});
  std::vector<toto::TaskHandle<sigset_t>> handles;
  for (int i = 0; i < 4; ++i) {
    handles.push_back(queue.yield_task([&meeting] {
      sigset_t mask;
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      meeting.arrive_and_wait();
      return mask;
    }));
  }
  for (auto& handle : handles) {
    const sigset_t mask = handle.get();
    for (const int asynchronous : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2, SIGPIPE}) {
      CAPTURE(asynchronous);
      REQUIRE(sigismember(&mask, asynchronous) == 1);
    }
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
      CAPTURE(fault);
      REQUIRE(sigismember(&mask, fault) == 0);
    }
  }

  // The thread that added has the mask it had, and is the one that gets what is sent to the process.
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGSEGV}) {
    REQUIRE(sigismember(&after, signal) == sigismember(&before, signal));
  }
  main_thread = pthread_self();
  struct sigaction counting{};
  counting.sa_handler = &count_signal;
  struct sigaction former{};
  sigaction(SIGUSR2, &counting, &former);
  for (int i = 1; i <= 20; ++i) {
    kill(getpid(), SIGUSR2);
    REQUIRE(eventually([&] { return signals_on_main_thread + signals_elsewhere == i; }));
  }
  sigaction(SIGUSR2, &former, nullptr);
  REQUIRE(signals_on_main_thread == 20);
}

#endif
