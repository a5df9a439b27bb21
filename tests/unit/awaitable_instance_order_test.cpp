// SPDX-License-Identifier: MIT
//
// AwaitableInstance: calls through one wrapper run in the order in which they were made and never overlap, and hold no
// thread while they wait.

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// Has no lock, and notices two calls at the same time.
class Unlocked {
 public:
  int enter_and_leave() {
    overlaps_ += inside_.fetch_add(1) == 0 ? 0 : 1;
    ++count_;  // a plain int: ThreadSanitizer sees what is not ordered
    inside_.fetch_sub(1);
    return count_;
  }
  void append(int value) {
    overlaps_ += inside_.fetch_add(1) == 0 ? 0 : 1;
    values_.push_back(value);
    inside_.fetch_sub(1);
  }
  toto::Task<> append_slowly(int value, int pauses) {
    overlaps_ += inside_.fetch_add(1) == 0 ? 0 : 1;
    for (int i = 0; i < pauses; ++i) {
      co_await toto::sleep_for(50us);
    }
    values_.push_back(value);
    inside_.fetch_sub(1);
  }
  void meet(Meeting& meeting, std::atomic<int>& met) { met += meeting.arrive_and_wait() ? 1 : 0; }

  int overlaps() const { return overlaps_; }
  const std::vector<int>& values() const { return values_; }

 private:
  std::atomic<int> inside_{0};
  std::atomic<int> overlaps_{0};
  int count_ = 0;
  std::vector<int> values_;
};

std::vector<int> numbers(int count) {
  std::vector<int> ascending;
  for (int i = 0; i < count; ++i) {
    ascending.push_back(i);
  }
  return ascending;
}

}  // namespace

TEST_CASE("calls from many threads on a one-thread queue never overlap", "[awaitable_instance][P2]") {
  constexpr int kThreads = 4;
  constexpr int kCalls = scaled(2000, 300);
  Unlocked object;
  toto::TaskQueue queue;
  const toto::AwaitableInstance unlocked(object, queue);
  Threads callers;
  for (int i = 0; i < kThreads; ++i) {
    callers.start([&] {
      for (int call = 0; call < kCalls; ++call) {
        auto handle = unlocked(&Unlocked::enter_and_leave);
        std::move(handle).detach();
      }
    });
  }
  callers.join();
  REQUIRE(unlocked(&Unlocked::enter_and_leave).get() == kThreads * kCalls + 1);
  REQUIRE(object.overlaps() == 0);
}

TEST_CASE("calls run in the order in which they were made", "[awaitable_instance][P3]") {
  Unlocked object;
  toto::TaskQueue queue;
  const toto::AwaitableInstance unlocked(object, queue);
  for (int i = 0; i < 1000; ++i) {
    unlocked(&Unlocked::append, i).detach();
  }
  queue.wait_idle();
  REQUIRE(object.values() == numbers(1000));
}

TEST_CASE("with several threads calls through one wrapper still keep their order and never overlap",
          "[awaitable_instance][P8]") {
  constexpr int kCalls = scaled(20'000, 2000);
  Unlocked object;
  toto::TaskQueue queue(4, 1ms);
  const toto::AwaitableInstance unlocked(object, queue);
  std::atomic<int> others = 0;
  for (int i = 0; i < kCalls; ++i) {
    unlocked(&Unlocked::append, i).detach();
    if (i % 3 == 0) {
      queue.add_task([&] { ++others; });
    }
  }
  queue.wait_idle();
  REQUIRE(object.overlaps() == 0);
  REQUIRE(object.values() == numbers(kCalls));
  REQUIRE(others == (kCalls + 2) / 3);
}

TEST_CASE("several producers' calls never overlap, and each producer's keep their order", "[awaitable_instance][P8]") {
  constexpr int kProducers = 4;
  constexpr int kCalls = scaled(5000, 500);
  Unlocked object;
  toto::TaskQueue queue(4, 0ms);
  const toto::AwaitableInstance unlocked(object, queue);
  Threads producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.start([&, producer] {
      for (int i = 0; i < kCalls; ++i) {
        unlocked(&Unlocked::append, producer * kCalls + i).detach();
      }
    });
  }
  producers.join();
  queue.wait_idle();
  REQUIRE(object.overlaps() == 0);
  REQUIRE(object.values().size() == static_cast<std::size_t>(kProducers * kCalls));
  std::vector<int> next(kProducers, 0);
  bool ordered = true;
  for (const int value : object.values()) {
    int& expected = next[static_cast<std::size_t>(value / kCalls)];
    ordered = ordered && value % kCalls == expected++;
  }
  REQUIRE(ordered);
}

TEST_CASE("a method that returns a Task is one call until that coroutine has ended", "[awaitable_instance][P8]") {
  Unlocked object;
  toto::TaskQueue queue(4);
  const toto::AwaitableInstance unlocked(object, queue);
  for (int i = 0; i < 50; ++i) {
    unlocked(&Unlocked::append_slowly, 2 * i, 1 + i % 3).detach();
    unlocked(&Unlocked::append, 2 * i + 1).detach();
  }
  queue.wait_idle();
  REQUIRE(object.overlaps() == 0);
  REQUIRE(object.values() == numbers(100));
}

TEST_CASE("concurrent() lets calls overlap, as far as the queue has threads", "[awaitable_instance][P8]") {
  Unlocked object;
  Meeting meeting(3);
  toto::TaskQueue queue(3);
  const toto::AwaitableInstance ordered(object, queue);
  const toto::AwaitableInstance overlapping = ordered.concurrent();
  std::atomic<int> met = 0;
  for (int i = 0; i < 3; ++i) {
    overlapping(&Unlocked::meet, std::ref(meeting), std::ref(met)).detach();
  }
  queue.wait_idle();
  REQUIRE(met == 3);
  ordered(&Unlocked::append, 1).get();  // the wrapper it was made from is what it was
}

TEST_CASE("copies of a wrapper share its order, two wrappers of one object are two orders",
          "[awaitable_instance][P8]") {
  Unlocked object;
  Gate gate;
  toto::TaskQueue queue(2);
  const toto::AwaitableInstance first(object, queue);
  const toto::AwaitableInstance copy(first);  // NOLINT(performance-unnecessary-copy-initialization)
  auto holding = first([&](Unlocked&) { gate.wait(); });
  auto waiting = copy(&Unlocked::enter_and_leave);
  const toto::AwaitableInstance second(object, queue);
  auto beside = second([&](Unlocked&) { return gate.is_open(); });
  REQUIRE_FALSE(beside.get());  // beside the first call, which is still running
  REQUIRE_FALSE(waiting.ready());
  gate.open();
  REQUIRE(waiting.wait_for(kPatience));
  holding.get();
}

TEST_CASE("a waiting call holds no thread: other tasks pass it", "[awaitable_instance][P8]") {
  Unlocked object;
  Gate gate;
  toto::TaskQueue queue(2);
  const toto::AwaitableInstance unlocked(object, queue);
  auto holding = unlocked([&](Unlocked&) { gate.wait(); });
  auto waiting = unlocked(&Unlocked::enter_and_leave);
  auto other = queue.yield_task([] { return 1; });
  REQUIRE(other.wait_for(kPatience));
  REQUIRE_FALSE(waiting.ready());
  REQUIRE(queue.stats().queued == 1);
  gate.open();
  REQUIRE(waiting.get() == 1);
  holding.get();
}

TEST_CASE("a call that throws passes the turn on", "[awaitable_instance][P8]") {
  Unlocked object;
  toto::TaskQueue queue(4);
  const toto::AwaitableInstance unlocked(object, queue);
  std::vector<toto::TaskHandle<>> failing;
  for (int i = 0; i < 100; ++i) {
    failing.push_back(unlocked([](Unlocked& self) {
      self.append(0);
      throw std::runtime_error("on purpose");
    }));
    unlocked(&Unlocked::append, i).detach();
  }
  for (auto& handle : failing) {
    REQUIRE_THROWS_AS(handle.get(), std::runtime_error);
  }
  queue.wait_idle();
  REQUIRE(object.overlaps() == 0);
  REQUIRE(object.values().size() == 200);
}

TEST_CASE("a cancelled call passes its turn on, whether it stood first or in the middle", "[awaitable_instance][P8]") {
  Unlocked object;
  Gate gate;
  Meeting busy(3);
  toto::TaskQueue queue(2);
  const toto::AwaitableInstance unlocked(object, queue);
  for (int i = 0; i < 2; ++i) {
    queue.add_task([&] {
      busy.arrive_and_wait();
      gate.wait();
    });
  }
  REQUIRE(busy.arrive_and_wait());
  std::vector<toto::TaskHandle<>> calls;
  for (int i = 0; i < 6; ++i) {
    calls.push_back(unlocked(&Unlocked::append, i));
  }
  REQUIRE(calls[0].cancel());  // stands in the queue: the next one takes its place
  REQUIRE(calls[1].cancel());  // has just taken it
  REQUIRE(calls[3].cancel());  // waits
  REQUIRE(calls[5].cancel());  // waits last
  REQUIRE(queue.stats().queued == 2);
  gate.open();
  queue.wait_idle();
  REQUIRE(object.values() == std::vector<int>{2, 4});
  REQUIRE(object.overlaps() == 0);
  auto after = unlocked(&Unlocked::append, 6);
  REQUIRE(after.wait_for(kPatience));
  REQUIRE_THROWS_AS(calls[3].get(), toto::TaskCancelled);
}

TEST_CASE("calls that wait for their turn when the queue closes still run, and one at a time",
          "[awaitable_instance][P8][L7]") {
  Unlocked object;
  Gate gate;
  Gate begun;
  toto::TaskQueue queue(4);
  const toto::AwaitableInstance unlocked(object, queue);
  std::atomic<bool> left = false;
  auto holding = unlocked([&](Unlocked&) {
    begun.open();
    gate.wait();
    left = true;
  });
  REQUIRE(begun.wait());
  auto waiting = unlocked([&](Unlocked&) { return left.load(); });
  auto last = unlocked([&](Unlocked&) { return left.load(); });
  queue.close();
  // A refused call must not touch the turn of those that were accepted.
  REQUIRE_THROWS_AS(static_cast<void>(unlocked(&Unlocked::append, 1)), toto::QueueClosed);
  REQUIRE_THROWS_AS(static_cast<void>(unlocked(&Unlocked::append, 1)), toto::QueueClosed);
  REQUIRE_FALSE(eventually([&] { return waiting.ready(); }, 50ms));
  gate.open();
  REQUIRE(waiting.get());
  REQUIRE(last.get());
  holding.get();
}

TEST_CASE("closing with Pending::cancel completes the calls that wait", "[awaitable_instance][P8][L3]") {
  Unlocked object;
  Gate gate;
  Gate begun;
  toto::TaskQueue queue(4);
  const toto::AwaitableInstance unlocked(object, queue);
  auto holding = unlocked([&](Unlocked&) {
    begun.open();
    gate.wait();
    return 1;
  });
  REQUIRE(begun.wait());
  std::vector<toto::TaskHandle<int>> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(unlocked(&Unlocked::enter_and_leave));
  }
  queue.close(toto::Pending::cancel);
  for (auto& call : waiting) {
    REQUIRE(call.ready());
    REQUIRE_THROWS_AS(call.get(), toto::TaskCancelled);
  }
  REQUIRE(queue.stats().cancelled == 10);
  gate.open();
  REQUIRE(holding.get() == 1);
}

TEST_CASE("cancel_queued leaves a wrapper that goes on working", "[awaitable_instance][P8]") {
  Unlocked object;
  toto::TaskQueue queue(2);
  const toto::AwaitableInstance unlocked(object, queue);
  for (int round = 0; round < 20; ++round) {
    Gate gate;
    Gate begun;
    auto holding = unlocked([&](Unlocked&) {
      begun.open();
      gate.wait();
    });
    REQUIRE(begun.wait());
    auto first = unlocked(&Unlocked::enter_and_leave);
    auto second = unlocked(&Unlocked::enter_and_leave);
    REQUIRE(queue.cancel_queued() == 2);
    auto third = unlocked(&Unlocked::enter_and_leave);
    gate.open();
    REQUIRE(third.get() == round + 1);
    holding.get();
  }
  REQUIRE(object.overlaps() == 0);
}

TEST_CASE("a method may call its own object through the wrapper: the call waits for its turn",
          "[awaitable_instance][P9]") {
  struct Node {
    toto::TaskHandle<int> next(const toto::AwaitableInstance<Node>& self, int depth) {
      return self([depth](Node& node) { return node.visits += depth; });
    }
    int visits = 0;
  };
  Node object;
  toto::TaskQueue queue;
  const toto::AwaitableInstance node(object, queue);
  toto::TaskHandle<toto::TaskHandle<int>> outer = node(&Node::next, std::cref(node), 3);
  toto::TaskHandle<int> inner = outer.get();
  REQUIRE(inner.wait_for(kPatience));
  REQUIRE(inner.get() == 3);
}

TEST_CASE("a coroutine outside its object's turn may await the wrapper on a one-thread queue",
          "[awaitable_instance][P9]") {
  struct Coroutines {
    static toto::Task<int> twice(const toto::AwaitableInstance<Unlocked>& unlocked) {
      const int first = co_await unlocked(&Unlocked::enter_and_leave);
      const int second = co_await unlocked(&Unlocked::enter_and_leave);
      co_return first + second;
    }
  };
  Unlocked object;
  toto::TaskQueue queue;
  const toto::AwaitableInstance unlocked(object, queue);
  auto sum = queue.yield_task(&Coroutines::twice, std::cref(unlocked));
  REQUIRE(sum.wait_for(kPatience));
  REQUIRE(sum.get() == 3);
}

TEST_CASE("a method that blocks on a call through its own wrapper gets DeadlockError", "[awaitable_instance][P9][M1]") {
  struct Blocking {
    int call(const toto::AwaitableInstance<Blocking>& self) { return self(&Blocking::plain).get(); }
    int plain() { return 1; }
  };
  toto::TaskQueue queue;
  const toto::AwaitableInstance blocking(Blocking{}, queue);
  auto call = blocking(&Blocking::call, std::cref(blocking));
  REQUIRE(call.wait_for(kPatience));
  REQUIRE_THROWS_AS(call.get(), toto::DeadlockError);
}
