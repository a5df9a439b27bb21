// SPDX-License-Identifier: MIT
//
// Cancelling tasks that are queued, running and finished, and the stop token that a running task may take.

#include <toto/detail/ground/stop_token.hpp>
#include <toto/tasks.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;

namespace {

template <class Callback>
using StopCallback = toto::StdRuntime::StopCallback<Callback>;

/// Opens `running`, then waits until it is asked to stop; true if it was.
bool wait_for_stop(const toto::StopToken& token, Gate& running) {
  Gate asked;
  const auto open = [&asked] { asked.open(); };
  const StopCallback<decltype(open)> when_asked(token, open);
  running.open();
  return asked.wait();
}

}  // namespace

TEST_CASE("a queued task that is cancelled never runs, and its captures are gone when cancel returns", "[cancel][K1]") {
  Lifetimes captures;
  bool ran = false;
  std::vector<int> others;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  queue.add_task([&] { others.push_back(1); });
  auto handle = queue.yield_task([&ran, counted = Counted(captures)] { ran = true; });
  queue.add_task([&] { others.push_back(2); });
  CHECK(queue.size() == 4);
  CHECK(handle.cancel());
  CHECK(queue.size() == 3);
  CHECK(captures.alive() == 0);
  CHECK(handle.ready());
  CHECK(handle.valid());
  CHECK_FALSE(handle.cancel());  // it is over
  worker.release();
  queue.wait_idle();
  CHECK_FALSE(ran);
  CHECK(others == std::vector<int>{1, 2});
  CHECK_THROWS_AS(handle.get(), toto::TaskCancelled);
  CHECK(queue.stats().cancelled == 1);
}

TEST_CASE("a queued coroutine task, and one that takes a token, are cancelled like any other", "[cancel][K1]") {
  Lifetimes captures;
  bool ran = false;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  auto coroutine = queue.yield_task([&ran, counted = Counted(captures)]() -> toto::Task<int> {
    ran = true;
    co_return 1;
  });
  auto with_token = queue.yield_task([&ran, counted = Counted(captures)](toto::StopToken) { ran = true; });
  CHECK(coroutine.cancel());
  CHECK(with_token.cancel());
  CHECK(captures.alive() == 0);
  worker.release();
  queue.wait_idle();
  CHECK_FALSE(ran);
  CHECK_THROWS_AS(coroutine.get(), toto::TaskCancelled);
  CHECK_THROWS_AS(with_token.get(), toto::TaskCancelled);
}

TEST_CASE("any queued task can be cancelled: the first, one in the middle, the last, all", "[cancel][K1]") {
  constexpr std::size_t kTasks = 200;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  std::vector<std::size_t> ran;
  std::vector<toto::TaskHandle<>> handles;
  for (std::size_t i = 0; i < kTasks; ++i) {
    handles.push_back(queue.yield_task([&ran, i] { ran.push_back(i); }));
  }
  std::size_t cancelled = 0;
  for (std::size_t i = 0; i < kTasks; i += 3) {
    cancelled += handles[i].cancel() ? 1U : 0U;
  }
  cancelled += handles.back().cancel() ? 1U : 0U;
  CHECK(cancelled == 68);
  worker.release();
  queue.wait_idle();
  CHECK(ran.size() == kTasks - cancelled);
  CHECK(std::none_of(ran.begin(), ran.end(), [](std::size_t i) { return i % 3 == 0 || i == kTasks - 1; }));
  CHECK(std::is_sorted(ran.begin(), ran.end()));
}

TEST_CASE("cancelling a running task returns false, asks it to stop, and its result still arrives", "[cancel][K2]") {
  Gate running;
  toto::TaskQueue queue;
  auto handle = queue.yield_task(
      [&](const toto::StopToken& token, int value) { return wait_for_stop(token, running) ? value : -1; }, 42);
  REQUIRE(running.wait());
  CHECK_FALSE(handle.cancel());
  CHECK(handle.get() == 42);
  CHECK(queue.stats().cancelled == 0);
}

TEST_CASE("a running task that takes no token is not disturbed by cancel", "[cancel][K2]") {
  Gate running;
  Gate go;
  toto::TaskQueue queue;
  auto handle = queue.yield_task([&] {
    running.open();
    go.wait();
    return 1;
  });
  REQUIRE(running.wait());
  CHECK_FALSE(handle.cancel());
  CHECK_FALSE(handle.ready());
  go.open();
  CHECK(handle.get() == 1);
}

TEST_CASE("a task that was asked to stop may say so by TaskCancelled", "[cancel][K2]") {
  Gate running;
  toto::TaskQueue queue;
  auto handle = queue.yield_task([&](const toto::StopToken& token) {
    if (wait_for_stop(token, running)) {
      throw toto::TaskCancelled("stopped half-way");
    }
  });
  REQUIRE(running.wait());
  CHECK_FALSE(handle.cancel());
  CHECK_THROWS_WITH(handle.get(), "stopped half-way");
}

TEST_CASE("a coroutine task is asked to stop while it runs and while it is suspended", "[cancel][K2]") {
  toto::TaskQueue queue;
  toto::TaskQueue other;
  HeldWorker worker(other);
  REQUIRE(worker.held());
  auto handle = queue.yield_task(
      [](toto::StopToken token, toto::TaskHandle<> away) -> toto::Task<bool> {
        const bool before = token.stop_requested();
        co_await away;
        co_return !before && token.stop_requested();
      },
      other.yield_task([] {}));
  REQUIRE(eventually([&] { return queue.stats().suspended == 1; }));
  CHECK_FALSE(handle.cancel());
  CHECK_FALSE(handle.ready());
  worker.release();
  CHECK(handle.get());
}

TEST_CASE("a call that runs is asked to stop when its coroutine is destroyed", "[cancel][call][K2][G8]") {
  std::atomic<bool> asked{false};
  toto::TaskQueue queue;
  {
    toto::EventLoop loop;
    loop.spawn([](toto::TaskQueue& on, toto::EventLoop& running, std::atomic<bool>& seen) -> toto::Task<> {
      co_await on.call([&](const toto::StopToken& token) {
        running.stop();
        seen = eventually([&] { return token.stop_requested(); }, std::chrono::seconds(2));
      });
    }(queue, loop, asked));
    loop.run();
  }
  CHECK(asked);
}

TEST_CASE("cancelling a finished task returns false and keeps its result", "[cancel][K3]") {
  toto::TaskQueue queue;
  auto value = queue.yield_task([] { return std::string("kept"); });
  auto failure = queue.yield_task([] { throw std::runtime_error("kept, too"); });
  auto with_token = queue.yield_task([](toto::StopToken) { return 3; });
  value.wait();
  failure.wait();
  with_token.wait();
  CHECK_FALSE(value.cancel());
  CHECK_FALSE(failure.cancel());
  CHECK_FALSE(with_token.cancel());
  CHECK(value.get() == "kept");
  CHECK_THROWS_WITH(failure.get(), "kept, too");
  CHECK(with_token.get() == 3);
  CHECK_FALSE(value.cancel());
}

TEST_CASE("a task that is cancelled as it begins either ran or was cancelled, never both, never neither",
          "[cancel][K4]") {
  toto::TaskQueue queue(2);
  int both_or_neither = 0;
  int cancelled = 0;
  int ran = 0;
  for (int i = 0; i < scaled(20'000, 5'000); ++i) {
    std::atomic<bool> began{false};
    auto handle = queue.yield_task([&began] { began = true; });
    for (int spin = 0; spin < i % 64 * 8; ++spin) {
      static_cast<void>(began.load());
    }
    const bool won = handle.cancel();
    bool told = false;
    try {
      handle.get();
    } catch (const toto::TaskCancelled&) {
      told = true;
    }
    both_or_neither += won == told && won != began ? 0 : 1;
    ++(won ? cancelled : ran);
  }
  CHECK(both_or_neither == 0);
  CHECK(cancelled > 0);
  CHECK(ran > 0);
  queue.wait_idle();
  const toto::QueueStats stats = queue.stats();
  CHECK(stats.cancelled == static_cast<std::size_t>(cancelled));
  CHECK(stats.completed == static_cast<std::size_t>(ran));
}

TEST_CASE("several threads that cancel one task agree on who did", "[cancel][K4]") {
  toto::TaskQueue queue;
  for (int round = 0; round < 200; ++round) {
    auto worker = std::make_unique<HeldWorker>(queue);
    auto handle = queue.yield_task([] {});
    std::atomic<int> winners{0};
    Meeting meeting(3);
    Threads threads;
    for (int thread = 0; thread < 3; ++thread) {
      threads.start([&] {
        meeting.arrive_and_wait();
        winners += handle.cancel() ? 1 : 0;
      });
    }
    threads.join();
    REQUIRE(winners == 1);
  }
}

TEST_CASE("a stop callback may run while its task ends", "[cancel][K6]") {
  std::atomic<int> calls{0};
  toto::TaskQueue queue(2);
  const int rounds = scaled(5'000, 1'000);
  for (int i = 0; i < rounds; ++i) {
    Gate begun;
    auto handle = queue.yield_task([&](const toto::StopToken& token) {
      const auto count = [&calls] { ++calls; };
      const StopCallback<decltype(count)> callback(token, count);
      begun.open();
      for (int spin = 0; spin < i % 32 * 8; ++spin) {
        static_cast<void>(token.stop_requested());
      }
    });
    begun.wait();
    CHECK_FALSE(handle.cancel());
    handle.get();
  }
  CHECK(calls <= rounds);
}

TEST_CASE("cancelling and closing at once does not hang, and every handle is told", "[cancel][K7]") {
  for (int i = 0; i < scaled(500, 100); ++i) {
    std::vector<toto::TaskHandle<>> handles;
    Gate go;
    {
      toto::TaskQueue queue(2);
      for (int task = 0; task < 8; ++task) {
        handles.push_back(queue.yield_task([&go] { go.wait(); }));
      }
      handles[static_cast<std::size_t>(i) % 8].cancel();
      if (i % 2 == 0) {
        queue.close(toto::Pending::cancel);
      }
      go.open();
    }
    for (const auto& handle : handles) {
      REQUIRE(handle.ready());
    }
  }
}

TEST_CASE("a hundred thousand cancelled tasks do not pile up in the queue", "[cancel][K9]") {
  Lifetimes captures;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  const int count = scaled(100'000, 10'000);
  int cancelled = 0;
  for (int i = 0; i < count; ++i) {
    auto handle = queue.yield_task([counted = Counted(captures)] {});
    cancelled += handle.cancel() ? 1 : 0;
  }
  CHECK(cancelled == count);
  CHECK(queue.size() == 1);  // the worker
  CHECK(queue.stats().queued == 0);
  CHECK(captures.alive() == 0);
  bool next = false;
  auto after = queue.yield_task([&] { next = true; });
  worker.release();
  after.get();
  CHECK(next);
}

TEST_CASE("many tasks queued behind a blocked worker are cancelled at once, in time linear in their number",
          "[cancel][K9]") {
  // The process's time on a processor: others may have the machine. The worker sleeps.
  const auto now = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  const int many = scaled(100'000, 10'000);

  const auto in_order = [](std::vector<toto::TaskHandle<>>& handles) {
    std::size_t cancelled = 0;
    for (toto::TaskHandle<>& handle : handles) {
      cancelled += handle.cancel() ? 1U : 0U;
    }
    return cancelled;
  };
  const auto backwards = [](std::vector<toto::TaskHandle<>>& handles) {
    std::size_t cancelled = 0;
    for (auto handle = handles.rbegin(); handle != handles.rend(); ++handle) {
      cancelled += handle->cancel() ? 1U : 0U;
    }
    return cancelled;
  };
  const auto took = [&now](int count, auto way, auto cancel_all) {
    Lifetimes captures;
    toto::TaskQueue queue;
    const HeldWorker worker(queue);
    REQUIRE(worker.held());
    const auto to = way(queue);
    std::vector<toto::TaskHandle<>> handles;
    for (int i = 0; i < count; ++i) {
      handles.push_back(to.yield_task([counted = Counted(captures)] {}));
    }
    REQUIRE(queue.size() == static_cast<std::size_t>(count) + 1);
    const double begin = now();
    const std::size_t cancelled = cancel_all(handles, queue);
    const double end = now();
    REQUIRE(cancelled == static_cast<std::size_t>(count));
    REQUIRE(captures.alive() == 0);
    REQUIRE(queue.size() == 1);  // the worker
    REQUIRE(queue.stats().cancelled == cancelled);
    return end - begin;
  };
  const auto check_linear = [&](auto way, auto cancel_all) {
    constexpr int kRounds = 5;
    std::vector<double> few;
    std::vector<double> all;
    for (int round = 0; round < kRounds; ++round) {
      few.push_back(took(many / 10, way, cancel_all));
      all.push_back(took(many, way, cancel_all));
    }
    std::sort(few.begin(), few.end());
    std::sort(all.begin(), all.end());
    INFO(few[kRounds / 2] << " s for " << many / 10 << ", " << all[kRounds / 2] << " s for " << many);
    CHECK(all[kRounds / 2] < 40 * few[kRounds / 2]);  // ten times as many; quadratic: a hundred times as long
  };
  const auto plain = [](toto::TaskQueue& queue) { return queue.with(toto::TaskOptions{}); };
  const auto urgent = [](toto::TaskQueue& queue) { return queue.with({.priority = 3}); };
  const auto view = [](toto::TaskQueue& queue) { return queue.limited(1, "one"); };

  SECTION("one by one, in order") {
    check_linear(plain, [&](auto& handles, auto&) { return in_order(handles); });
  }
  SECTION("one by one, backwards") {
    check_linear(plain, [&](auto& handles, auto&) { return backwards(handles); });
  }
  SECTION("in a priority level") {
    check_linear(urgent, [&](auto& handles, auto&) { return in_order(handles); });
  }
  SECTION("in a view") {
    check_linear(view, [&](auto& handles, auto&) { return backwards(handles); });
  }
  SECTION("all together") {
    check_linear(plain, [](auto&, toto::TaskQueue& queue) { return queue.cancel_queued(); });
  }
}

TEST_CASE("a task that is cancelled may be the one its canceller's worker would run next", "[cancel][K1]") {
  toto::TaskQueue queue;
  auto outcome = queue.yield_task([&queue] {
    bool ran = false;
    auto behind = queue.yield_task([&ran] { ran = true; });
    return behind.cancel() && !ran;
  });
  CHECK(outcome.get());
}

TEST_CASE("a task that was given a token may cancel itself: it is asked, and goes on", "[cancel][K2]") {
  Gate stored;
  toto::TaskQueue queue;
  toto::TaskHandle<bool> handle;
  handle = queue.yield_task([&](const toto::StopToken& token) {
    stored.wait();
    const bool cancelled = handle.cancel();
    return !cancelled && token.stop_requested();
  });
  stored.open();
  handle.wait();
  CHECK(handle.get());
}

TEST_CASE("a callable gets a token only if it cannot be called without one", "[cancel][K2]") {
  struct Both {
    int operator()(int value) const { return value; }
    int operator()(const toto::StopToken&, int value) const { return -value; }
  };
  toto::TaskQueue queue;
  CHECK(queue.yield_task(Both(), 1).get() == 1);
  // The body of a generic callable is not even looked at with a token.
  CHECK(queue.yield_task([](auto value) { return value + 1; }, 1).get() == 2);
  CHECK(queue.yield_task([](toto::StopToken token) { return token.stop_possible(); }).get());
  struct Object {
    int twice(toto::StopToken, int value) { return 2 * value; }
    int thrice(int value) { return 3 * value; }
  };
  Object object;
  CHECK(queue.yield_task(&Object::thrice, &object, 2).get() == 6);
  queue.add_task([](toto::StopToken) {});
  queue.wait_idle();
  CHECK(queue.stats().failed == 0);
}

TEMPLATE_TEST_CASE("a stop callback's destructor waits for that callback only", "[cancel][K12]", toto::StopSource,
                   toto::detail::BasicStopSource<toto::StdRuntime>) {
  using Source = TestType;
  using Token = decltype(std::declval<const Source&>().get_token());
  const auto callback_of = [](const Token& token, std::function<void()> function) {
    if constexpr (std::is_same_v<Token, toto::StopToken>) {
      return std::make_unique<StopCallback<std::function<void()>>>(token, std::move(function));
    } else {
      return std::make_unique<toto::detail::BasicStopCallback<toto::StdRuntime, std::function<void()>>>(
          token, std::move(function));
    }
  };
  Source source;
  Gate in_first;
  Gate leave_first;
  Gate first_destroyed;
  std::atomic<bool> second_called{false};
  // The order in which callbacks are called is not defined: both wait.
  std::atomic<int> entered{0};
  auto one = callback_of(source.get_token(), [&] {
    if (++entered == 1) {
      in_first.open();
      leave_first.wait();
    } else {
      second_called = true;
    }
  });
  std::thread requester([&] { source.request_stop(); });
  REQUIRE(in_first.wait());
  auto late = callback_of(source.get_token(), [&] { second_called = true; });  // called at once, here
  CHECK(second_called);
  late.reset();  // does not wait for the one that runs
  std::thread destroyer([&] {
    one.reset();
    first_destroyed.open();
  });
  CHECK_FALSE(first_destroyed.is_open());
  leave_first.open();
  CHECK(first_destroyed.wait());
  destroyer.join();
  requester.join();
}
