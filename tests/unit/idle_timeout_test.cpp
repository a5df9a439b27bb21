// SPDX-License-Identifier: MIT
//
// Group B on real threads, with loose bounds: how long idle workers stay, and that leaving loses nothing. The exact
// times are proven in the simulator.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"
#include "support/record.hpp"

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using toto::Duration;
using toto::TaskQueue;
using toto_tests::Arrivals;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::kPatience;
using toto_tests::kProcessInfo;
using toto_tests::Meeting;
using toto_tests::threads_named;

TEST_CASE("a worker outlives its last task by the idle timeout and no longer", "[task_queue][B1]") {
  constexpr auto kTimeout = 150ms;
  TaskQueue queue(1, kTimeout, "b1");
  REQUIRE(queue.size() == 0);
  Clock::time_point end_of_task;
  queue.add_task([&end_of_task] { end_of_task = Clock::now(); });
  REQUIRE(queue.wait_idle_for(kPatience));
  const std::size_t just_after = queue.size();
  if (Clock::now() < end_of_task + kTimeout) {  // a machine under load may have stopped us here
    REQUIRE(just_after == 1);
  }
  REQUIRE(eventually([&] { return queue.size() == 0; }));
  const auto stayed = Clock::now() - end_of_task;
  REQUIRE(stayed >= kTimeout);
  REQUIRE(stayed < kTimeout + 5s);
  if (kProcessInfo) {
    REQUIRE(eventually([] { return threads_named("b1-") == 0; }));
  }
}

TEST_CASE("a task added after expiry runs on a new thread", "[task_queue][B2]") {
  TaskQueue queue(1, 1ms, "b2");
  int marks = 0;  // of thread-locals: how many threads have been seen
  const auto visit = [&marks] {
    thread_local bool known = false;
    marks += known ? 0 : 1;
    known = true;
  };
  for (int i = 1; i <= 5; ++i) {
    queue.yield_task(visit).get();
    REQUIRE(eventually([&] { return queue.stats().threads == 0; }));
    REQUIRE(marks == i);
    REQUIRE(queue.stats().threads_started == static_cast<std::uint64_t>(i));
  }
}

TEST_CASE("tasks added just at the deadline all run", "[task_queue][B3]") {
  constexpr auto kTimeout = 5ms;
  Arrivals ran;
  TaskQueue queue(1, kTimeout, "b3");
  for (int i = 1; i <= 20; ++i) {
    Clock::time_point end_of_task;
    queue
        .yield_task([&] {
          ran.arrive();
          end_of_task = Clock::now();
        })
        .get();
    // A spread of 0.2 ms around the deadline, and the last stretch without sleeping: sleeping would miss it.
    const auto when = end_of_task + kTimeout + (i - 10) * 20us;
    std::this_thread::sleep_until(when - 1ms);
    while (Clock::now() < when) {
    }
    queue.add_task([&ran] { ran.arrive(); });
    REQUIRE(ran.wait_for(2 * i));
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(ran.count() == 40);
}

TEST_CASE("an idle timeout of 0 works for many tasks one after another", "[task_queue][B5]") {
  TaskQueue queue(2, 0s, "b5");
  int sum = 0;
  for (int i = 0; i < 500; ++i) {
    sum += queue.yield_task([i] { return i; }).get();
  }
  REQUIRE(sum == 499 * 500 / 2);
  REQUIRE(eventually([&] { return queue.size() == 0; }));
}

TEST_CASE("an endless or huge idle timeout does not overflow and keeps the thread", "[task_queue][B6]") {
  const Duration timeout = GENERATE(values<Duration>({
      Duration::never(),
      std::chrono::hours::max(),
      std::chrono::nanoseconds::max(),
      std::chrono::nanoseconds::max() - 1ns,
      std::chrono::hours(24 * 365 * 100),
      std::chrono::duration<double>(std::numeric_limits<double>::infinity()),
      std::chrono::duration<double>(1e300),
      std::chrono::duration<float, std::ratio<86400 * 365>>(250.F),
  }));
  CAPTURE(timeout.nanoseconds().count());
  TaskQueue queue(1, timeout, "b6");
  std::thread::id first;
  queue.yield_task([&first] { first = std::this_thread::get_id(); }).get();
  REQUIRE(eventually([&] { return queue.stats().idle == 1; }));
  std::this_thread::sleep_for(20ms);  // an overflow would have ended the thread at once
  REQUIRE(queue.size() == 1);
  std::thread::id second;
  queue.yield_task([&second] { second = std::this_thread::get_id(); }).get();
  REQUIRE(first == second);
  REQUIRE(queue.stats().threads_started == 1);
}

TEST_CASE("an endless idle timeout does not keep the queue from ending", "[task_queue][B6]") {
  const Duration timeout = GENERATE(values<Duration>({Duration::never(), std::chrono::hours(24 * 365 * 100)}));
  Clock::time_point begun;
  {
    Meeting meeting(3);
    TaskQueue queue(3, timeout, "b6");
    for (int i = 0; i < 3; ++i) {
      queue.add_task([&meeting] { meeting.arrive_and_wait(); });
    }
    REQUIRE(eventually([&] { return queue.stats().idle == 3; }));
    begun = Clock::now();
  }
  REQUIRE(Clock::now() - begun < 5s);
}

TEST_CASE("idle workers leave until none is left", "[task_queue][B9]") {
  constexpr int kThreads = 4;
  Meeting meeting(kThreads);
  TaskQueue queue(kThreads, 20ms, "b9");
  for (int i = 0; i < kThreads; ++i) {
    queue.add_task([&meeting] { meeting.arrive_and_wait(); });
  }
  REQUIRE(eventually([&] { return queue.size() == 0; }));
  REQUIRE(queue.stats().threads == 0);
  REQUIRE(queue.stats().threads_started == kThreads);
  if (kProcessInfo) {
    REQUIRE(eventually([] { return threads_named("b9-") == 0; }));
  }
}

TEST_CASE("idle workers expire also after several threads asked for the first one at once", "[task_queue][B9]") {
  // Producers that wait for the start of the first worker keep it from leaving. No worker may forget its deadline over
  // that.
  std::atomic<int> ran{0};
  TaskQueue queue(4, 0s, "b9");
  for (int round = 1; round <= 40; ++round) {
    toto_tests::Threads producers;
    Meeting meeting(8);
    for (int i = 0; i < 8; ++i) {
      producers.start([&] {
        meeting.arrive_and_wait();
        for (int k = 0; k < 100; ++k) {
          queue.add_task([&ran] { ++ran; });
        }
      });
    }
    producers.join();
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(ran == round * 800);
    REQUIRE(eventually([&] { return queue.size() == 0; }, 5s));
  }
}

TEST_CASE("a task longer than the idle timeout is not idleness", "[task_queue][B11]") {
  Gate gate;
  Gate begun;
  TaskQueue queue(1, 1ms, "b11");
  std::thread::id first;
  queue.add_task([&] {
    first = std::this_thread::get_id();
    begun.open();
    gate.wait();
  });
  REQUIRE(begun.wait());
  std::this_thread::sleep_for(20ms);  // twenty times the timeout
  REQUIRE(queue.stats().running == 1);
  REQUIRE(queue.stats().threads == 1);
  std::thread::id second;
  auto handle = queue.yield_task([&second] { second = std::this_thread::get_id(); });
  gate.open();
  handle.get();
  REQUIRE(first == second);
  REQUIRE(queue.stats().threads_started == 1);
}

namespace {

/// Ends slowly, so that code which does not wait for it is sure to be caught.
struct SlowAtThreadExit {
  Gate* begun = nullptr;
  std::atomic<bool>* ended = nullptr;
  ~SlowAtThreadExit() {
    if (begun != nullptr) {
      begun->open();
      std::this_thread::sleep_for(50ms);
      *ended = true;
    }
  }
};
thread_local SlowAtThreadExit slow_at_thread_exit;

}  // namespace

TEST_CASE("thread-locals of expired workers are destroyed before the queue is gone", "[task_queue][B13]") {
  Gate begun;
  std::atomic<bool> ended{false};
  const auto use_thread_local = [&] {
    slow_at_thread_exit.begun = &begun;
    slow_at_thread_exit.ended = &ended;
  };
  SECTION("of a worker that has expired") {
    {
      TaskQueue queue(1, 0s, "b13");
      queue.add_task(use_thread_local);
      REQUIRE(begun.wait());
    }
    REQUIRE(ended);
  }
  SECTION("of a worker that was idle") {
    {
      TaskQueue queue(1, Duration::never(), "b13");
      queue.yield_task(use_thread_local).get();
    }
    REQUIRE(ended);
  }
  SECTION("of a worker that was busy") {
    {
      TaskQueue queue(1, 0s, "b13");
      queue.add_task(use_thread_local);
    }
    REQUIRE(ended);
  }
}

TEST_CASE("an idle queue uses no processor time and leaves no thread behind", "[task_queue][idle]") {
  if (!kProcessInfo) {
    SKIP("needs /proc");
  }
  constexpr int kThreads = 4;
  Meeting meeting(kThreads);
  TaskQueue queue(kThreads, 3s, "idle");
  for (int i = 0; i < kThreads; ++i) {
    queue.add_task([&meeting] { meeting.arrive_and_wait(); });
  }
  REQUIRE(eventually([&] { return queue.stats().idle == kThreads; }));
  std::this_thread::sleep_for(10ms);  // until they are asleep
  const toto_tests::Usage before = toto_tests::usage();
  std::this_thread::sleep_for(1s);
  const toto_tests::Usage after = toto_tests::usage();
  REQUIRE(queue.stats().idle == kThreads);  // they were there all the time
  REQUIRE(threads_named("idle-") == kThreads);
  REQUIRE(after.processor - before.processor < 10ms);
  REQUIRE(after.sleeps - before.sleeps < 40);  // polling even ten times a second would be more
  REQUIRE(eventually([] { return threads_named("idle-") == 0; }));
  REQUIRE(queue.size() == 0);
}
