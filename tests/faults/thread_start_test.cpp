// SPDX-License-Identifier: MIT
//
// Threads that cannot be started. With a live worker the task waits for it; without one the add throws, and has
// changed nothing. Nothing that was accepted is ever stranded.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "faults/injection.hpp"
#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

struct Counter {
  int value = 0;
  int add(int by) { return value += by; }
};

toto::Task<> hop_to(toto::TaskQueue& queue) {
  co_await queue.schedule();
}

/// Makes the first start of a thread wait for a gate, and then fail; and the following ones up to `last`.
struct FailsLate {
  explicit FailsLate(std::size_t last_refused) : last(last_refused) {}
  const std::size_t last;
  Gate asked;
  Gate answer;
  static bool refuse(std::size_t number, void* context) {
    auto& self = *static_cast<FailsLate*>(context);
    if (number == 1) {
      self.asked.open();
      self.answer.wait();
    }
    return number <= self.last;
  }
};

}  // namespace

TEST_CASE("a task waits for the live worker if another thread cannot be started", "[task_queue][faults][S1]") {
  Gate gate;
  Gate begun;
  toto::TaskQueue queue(2, toto::Duration::never());
  queue.add_task([&] {
    begun.open();
    gate.wait();
  });
  REQUIRE(begun.wait());
  const ThreadStarts starts(&ThreadStarts::always);
  auto second = queue.yield_task([] { return 2; });
  auto third = queue.yield_task([] { return 3; });
  queue.add_task([] {});
  CHECK(starts.refused() >= 1);
  CHECK(queue.stats().threads == 1);
  CHECK(queue.stats().queued == 3);
  CHECK(queue.size() == 4);
  gate.open();
  REQUIRE(second.get() == 2);
  REQUIRE(third.get() == 3);
  queue.wait_idle();
  REQUIRE(queue.stats().completed == 4);
}

TEST_CASE("without a thread and without the means to start one, adding throws and nothing is queued",
          "[task_queue][faults][S2]") {
  toto::TaskQueue queue;
  const auto captured = std::make_shared<int>(1);
  const ThreadStarts starts(&ThreadStarts::always);
  REQUIRE_THROWS_AS(queue.add_task([] {}), std::system_error);
  REQUIRE_THROWS_AS(queue.add_task([captured] {}), std::system_error);
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task([captured] { return 1; })), std::system_error);
  REQUIRE_THROWS_AS(queue.run(), std::system_error);
  REQUIRE_THROWS_AS(toto::sync_wait(hop_to(queue)), std::system_error);
  REQUIRE(captured.use_count() == 1);
  REQUIRE(queue.size() == 0);
  REQUIRE(queue.stats() == toto::QueueStats{});
  REQUIRE(starts.refused() == 5);
  queue.wait_idle();
}

TEST_CASE("a call through a wrapper that cannot have a thread throws, and gives its turn back",
          "[awaitable_instance][faults][S2]") {
  toto::TaskQueue queue;
  const toto::AwaitableInstance counter(Counter{}, queue);
  {
    const ThreadStarts starts(&ThreadStarts::always);
    REQUIRE_THROWS_AS(static_cast<void>(counter(&Counter::add, 1)), std::system_error);
    REQUIRE_THROWS_AS(static_cast<void>(counter(&Counter::add, 1)), std::system_error);
    REQUIRE(queue.size() == 0);
  }
  auto call = counter(&Counter::add, 1);
  REQUIRE(call.wait_for(kPatience));
  REQUIRE(call.get() == 1);
}

TEST_CASE("as soon as threads can be started again, the next add runs everything", "[task_queue][faults][S3]") {
  toto::TaskQueue queue(2);
  std::atomic<int> runs = 0;
  {
    const ThreadStarts starts(&ThreadStarts::always);
    for (int i = 0; i < 10; ++i) {
      REQUIRE_THROWS_AS(queue.add_task([&] { ++runs; }), std::system_error);
    }
  }
  queue.add_task([&] { ++runs; });
  queue.add_task([&] { ++runs; });
  queue.wait_idle();
  REQUIRE(runs == 2);
  REQUIRE(queue.stats().submitted == 2);
}

TEST_CASE("the only worker does not leave tasks behind whose own threads could not be started",
          "[task_queue][faults][S4]") {
  constexpr int kRounds = scaled(200, 50);
  std::atomic<int> runs = 0;
  for (int round = 0; round < kRounds; ++round) {
    const ThreadStarts starts(&ThreadStarts::after_the_first);
    Gate begun;
    Gate gate;
    toto::TaskQueue queue(4, 0ms);  // the worker leaves as soon as it finds nothing
    queue.add_task([&] {
      begun.open();
      gate.wait();
    });
    REQUIRE(begun.wait());
    for (int i = 0; i < 10; ++i) {
      queue.add_task([&] { ++runs; });
    }
    gate.open();
    queue.wait_idle();
    REQUIRE(runs == 10 * (round + 1));
    REQUIRE(eventually([&] { return queue.stats().threads == 0; }));
  }
}

TEST_CASE("a start that fails after the last worker has left is an error of that add alone",
          "[task_queue][faults][S5]") {
  toto::TaskQueue queue(2, 0ms);
  std::atomic<int> runs = 0;
  for (int round = 1; round <= 20; ++round) {
    queue.add_task([&] { ++runs; });
    REQUIRE(eventually([&] { return queue.size() == 0; }));
    const toto::QueueStats before = queue.stats();
    {
      const ThreadStarts starts(&ThreadStarts::the_first);
      REQUIRE_THROWS_AS(queue.add_task([&] { ++runs; }), std::system_error);
      REQUIRE(queue.stats() == before);
      queue.add_task([&] { ++runs; });  // the second start works
    }
    queue.wait_idle();
    REQUIRE(runs == 2 * round);
  }
}

TEST_CASE("a continuation whose queue has no thread left runs although the first start fails",
          "[task_queue][faults][S5]") {
  struct Sleeper {
    static toto::Task<int> sleep() {
      co_await toto::sleep_for(20ms);
      co_return 1;
    }
  };
  toto::TaskQueue queue(1, 0ms);
  auto handle = queue.yield_task(&Sleeper::sleep);
  REQUIRE(eventually([&] { return queue.stats().suspended == 1 && queue.stats().threads == 0; }));
  // The timer thread is running already: the next one that is started is the queue's.
  const ThreadStarts starts(&ThreadStarts::the_first);
  REQUIRE(eventually([&] { return starts.refused() == 1 || handle.ready(); }));
  REQUIRE(handle.wait_for(kPatience));
  REQUIRE(handle.get() == 1);
}

TEST_CASE("a coroutine may be destroyed while its continuation waits for a thread that cannot be started",
          "[task_queue][await][faults][S5][G9]") {
  const auto call = [](toto::TaskQueue& away, std::atomic<bool>& after) -> Owned {
    try {
      co_await away.call([] {});
    } catch (const toto::TaskCancelled&) {
    }
    after = true;
  };
  std::atomic<bool> resumed{false};
  std::atomic<std::size_t> refused{0};
  toto::TaskQueue home(1, 0ms);
  toto::TaskQueue away;
  toto::TaskQueue other;
  Owned coroutine;
  HeldWorker worker(away);
  REQUIRE(worker.held());
  home.add_task([&] { coroutine = call(away, resumed); });
  REQUIRE(eventually([&] { return home.stats().completed == 1 && home.stats().threads == 0; }));
  other.add_task([&] {
    const ThreadStarts starts(&ThreadStarts::always);
    away.cancel_queued();
    coroutine.destroy();
    refused = starts.refused();
  });
  other.wait_idle();
  worker.release();
  CHECK(refused >= 1);
  CHECK_FALSE(resumed);
}

TEST_CASE("whoever waits for the start that another add has tried goes on to try one of its own",
          "[task_queue][faults][S2]") {
  FailsLate late(1);
  Gate go;
  toto::TaskQueue queue;
  std::atomic<int> runs = 0;
  std::atomic<int> refusals = 0;
  Threads adders;
  adders.start([&] {
    go.wait();
    try {
      queue.add_task([&] { ++runs; });
    } catch (const std::system_error&) {
      ++refusals;
    }
  });
  adders.start([&] {
    late.asked.wait();
    late.answer.open();  // the start fails while the next line is under way, or before
    queue.add_task([&] { ++runs; });
  });
  const ThreadStarts starts(&FailsLate::refuse, &late);  // after the test's own threads
  go.open();
  adders.join();
  queue.wait_idle();
  REQUIRE(refusals <= 1);  // none, if the second one's thread was there when the first one's start failed
  REQUIRE(runs == 2 - refusals);
  REQUIRE(queue.stats().submitted == static_cast<std::uint64_t>(runs));
}

TEST_CASE("a call that waits behind one whose thread cannot be started is not stranded",
          "[awaitable_instance][faults][S2]") {
  FailsLate late(2);
  Gate go;
  toto::TaskQueue queue;
  const toto::AwaitableInstance counter(Counter{}, queue);
  std::atomic<bool> first_refused = false;
  std::atomic<bool> second_refused = false;
  std::atomic<bool> second_returned = false;
  toto::TaskHandle<int> second;
  Threads callers;
  callers.start([&] {
    go.wait();
    try {
      auto first = counter(&Counter::add, 1);
      std::move(first).detach();
    } catch (const std::system_error&) {
      first_refused = true;
    }
  });
  callers.start([&] {
    late.asked.wait();
    try {
      second = counter(&Counter::add, 10);
    } catch (const std::system_error&) {
      second_refused = true;
    }
    second_returned = true;
  });
  const ThreadStarts starts(&FailsLate::refuse, &late);
  go.open();
  // It may return now, or only when the outcome of the start it relies on is known: give it time for the former.
  eventually([&] { return second_returned.load(); }, 200ms);
  late.answer.open();
  callers.join();
  REQUIRE(first_refused);
  if (!second_refused) {
    REQUIRE(second.wait_for(kPatience));
    REQUIRE(second.get() == 10);
  }
}

TEST_CASE("a call that waits for its turn is work: neither wait_idle nor the end of the queue passes it by",
          "[awaitable_instance][faults][S2][L11]") {
  FailsLate late(1);
  auto queue = std::make_unique<toto::TaskQueue>();
  const toto::AwaitableInstance counter(Counter{}, *queue);
  Gate go;
  std::atomic<bool> first_refused = false;
  std::atomic<bool> second_returned = false;
  toto::TaskHandle<int> second;
  Threads callers;
  callers.start([&] {
    go.wait();
    try {
      auto first = counter(&Counter::add, 1);
      std::move(first).detach();
    } catch (const std::system_error&) {
      first_refused = true;
    } catch (const toto::QueueClosed&) {
      first_refused = true;
    }
  });
  callers.start([&] {
    late.asked.wait();
    try {
      second = counter([](Counter& object) {
        std::this_thread::sleep_for(50ms);  // so that an end that does not wait for it is seen
        return object.add(10);
      });
    } catch (const std::exception&) {
    }
    second_returned = true;
  });
  const ThreadStarts starts(&FailsLate::refuse, &late);
  go.open();
  const bool accepted_early = eventually([&] { return second_returned.load(); }, 200ms);
  if (accepted_early) {  // it waits for its turn behind the one whose thread is being started
    CHECK(queue->stats().queued == 1);
    CHECK_FALSE(queue->wait_idle_for(0ms));
  }
  queue->close();
  late.answer.open();
  callers.join();
  queue.reset();
  if (second.valid()) {
    REQUIRE(second.ready());
    REQUIRE(second.get() == (first_refused ? 10 : 11));
  }
}

TEST_CASE("with every third start failing, no task is lost and the queue ends", "[task_queue][faults][S6]") {
  constexpr int kProducers = 4;
  constexpr int kTasks = scaled(25'000, 2'500);
  std::atomic<int> runs = 0;
  std::atomic<int> accepted = 0;
  std::atomic<int> refused = 0;
  {
    Gate gate;
    toto::TaskQueue queue(4, 0ms);
    Threads producers;
    for (int producer = 0; producer < kProducers; ++producer) {
      producers.start([&] {
        gate.wait();
        for (int i = 0; i < kTasks; ++i) {
          for (bool added = false; !added;) {
            try {
              queue.add_task([&runs] { ++runs; });
              added = true;
              ++accepted;
            } catch (const std::system_error&) {
              ++refused;
            }
          }
          if (i % 50 == 0) {
            queue.wait_idle();  // so that threads leave and others have to be started
          }
        }
      });
    }
    const ThreadStarts starts(&ThreadStarts::every_third);
    gate.open();
    producers.join();
    CHECK(queue.stats().submitted == static_cast<std::uint64_t>(kProducers * kTasks));
    CHECK(starts.refused() > 0);
  }
  REQUIRE(accepted == kProducers * kTasks);
  REQUIRE(runs == accepted);
}

TEST_CASE("a coroutine whose queue gets no thread for long goes on as soon as there is one",
          "[task_queue][faults][S5][S6][H2]") {
  static constexpr std::size_t kRefused = 60;  // one every ten milliseconds
  Gate begun;
  toto::TaskQueue queue(1, toto::Duration());
  const auto later = queue.add_task_after(1h, [] {});  // the timers' thread is there
  auto woken = queue.yield_task([&begun]() -> toto::Task<int> {
    begun.open();
    co_await toto::sleep_for(20ms);
    co_return 7;
  });
  REQUIRE(begun.wait());
  const ThreadStarts starts([](std::size_t number, void*) { return number <= kRefused; });
  REQUIRE(woken.wait_for(20s));
  REQUIRE(woken.get() == 7);
  REQUIRE(starts.refused() == kRefused);
}

TEST_CASE("cancelling does not wait for the thread that the continuation of a cancelled task needs",
          "[task_queue][faults][K8][S5]") {
  Gate gate;
  Gate begun;
  toto::TaskQueue busy(1, toto::Duration::never());
  busy.add_task([&gate] { gate.wait(); });
  toto::TaskQueue home(1, toto::Duration());
  auto awaiting = home.yield_task([&busy, &begun]() -> toto::Task<bool> {
    auto never = busy.yield_task([] {});
    begun.open();
    try {
      co_await never;
    } catch (const toto::TaskCancelled&) {
      co_return true;
    }
    co_return false;
  });
  REQUIRE(begun.wait());
  REQUIRE(eventually([&home] { return home.stats().threads == 0; }));
  const auto later = busy.add_task_after(1h, [] {});  // the timers' thread is there
  {
    const ThreadStarts starts([](std::size_t number, void*) { return number <= 40; });
    const auto before = std::chrono::steady_clock::now();
    REQUIRE(busy.cancel_queued() == 1);
    REQUIRE(std::chrono::steady_clock::now() - before < 200ms);
    REQUIRE(awaiting.wait_for(20s));
  }
  REQUIRE(awaiting.get());
  gate.open();
}
