// SPDX-License-Identifier: MIT
//
// Time: delayed tasks, waits with a limit, calls that live in the awaiting frame, and what a queue reports.

#include <toto/tasks.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <ratio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/process_info.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::TaskQueue;

TEST_CASE("a delayed task runs once, not before its time, on the queue", "[timers]") {
  Gate ran;
  TaskQueue queue;
  TaskQueue* where = nullptr;
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point when;
  const auto timer = queue.add_task_after(20ms, [&] {
    when = std::chrono::steady_clock::now();
    where = TaskQueue::current();
    ran.open();
  });
  REQUIRE(timer.active());
  REQUIRE(ran.wait());
  REQUIRE(when - begin >= 20ms);
  REQUIRE(where == &queue);
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(queue.stats().submitted == 1);
}

TEST_CASE("a timer that is stopped or destroyed lets nothing run; a detached one does", "[timers]") {
  Lifetimes captures;
  std::atomic<int> runs{0};
  TaskQueue queue;
  {
    auto stopped = queue.add_task_after(1h, [&runs, counted = Counted(captures)] { ++runs; });
    stopped.stop();
    CHECK_FALSE(stopped.active());
    CHECK(captures.alive() == 0);
    const auto destroyed = queue.add_task_after(1h, [&runs, counted = Counted(captures)] { ++runs; });
  }
  CHECK(captures.alive() == 0);
  queue.add_task_after(1ms, [&runs] { runs += 100; }).detach();
  REQUIRE(eventually([&] { return runs == 100; }));
}

TEST_CASE("a periodic task comes again until it is stopped, also by itself, and never overlaps", "[timers]") {
  std::atomic<int> runs{0};
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  Gate started;
  TaskQueue queue(4);
  toto::Timer timer;
  timer = queue.add_task_every(1ms, [&] {
    started.wait();
    overlapped = overlapped || ++inside > 1;
    std::this_thread::sleep_for(3ms);  // longer than the period
    --inside;
    if (++runs == 5) {
      timer.stop();
    }
  });
  started.open();
  REQUIRE(eventually([&] { return runs == 5; }));
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(runs == 5);
  CHECK_FALSE(overlapped);
}

TEST_CASE("a period of a nanosecond keeps neither other timers nor whoever stops it", "[timers]") {
  Gate other;
  TaskQueue queue;
  auto busy = queue.add_task_every(1ns, [] { std::this_thread::sleep_for(1ms); });
  const auto timer = queue.add_task_after(50ms, [&other] { other.open(); });
  CHECK(other.wait());
  const auto begin = std::chrono::steady_clock::now();
  busy.stop();
  CHECK(std::chrono::steady_clock::now() - begin < kPatience);
  CHECK_FALSE(busy.active());
}

namespace {

/// A clock whose time is set by hand, and whose tick is as long as `Tick` says.
template <class Tick>
struct HandClock {
  using duration = std::chrono::duration<std::int64_t, Tick>;
  using time_point = std::chrono::time_point<HandClock, duration>;
  static time_point now() noexcept { return time_point(duration(time)); }
  static inline std::int64_t time = 0;
};

template <class Tick = std::nano>
std::int64_t next_after(std::int64_t last, std::int64_t now, toto::Duration period) {
  using Clock = HandClock<Tick>;
  Clock::time = now;
  const typename Clock::time_point from{typename Clock::duration(last)};
  return toto::detail::next_time<Clock>(from, period).time_since_epoch().count();
}

}  // namespace

TEST_CASE("however many times of a timer have passed, the next one is found at once", "[timers]") {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  CHECK(next_after(100, 100, 10ns) == 110);
  CHECK(next_after(100, 109, 10ns) == 110);
  CHECK(next_after(100, 110, 10ns) == 120);  // what is due now is over
  CHECK(next_after(100, 175, 10ns) == 180);
  CHECK(next_after(100, 50, 10ns) == 110);  // one that came too early
  CHECK(next_after(100, 175, 1000h) == 100 + std::int64_t{1000} * 3600 * 1'000'000'000);
  CHECK(next_after(0, kMax / 2, 1ns) == kMax / 2 + 1);
  CHECK(next_after(0, kMax - 1, 1h) == kMax);  // the next one is beyond all times: never
  CHECK(next_after(0, kMax - 1, toto::Duration(std::chrono::nanoseconds::max() - 1ns)) == kMax);
  CHECK(next_after(kMax - 5, kMax - 5, 1h) == kMax);
  CHECK(next_after<std::micro>(7, 9, 1ns) == 10);  // shorter than a tick of the clock: a tick
  CHECK(next_after<std::micro>(0, kMax / 2, 2500ns) > kMax / 2);
}

TEST_CASE("a periodic coroutine is one call until it has ended; what it throws goes to on_error", "[timers]") {
  std::atomic<int> ends{0};
  std::atomic<int> failures{0};
  TaskQueue queue;
  queue.on_error([&](const std::exception_ptr&, const toto::TaskInfo&) { ++failures; });
  const auto coroutine = [&]() -> toto::Task<> {
    co_await toto::sleep_for(2ms);
    if (++ends == 2) {
      throw std::runtime_error("the second time");
    }
  };
  const auto timer = queue.add_task_every(1ms, coroutine);
  REQUIRE(eventually([&] { return ends >= 4; }));
  REQUIRE(failures == 1);
}

TEST_CASE("a task that comes later may take a token, which its timer stops", "[timers][K2]") {
  Gate running;
  Gate seen;
  TaskQueue queue;
  const auto wait = [&](const toto::StopToken& token) {
    running.open();
    if (eventually([&token] { return token.stop_requested(); })) {
      seen.open();
    }
  };
  SECTION("once") {
    auto timer = queue.add_task_after(0s, wait);
    REQUIRE(running.wait());
    CHECK_FALSE(seen.is_open());
    timer.stop();
  }
  SECTION("every so often, destroyed") {
    const auto timer = queue.add_task_every(1ms, wait);
    REQUIRE(running.wait());
    CHECK_FALSE(seen.is_open());
  }
  SECTION("a coroutine") {
    const auto coroutine = [&](toto::StopToken token) -> toto::Task<> {
      running.open();
      while (!token.stop_requested()) {
        co_await toto::sleep_for(1ms);
      }
      seen.open();
    };
    auto timer = queue.add_task_every(1ms, coroutine);
    REQUIRE(running.wait());
    CHECK_FALSE(seen.is_open());
    timer.stop();
  }
  REQUIRE(seen.wait());
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(queue.stats().submitted == 1);
}

TEST_CASE("a timer that is stopped takes a queued call out of the queue if that has a token", "[timers][K1]") {
  TaskQueue queue;
  HeldWorker held(queue);
  REQUIRE(held.held());
  auto timer = queue.add_task_after(0s, [](const toto::StopToken&) {});
  REQUIRE(eventually([&queue] { return queue.stats().queued == 1; }));
  timer.stop();
  CHECK(queue.stats().queued == 0);
  CHECK(queue.stats().cancelled == 1);
}

TEST_CASE("a timer that is stopped takes a queued call out of the queue, with what it has captured", "[timers][K1]") {
  Lifetimes captures;
  TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto timer = queue.add_task_after(0s, [counted = Counted(captures)] {});
  REQUIRE(eventually([&] { return queue.stats().queued == 1; }));
  CHECK(timer.active());
  timer.stop();
  CHECK_FALSE(timer.active());
  CHECK(queue.stats().queued == 0);
  CHECK(captures.alive() == 0);
}

TEST_CASE("a timer is active as long as a call may begin", "[timers]") {
  TaskQueue queue;
  auto once = queue.add_task_after(0s, [] {});
  CHECK(eventually([&] { return !once.active(); }));
  auto never = queue.add_task_after(1h, [] {});
  CHECK(never.active());
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto queued = queue.add_task_after(0s, [] {});
  REQUIRE(eventually([&] { return queue.stats().queued == 1; }));
  queue.close();
  CHECK_FALSE(never.active());
  CHECK(queued.active());  // it was accepted
  worker.release();
  CHECK(eventually([&] { return !queued.active(); }));
  toto::EventLoop loop;
  bool active_in_call = true;
  toto::Timer of_loop;
  of_loop = loop.post_after(0s, [&] { active_in_call = of_loop.active(); });
  CHECK(of_loop.active());
  loop.run();
  CHECK_FALSE(active_in_call);
  CHECK_FALSE(of_loop.active());
}

TEST_CASE("a stop callback may stop the timer that has called it", "[timers][K6]") {
  Gate ready;
  Gate running;
  std::atomic<bool> called{false};
  TaskQueue queue;
  toto::Timer timer;
  timer = queue.add_task_after(0s, [&](const toto::StopToken& token) {
    ready.wait();
    const auto stop = [&] {
      timer.stop();
      called = true;
    };
    const toto::StdRuntime::StopCallback<decltype(stop)> callback(token, stop);
    running.open();
    eventually([&called] { return called.load(); });
  });
  ready.open();
  REQUIRE(running.wait());
  timer.stop();
  CHECK(called);
  REQUIRE(queue.wait_idle_for(kPatience));
}

TEST_CASE("what comes later through a view is a task of the view, and its token stops the timer", "[timers][views]") {
  Gate release;
  Gate begun;
  std::atomic<int> runs{0};
  std::atomic<bool> asked{false};
  Gate running;
  TaskQueue queue(2);
  const auto view = queue.limited(1, "one");
  view.add_task([&] {
    begun.open();
    release.wait();
  });
  REQUIRE(begun.wait());
  const auto after = view.add_task_after(0s, [&runs] { ++runs; });
  REQUIRE(eventually([&queue] { return queue.stats().queued == 1; }));
  queue.yield_task([] {}).get();  // the queue is free, the view is not
  CHECK(runs == 0);
  release.open();
  REQUIRE(eventually([&runs] { return runs == 1; }));

  toto::StopSource source;
  const auto every = view.with(source.get_token()).add_task_every(1ms, [&](const toto::StopToken& token) {
    running.open();
    asked = eventually([&token] { return token.stop_requested(); });
  });
  REQUIRE(running.wait());
  CHECK(every.active());
  source.request_stop();
  CHECK_FALSE(every.active());
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(asked);
}

TEST_CASE("timers refuse wrong arguments by name, and are quiet when their queue has closed", "[timers][U2]") {
  auto queue = std::make_unique<TaskQueue>();
  CHECK_THROWS_WITH(queue->add_task_after(-1s, [] {}), contains("delay is negative"));
  CHECK_THROWS_WITH(queue->add_task_every(0s, [] {}), contains("period is 0"));
  const auto timer = queue->add_task_every(1ms, [] {});
  queue.reset();
  CHECK(eventually([&] { return !timer.active(); }));
}

TEST_CASE("timeout ends the wait with TimedOut: a queued task is cancelled, a running one goes on",
          "[time_limit][K10]") {
  Gate release;
  Gate running;
  std::atomic<bool> first_ended{false};
  TaskQueue queue(1, 60s, "slow");
  toto::EventLoop loop;
  auto first = queue.yield_task([&] {
    running.open();
    release.wait();
    first_ended = true;
    return 1;
  });
  REQUIRE(running.wait());
  auto second = queue.yield_task([] { return 2; });
  std::string words;
  const auto wait = [&](toto::TaskHandle<int> handle) -> toto::Task<bool> {
    try {
      co_await std::move(handle).timeout(5ms);
    } catch (const toto::TimedOut& error) {
      words = error.what();
      co_return true;
    }
    co_return false;
  };
  CHECK(loop.run_sync(wait(std::move(first))));
  CHECK(words == "toto: did not end within 0.005 s, and continues: a task of queue 'slow'");
  CHECK(loop.run_sync(wait(std::move(second))));
  CHECK(words == "toto: did not end within 0.005 s, and was cancelled before it began: a task of queue 'slow'");
  CHECK(queue.stats().cancelled == 1);
  CHECK_FALSE(first_ended);
  release.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(first_ended);
}

TEST_CASE("TimedOut tells what a task waited for, and that there was no time", "[time_limit][K10]") {
  Gate release;
  TaskQueue queue({.thread_count = 2, .name = "db"});
  toto::InstancePool<int> pool(7);
  auto lease = pool.instance();
  toto::EventLoop loop;
  std::string words;
  const auto wait = [&](toto::TaskHandle<> handle, toto::Duration limit) -> toto::Task<> {
    try {
      co_await std::move(handle).timeout(limit);
    } catch (const toto::TimedOut& error) {
      words = error.what();
    }
  };
  loop.run_sync(wait(pool.await_transaction([](int&) {}, queue), 5ms));
  CHECK_THAT(
      words,
      contains("did not end within 0.005 s, and was cancelled before it began: a task of queue 'db', which waits "
               "for an instance of a pool, held: lease taken at ") &&
          contains("timers_test.cpp") && contains(" s ago"));
  const auto one = queue.limited(1, "one at a time");
  one.add_task([&] { release.wait(); });
  loop.run_sync(wait(one.yield_task([] {}), -1ms));
  CHECK_THAT(words,
             contains("did not end at once, and was cancelled before it began: a task of queue 'db', which waits for "
                      "its turn in the view 'one at a time'"));
  release.open();
  const auto lease_for = [&](toto::Duration limit) -> toto::Task<> {
    try {
      const auto other = co_await pool.lease_for(limit);
    } catch (const toto::TimedOut& error) {
      words = error.what();
    }
  };
  loop.run_sync(lease_for(500us));
  CHECK_THAT(words, contains("no instance of the pool was free within 500000 ns; held: lease taken at "));
  loop.run_sync(lease_for(0s));
  CHECK_THAT(words, contains("no instance of the pool was free at once; held: lease taken at "));
}

TEST_CASE("timeout of a task that is over, or ends in time, gives its result", "[time_limit][K11]") {
  TaskQueue queue;
  auto over = queue.yield_task([] { return 1; });
  over.wait();
  const auto use = [&]() -> toto::Task<int> {
    const int first = co_await std::move(over).timeout(0s);
    auto failing = queue.yield_task([]() -> int { throw std::runtime_error("in time"); });
    bool thrown = false;
    try {
      co_await std::move(failing).timeout(1h);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    auto last = queue.yield_task([] { return 10; });
    const int second = co_await std::move(last).timeout(toto::Duration::never());
    co_return thrown ? first + second : 0;
  };
  REQUIRE(toto::sync_wait(use()) == 11);
}

TEST_CASE("call() gives results, references and exceptions, and is awaited once", "[call][G11][G17]") {
  TaskQueue queue;
  toto::EventLoop loop;
  int referred = 1;
  const auto use = [&]() -> toto::Task<> {
    const int sum = co_await queue.call([](int a, int b) { return a + b; }, 1, 2);
    CHECK(sum == 3);
    int& same = co_await queue.call([&referred]() -> int& { return referred; });
    CHECK(&same == &referred);
    CHECK(toto::EventLoop::current() == &loop);
    bool thrown = false;
    try {
      co_await queue.call([] { throw std::runtime_error("there"); });
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    CHECK(thrown);
    auto stored = queue.call([] { return 5; });
    const int five = co_await stored;
    CHECK(five == 5);
    bool refused = false;
    try {
      co_await stored;
    } catch (const toto::NoState&) {
      refused = true;
    }
    CHECK(refused);
    const auto coroutine = [](TaskQueue& on) -> toto::Task<int> { co_return co_await on.call([] { return 8; }); };
    const int eight = co_await queue.call(coroutine, std::ref(queue));
    CHECK(eight == 8);
  };
  loop.run_sync(use());
  queue.close();
  const auto late = [&]() -> toto::Task<> { co_await queue.call([] {}); };
  CHECK_THROWS_AS(loop.run_sync(late()), toto::QueueClosed);
}

TEST_CASE("a coroutine on the queue awaits ten thousand calls on it without leaving its thread", "[call][G20]") {
  TaskQueue queue;
  const auto body = [](TaskQueue& on) -> toto::Task<int> {
    int sum = 0;
    for (int i = 0; i < 10'000; ++i) {
      sum += co_await on.call([] { return 1; });
    }
    co_return sum;
  };
  REQUIRE(queue.yield_task(body, std::ref(queue)).get() == 10'000);
}

TEST_CASE("dump tells what a queue does; tracked tasks by name and age", "[insight]") {
  struct Hash {
    Gate* gate;
    void operator()() const { gate->wait(); }
  };
  Gate release;
  TaskQueue queue({.thread_count = 1, .name = "files", .track_tasks = true});
  queue.add_task(Hash{&release});
  REQUIRE(eventually([&] { return queue.stats().running == 1; }));
  auto waiting = queue.yield_task([] {});
  const std::string text = queue.dump();
  CHECK_THAT(text, contains("queue 'files': 1 of 1 thread(s)"));
  CHECK_THAT(text, contains("Hash running on worker 1 for"));
  CHECK_THAT(text, contains("queued for"));
  release.open();
  waiting.get();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(queue.dump().find("Hash") == std::string::npos);
}

TEST_CASE("dump tells which workers are busy, and which queue's task one waits for", "[insight]") {
  TaskQueue other(1, 60s, "other");
  const HeldWorker held(other);
  REQUIRE(held.held());
  auto awaited = other.yield_task([] { return 1; });
  TaskQueue queue(3, 60s, "files");
  HeldWorker busy(queue);
  REQUIRE(busy.held());
  CHECK_THAT(queue.dump(), contains("1 queued") || contains("0 queued + 1 running"));
  CHECK_THAT(queue.dump(), contains("worker 1 busy"));
  queue.add_task([&awaited] { awaited.wait(); });
  CHECK(eventually(
      [&queue] { return queue.dump().find("worker 2 waits for a task of queue 'other'") != std::string::npos; }));
  auto last = queue.yield_task([] {});
  queue.add_task([&last] { last.wait(); });
  last.wait();
  CHECK(eventually([&queue] { return queue.dump().find("worker 3 idle for") != std::string::npos; }));
}

TEST_CASE("dump tells that a worker waits for a task of its own queue", "[insight]") {
  Gate begun;
  Gate release;
  TaskQueue queue(2);
  queue.add_task([&] {
    auto awaited = queue.yield_task([&] {
      begun.open();
      release.wait();
    });
    begun.wait();  // on the other worker
    awaited.wait();
  });
  CHECK(
      eventually([&queue] { return queue.dump().find("waits for a task of queue 'TaskQueue'") != std::string::npos; }));
  release.open();
  REQUIRE(queue.wait_idle_for(kPatience));
}

TEST_CASE("dump tells of a coroutine task that it is suspended, and on no worker", "[insight]") {
  Gate release;
  TaskQueue other;
  TaskQueue queue({.name = "coroutines", .track_tasks = true});
  const auto wait = [&release] { release.wait(); };
  auto handle = queue.yield_task([&]() -> toto::Task<> { co_await other.yield_task(wait); });
  CHECK(eventually([&queue] { return queue.dump().find(" suspended for ") != std::string::npos; }));
  const std::string text = queue.dump();
  CHECK(text.find("begun") == std::string::npos);
  CHECK(text.find("on worker") == std::string::npos);
  release.open();
  handle.get();
  queue.yield_task([]() -> toto::Task<> { co_return; }).get();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(queue.dump().find("task ") == std::string::npos);
}

TEST_CASE("one thread serves the timers of all queues, and ends when nothing is pending", "[timers]") {
  if (!kProcessInfo) {
    SKIP("needs /proc");
  }
  constexpr int kQueues = 20;
  constexpr int kTimers = 50;
  REQUIRE(eventually([] { return threads_named("toto-timer") == 0; }));  // of tests before
  {
    std::vector<std::unique_ptr<TaskQueue>> queues;
    std::vector<toto::Timer> timers;
    std::atomic<int> ran{0};
    for (int i = 0; i < kQueues; ++i) {
      queues.push_back(std::make_unique<TaskQueue>(1, 0s, "quiet"));
      for (int j = 0; j < kTimers; ++j) {
        timers.push_back(queues.back()->add_task_after(1h, [] {}));
      }
      timers.push_back(queues.back()->add_task_after(1ms, [&ran] { ++ran; }));
    }
    REQUIRE(eventually([&ran] { return ran == kQueues; }));
    REQUIRE(eventually([] { return threads_named("quiet-") == 0; }));  // the queues are idle
    CHECK(threads_named("toto-timer") == 1);
    timers.clear();
    CHECK(threads_named("toto-timer") <= 1);
  }
  CHECK(eventually([] { return threads_named("toto-timer") == 0; }));
}

TEST_CASE("the watchdog tells that a queue starves, and only then", "[insight]") {
  struct Told final : toto::QueueObserver {
    void queue_starving(std::string_view queue, std::size_t queued, toto::Duration since) noexcept override {
      if (queue == "starving" && queued == 1 && !since.is_negative()) {
        ++count;
      }
    }
    std::atomic<int> count{0};
  } told;
  Gate release;
  TaskQueue queue({.name = "starving", .observer = &told, .watchdog = 5ms});
  Gate begun;
  queue.add_task([&] {
    begun.open();
    release.wait();
  });
  REQUIRE(begun.wait());
  std::this_thread::sleep_for(20ms);
  const int before = told.count;  // on a busy machine, its thread may have taken its time to begin
  std::this_thread::sleep_for(20ms);
  CHECK(told.count == before);  // one is running, none is queued
  queue.add_task([] {});
  CHECK(eventually([&] { return told.count >= before + 2; }));
  release.open();
  REQUIRE(queue.wait_idle_for(kPatience));
}

TEST_CASE("the watchdog does not tell of a task that was queued a moment ago", "[insight]") {
  struct Told final : toto::QueueObserver {
    void queue_starving(std::string_view, std::size_t, toto::Duration since) noexcept override {
      const std::lock_guard lock(mutex);
      told_at = std::min(told_at, std::chrono::steady_clock::now());
      shortest = std::min(shortest, since.nanoseconds());
    }
    std::mutex mutex;
    std::chrono::steady_clock::time_point told_at = std::chrono::steady_clock::time_point::max();
    std::chrono::nanoseconds shortest = std::chrono::nanoseconds::max();
  };
  constexpr auto kPeriod = 40ms;
  for (const auto pause : {0ms, 10ms, 20ms, 30ms, 38ms}) {  // at whatever moment between two of its looks
    Told told;
    TaskQueue queue({.observer = &told, .watchdog = kPeriod});
    const HeldWorker held(queue);
    REQUIRE(held.held());
    std::this_thread::sleep_for(kPeriod + pause);
    const auto added = std::chrono::steady_clock::now();
    queue.add_task([] {});
    const auto over = [&told] {
      const std::lock_guard lock(told.mutex);
      return told.told_at != std::chrono::steady_clock::time_point::max();
    };
    REQUIRE(eventually(over));
    const std::lock_guard lock(told.mutex);
    CHECK(told.told_at - added >= kPeriod);
    CHECK(told.shortest >= kPeriod);
  }
}
