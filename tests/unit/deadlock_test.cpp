// SPDX-License-Identifier: MIT
//
// Blocking waits for tasks, for instances of pools and for idle queues: refused when they could never end, and only
// then.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// Runs `body` as a task of `queue`; returns the text of the DeadlockError it threw, or "". If it hangs: "it hangs",
/// after calling help().
template <class Body>
std::string deadlock_of(toto::TaskQueue& queue, Body body) {
  auto handle = queue.yield_task([body = std::move(body)]() mutable {
    try {
      body();
    } catch (const toto::DeadlockError& error) {
      return std::string(error.what());
    } catch (const toto::TaskCancelled&) {
      return std::string("it had to be cancelled");
    }
    return std::string();
  });
  if (!handle.wait_for(kPatience / 4)) {
    queue.cancel_queued();
    return "it hangs";
  }
  return handle.get();
}

struct Thing {
  int uses = 0;
  int use() { return ++uses; }
};
using Pool = toto::InstancePool<Thing>;

/// What a blocking wait has thrown, if that was a DeadlockError or another error of the library, and how long it took.
struct Told {
  std::string words;
  std::chrono::steady_clock::duration after{};
};

template <class Wait>
Told told(Wait wait) {
  const auto begin = std::chrono::steady_clock::now();
  std::string words;
  try {
    wait();
  } catch (const toto::DeadlockError& error) {
    words = error.what();
  } catch (const toto::Error& error) {
    words = std::string("not of a deadlock: ") + error.what();
  }
  return {words, std::chrono::steady_clock::now() - begin};
}

/// Waits for both, after `help()` if they hang. Returns the text of the only DeadlockError, if it came within a second.
template <class Help>
std::string the_one_told(toto::TaskHandle<Told>& one, toto::TaskHandle<Told>& other, Help help) {
  const bool over = one.wait_for(kPatience / 4) && other.wait_for(kPatience / 4);
  if (!over) {
    help();
  }
  Told first = one.get();
  Told second = other.get();
  if (!over) {
    return "they hang";
  }
  if (first.words.empty() == second.words.empty()) {
    return first.words.empty() ? "nobody was told" : "both were told";
  }
  Told& only = first.words.empty() ? second : first;
  return only.after < 1s ? only.words : "too late: " + only.words;
}

/// Runs `body` on a thread of the program; if it does not end, calls `help()`.
template <class Body, class Help>
std::string on_own_thread(Body body, Help help) {
  std::string words;
  Gate over;
  std::thread thread([&] {
    words = body();
    over.open();
  });
  const bool in_time = over.wait();
  if (!in_time) {
    help();
  }
  thread.join();
  return in_time ? words : "it hangs";
}

}  // namespace

TEST_CASE("get in a task of a one-thread queue, for another task of it, is refused in words", "[deadlock][M1]") {
  toto::TaskQueue queue({.name = "narrow"});
  toto::TaskHandle<int> kept;
  const std::string words = deadlock_of(queue, [&] {
    kept = queue.yield_task([] { return 1; });
    kept.get();
  });
  CHECK_THAT(words, contains("narrow"));
  CHECK_THAT(words, contains("co_await"));
  CHECK(kept.valid());  // the handle keeps its task, and that still runs
  CHECK(kept.get() == 1);
}

TEST_CASE("wait and sync_wait are refused where get is", "[deadlock][M1]") {
  toto::TaskQueue queue;
  CHECK_FALSE(deadlock_of(queue, [&] { queue.yield_task([] {}).wait(); }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] {
                queue.yield_task([] {}).wait_until(std::chrono::steady_clock::time_point::max());
              }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] { toto::sync_wait(queue.yield_task([] {})); }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] {
                auto handle = queue.yield_task([] {});
                toto::sync_wait(handle);
              }).empty());
}

TEST_CASE("wait_idle in a task of the queue is refused", "[deadlock][M1]") {
  toto::TaskQueue queue;
  CHECK_FALSE(deadlock_of(queue, [&] { queue.wait_idle(); }).empty());
  CHECK_FALSE(deadlock_of(queue, [&] { queue.wait_idle_for(1ms); }).empty());
}

TEST_CASE("waiting in a task for a finished task of the same queue is no deadlock", "[deadlock][M1]") {
  toto::TaskQueue queue;
  auto over = queue.yield_task([] { return 1; });
  over.wait();
  int value = 0;
  CHECK(deadlock_of(queue, [&] { value = over.get(); }).empty());
  CHECK(value == 1);
}

TEST_CASE("limited waits in a task are never refused: they end by themselves", "[deadlock][M1]") {
  toto::TaskQueue queue;
  bool over = true;
  CHECK(deadlock_of(queue, [&] {
          auto handle = queue.yield_task([] {});
          over = handle.wait_for(5ms) || handle.wait_until(std::chrono::steady_clock::now() + 5ms);
        }).empty());
  CHECK_FALSE(over);
}

TEST_CASE("with another worker to run it, waiting for a task of one's own queue works", "[deadlock][M1]") {
  toto::TaskQueue queue(2);
  for (int i = 0; i < 200; ++i) {
    int value = 0;
    REQUIRE(deadlock_of(queue, [&] { value = queue.yield_task([] { return 1; }).get(); }).empty());
    REQUIRE(value == 1);
  }
}

TEST_CASE("waiting in a task for a task of another queue works, and the other way round", "[deadlock][M1]") {
  toto::TaskQueue first;
  toto::TaskQueue second;
  CHECK(first.yield_task([&] { return second.yield_task([] { return 1; }).get(); }).get() == 1);
  CHECK(second.yield_task([&] { return first.yield_task([] { return 2; }).get(); }).get() == 2);
}

TEST_CASE("tasks that block on each other's successors until no worker is left: the last one is told, and all go on",
          "[deadlock][M2]") {
  for (int round = 0; round < 50; ++round) {
    Meeting here(2);
    Meeting queued(2);
    std::atomic<int> told{0};
    toto::TaskQueue queue(2);
    const auto block = [&] {
      here.arrive_and_wait();  // on both workers
      auto successor = queue.yield_task([] { return 1; });
      queued.arrive_and_wait();
      try {
        return successor.get();
      } catch (const toto::DeadlockError&) {
        ++told;
        return 0;
      }
    };
    auto first = queue.yield_task(block);
    auto second = queue.yield_task(block);
    REQUIRE(first.wait_for(kPatience));
    REQUIRE(second.wait_for(kPatience));
    CHECK(first.get() + second.get() == 1);
    CHECK(told == 1);
  }
}

TEST_CASE("a worker that merely takes its time is no deadlock", "[deadlock][M2]") {
  Gate go;
  Gate begun;
  toto::TaskQueue queue(2);
  auto slow = queue.yield_task([&] {
    begun.open();
    go.wait();
    return 1;
  });
  REQUIRE(begun.wait());
  auto waiter = queue.yield_task([&] { return slow.get(); });  // both workers are taken, one of them for a while
  CHECK_FALSE(waiter.wait_for(10ms));
  go.open();
  CHECK(waiter.get() == 1);
}

TEST_CASE("a limited wait of the other worker does not make a wait hopeless", "[deadlock][M2]") {
  Gate both;
  toto::TaskQueue queue(2);
  auto limited = queue.yield_task([&] {
    auto behind = queue.yield_task([] {});
    both.wait();
    return behind.wait_for(50ms);
  });
  auto unlimited = queue.yield_task([&] {
    auto behind = queue.yield_task([] { return 1; });
    both.open();
    return behind.get();
  });
  CHECK(unlimited.get() == 1);
  limited.get();
}

TEST_CASE("co_await in the same place works, with one thread", "[deadlock][M3]") {
  toto::TaskQueue queue;
  const auto await = [](toto::TaskQueue& mine) -> toto::Task<int> {
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
      sum += co_await mine.yield_task([] { return 1; });
    }
    const auto [a, b] = co_await toto::when_all(mine.yield_task([] { return 1; }), mine.yield_task([] { return 1; }));
    co_return sum + a + b;
  };
  CHECK(queue.yield_task(await, std::ref(queue)).get() == 102);
}

TEST_CASE("a continuation that blocks on its own queue is told, and not left hanging", "[deadlock][H7]") {
  Gate over;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  bool told = false;
  int value = 0;
  [](toto::TaskQueue& mine, bool& refused, int& got, Gate& done) -> FireAndForget {
    co_await mine.yield_task([] {});
    auto next = mine.yield_task([] { return 1; });
    try {
      next.get();
    } catch (const toto::DeadlockError&) {
      refused = true;
    }
    got = co_await next;
    done.open();
  }(queue, told, value, over);
  worker.release();
  REQUIRE(over.wait());
  CHECK(told);
  CHECK(value == 1);
}

TEST_CASE("a coroutine task that blocks on its own one-thread queue is told", "[deadlock][H7][M1]") {
  toto::TaskQueue queue;
  const auto block = [](toto::TaskQueue& mine) -> toto::Task<bool> {
    co_await mine.schedule();
    auto next = mine.yield_task([] {});
    try {
      next.get();
    } catch (const toto::DeadlockError&) {
      co_return true;
    }
    co_return false;
  };
  CHECK(queue.yield_task(block, std::ref(queue)).get());
}

TEST_CASE("two queues whose only workers wait for each other: one of the waits is refused, with the cycle in its text",
          "[task_queue][deadlock][M4]") {
  Gate both;
  Arrivals begun;
  std::atomic<int> told{0};
  toto::TaskQueue first(1, 60s, "first");
  toto::TaskQueue second(1, 60s, "second");
  std::string words;
  const auto wait_for = [&](toto::TaskQueue& other) {
    begun.arrive();
    both.wait();
    try {
      return other.yield_task([] { return 1; }).get();
    } catch (const toto::DeadlockError& error) {
      if (++told == 1) {
        words = error.what();
      }
      return 2;
    }
  };
  auto one = first.yield_task([&] { return wait_for(second); });
  auto other = second.yield_task([&] { return wait_for(first); });
  REQUIRE(begun.wait_for(2));
  both.open();
  const int sum = one.get() + other.get();
  REQUIRE(told == 1);  // the one that is refused ends, and lets the other continue
  REQUIRE(sum == 3);
  CHECK_THAT(words, contains("of queue 'first' w"));
  CHECK_THAT(words, contains("for a task of queue 'second'"));
  CHECK_THAT(words, contains("of queue 'second' w"));
  CHECK_THAT(words, contains("for a task of queue 'first'"));
}

TEST_CASE("a chain of waits over three queues that ends at a free worker is not refused",
          "[task_queue][deadlock][M4]") {
  toto::TaskQueue first(1);
  toto::TaskQueue second(1);
  toto::TaskQueue third(1);
  auto handle = first.yield_task(
      [&] { return second.yield_task([&] { return third.yield_task([] { return 7; }).get(); }).get(); });
  REQUIRE(handle.get() == 7);
}

TEST_CASE("waits across queues that have a limit are never refused", "[task_queue][deadlock][M4]") {
  toto::TaskQueue first(1);
  toto::TaskQueue second(1);
  auto handle =
      first.yield_task([&] { return second.yield_task([&] { return first.yield_task([] {}).wait_for(10ms); }).get(); });
  REQUIRE_FALSE(handle.get());
}

TEST_CASE("two tasks that wait for each other, with threads to spare: one is told", "[task_queue][deadlock][M8]") {
  Gate handed_out;
  toto::TaskQueue queue({.thread_count = 3, .name = "spare"});
  toto::TaskHandle<Told> one;
  toto::TaskHandle<Told> other;
  one = queue.yield_task([&] {
    handed_out.wait();
    return told([&] { static_cast<void>(other.wait_until(std::chrono::steady_clock::time_point::max())); });
  });
  other = queue.yield_task([&] {
    handed_out.wait();
    return told([&] { one.wait(); });
  });
  handed_out.open();
  if (!one.wait_for(kPatience / 4)) {
    std::fprintf(stderr, "two tasks wait for each other and nobody is told\n");
    std::abort();  // nothing could help them
  }
  const std::string words = the_one_told(one, other, [] {});
  CHECK_THAT(words, contains("this wait could never end: worker "));
  CHECK_THAT(words, contains("would wait for a task of queue 'spare'"));
  CHECK_THAT(words, contains("waits for a task of queue 'spare'"));
}

TEST_CASE("a task that waits for a later one of the same view is told, with threads to spare",
          "[queue_view][deadlock][M8]") {
  toto::TaskQueue queue({.thread_count = 2, .name = "wide"});
  std::string words;
  SECTION("a view of one") {
    const auto view = queue.limited(1, "narrow view");
    auto outer = view.yield_task([&] { return told([&] { view.yield_task([] {}).get(); }); });
    if (!outer.wait_for(kPatience / 4)) {
      queue.cancel_queued();
    }
    words = outer.get().words;
  }
  SECTION("a view of two, both of which wait") {
    Meeting both(2);
    toto::TaskQueue more({.thread_count = 4, .name = "wide"});
    const auto view = more.limited(2, "narrow view");
    const auto wait = [&] {
      both.arrive_and_wait();
      return told([&] { view.yield_task([] {}).get(); });
    };
    auto one = view.yield_task(wait);
    auto other = view.yield_task(wait);
    words = the_one_told(one, other, [&] { more.cancel_queued(); });
  }
  SECTION("an AwaitableInstance") {
    toto::AwaitableInstance<Thing> thing(Thing{}, queue);
    auto outer = thing([&](Thing&) { return told([&] { thing(&Thing::use).get(); }); });
    if (!outer.wait_for(kPatience / 4)) {
      queue.cancel_queued();
    }
    words = outer.get().words;
  }
  CHECK_THAT(words, contains("would wait for a task of queue 'wide', which waits for its turn"));
  CHECK(queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("tasks that wait for two queues to be idle, each in the other: one is told", "[task_queue][deadlock][M8]") {
  Meeting both(2);
  toto::TaskQueue first({.name = "first"});
  toto::TaskQueue second({.name = "second"});
  const auto wait_for = [&](toto::TaskQueue& queue) {
    both.arrive_and_wait();
    return told([&] { queue.wait_idle(); });
  };
  auto one = first.yield_task([&] { return wait_for(second); });
  auto other = second.yield_task([&] { return wait_for(first); });
  if (!one.wait_for(kPatience / 4) && !other.wait_for(0s)) {
    std::fprintf(stderr, "two workers wait for each other's queue and nobody is told\n");
    std::abort();  // nothing could help them
  }
  const std::string words = the_one_told(one, other, [] {});
  CHECK_THAT(words, contains("of queue 'first' w"));
  CHECK_THAT(words, contains("for queue 'second' to be idle"));
  CHECK_THAT(words, contains("of queue 'second' w"));
  CHECK_THAT(words, contains("for queue 'first' to be idle"));
}

TEST_CASE("two workers that take instances of two pools in opposite order: one is told",
          "[instance_pool][deadlock][M9]") {
  Pool left(Thing{});
  Pool right(Thing{});
  Meeting both(2);
  toto::TaskQueue queue({.thread_count = 2, .name = "crossing"});
  const auto take = [&](Pool& mine, Pool& then) {
    const auto held = mine.instance();
    both.arrive_and_wait();
    return told([&] { then(&Thing::use); });
  };
  auto one = queue.yield_task([&] { return take(left, right); });
  auto other = queue.yield_task([&] { return take(right, left); });
  const std::string words = the_one_told(one, other, [&] {
    left.close();
    right.close();
  });
  CHECK_THAT(words, contains("of queue 'crossing' would wait for an instance of a pool, held: lease taken at "));
  CHECK_THAT(words, contains("of queue 'crossing' waits for an instance of a pool, held: lease taken at "));
  CHECK_THAT(words, contains("deadlock_test.cpp:"));
  CHECK(left.stats().free + right.stats().free == 2);
  CHECK(left.stats().waiting + right.stats().waiting == 0);
}

TEST_CASE("two threads of one's own that take instances in opposite order: one is told",
          "[instance_pool][deadlock][M9]") {
  Pool left(Thing{});
  Pool right(Thing{});
  Meeting both(2);
  const auto take = [&](Pool& mine, Pool& then) {
    return mine.transaction([&](Thing&) {
      both.arrive_and_wait();
      return told([&] { then.transaction([](Thing&) {}); }).words;
    });
  };
  const auto help = [&] {
    left.close();
    right.close();
  };
  std::string other;
  const std::string one = on_own_thread(
      [&] {
        std::thread thread([&] { other = take(right, left); });
        std::string words = take(left, right);
        thread.join();
        return words;
      },
      help);
  CHECK(one.empty() != other.empty());
  CHECK_THAT(one + other, contains("would wait for an instance of a pool, held: transaction at "));
  CHECK_THAT(one + other, contains("; thread "));
}

TEST_CASE("a worker with a lease waits for a queue whose worker waits for that lease: one is told",
          "[instance_pool][deadlock][M9]") {
  Pool pool(Thing{});
  Meeting both(2);
  toto::TaskQueue first({.name = "first"});
  toto::TaskQueue second({.name = "second"});
  auto holder = first.yield_task([&] {
    const auto held = pool.instance();
    both.arrive_and_wait();
    return told([&] { second.yield_task([] {}).get(); });
  });
  auto taker = second.yield_task([&] {
    both.arrive_and_wait();
    return told([&] { pool.transaction([](Thing&) {}); });
  });
  const std::string words = the_one_told(holder, taker, [&] { pool.close(); });
  CHECK_THAT(words, contains("worker 1 of queue 'first' w"));
  CHECK_THAT(words, contains("for a task of queue 'second'"));
  CHECK_THAT(words, contains("worker 1 of queue 'second' w"));
  CHECK_THAT(words, contains("for an instance of a pool, held: lease taken at "));
  CHECK_THAT(words, contains("deadlock_test.cpp:"));
  CHECK(pool.stats().free == 1);
}

TEST_CASE("a thread that holds a pool's only instance and waits for a transaction of it is told",
          "[instance_pool][deadlock][M9]") {
  Pool pool(Thing{});
  toto::TaskQueue queue({.thread_count = 2, .name = "transactions"});
  toto::TaskHandle<int> kept;
  const std::string words = on_own_thread(
      [&] {
        return pool.transaction([&](Thing&) {
          kept = pool.await_transaction(&Thing::use, queue);
          return told([&] { kept.get(); }).words;
        });
      },
      [&] { pool.close(); });
  CHECK_THAT(words,
             contains("would wait for a task of queue 'transactions', which waits for an instance of a pool, held: "));
  CHECK_THAT(words, contains("transaction at "));
  CHECK(kept.get() == 1);  // as soon as the instance was back
}

TEST_CASE("a task that waits for an instance which a transaction behind it has, or is to have, is told",
          "[instance_pool][deadlock][M9]") {
  Pool pool(Thing{});
  toto::TaskQueue queue({.name = "narrow"});
  std::optional<toto::Lease<Thing>> lent;
  SECTION("it has it") {}
  SECTION("it will have it, before the task") {
    lent.emplace(pool.instance());
  }
  std::string words;
  toto::TaskHandle<int> behind;
  words = deadlock_of(queue, [&] {
    behind = pool.await_transaction(&Thing::use, queue);
    pool(&Thing::use);
  });
  lent.reset();
  CHECK_THAT(words, contains("worker 1 of queue 'narrow' would wait for an instance of a pool, held: "));
  CHECK(behind.get() == 1);
}

TEST_CASE("a transaction in a queue that waits for another instance of its pool is told, with threads to spare",
          "[instance_pool][deadlock][M9]") {
  Pool pool(Thing{});
  toto::TaskQueue queue({.thread_count = 2, .name = "transactions"});
  auto handle = pool.await_transaction([&](Thing&) { return told([&] { pool(&Thing::use); }); }, queue);
  if (!handle.wait_for(kPatience / 4)) {
    pool.close();
  }
  CHECK_THAT(handle.get().words, contains("would wait for an instance of a pool, held: transaction in a queue"));
}

TEST_CASE("a task that has to begin by a certain time may be waited for: that ends the wait", "[deadlock][M10]") {
  toto::TaskQueue queue;
  const std::string words = deadlock_of(queue, [&] { queue.with({.start_by = 20ms}).yield_task([] {}).get(); });
  CHECK(words == "it had to be cancelled");
}

TEST_CASE("waits for instances that are merely slow to come are never refused", "[instance_pool][deadlock][M10]") {
  Pool left(Thing{});
  Pool right(Thing{});
  toto::TaskQueue queue(2);

  SECTION("the other worker waits for a limited time") {
    Meeting both(2);
    auto limited = queue.yield_task([&] {
      const auto held = left.instance();
      both.arrive_and_wait();
      return right.instance_for(20ms).has_value();
    });
    auto unlimited = queue.yield_task([&] {
      const auto held = right.instance();
      both.arrive_and_wait();
      return told([&] { left(&Thing::use); });
    });
    CHECK_FALSE(limited.get());
    CHECK(unlimited.get().words.empty());
  }
  SECTION("the other worker's lease has moved to a thread that gives it back") {
    Gate moved;
    std::thread other;
    auto holder = queue.yield_task([&] {
      auto lease = left.instance();
      other = std::thread([&, held = std::move(lease)]() mutable {
        eventually([&] { return left.stats().waiting == 1 && right.stats().waiting == 1; });
        held.release();
      });
      moved.open();
      return told([&] { right(&Thing::use); });
    });
    auto taker = queue.yield_task([&] {
      const auto held = right.instance();
      moved.wait();
      return told([&] { left(&Thing::use); });
    });
    CHECK(taker.get().words.empty());
    CHECK(holder.get().words.empty());
    other.join();
  }
  SECTION("a thread of the program's own holds one") {
    auto lent = std::make_unique<toto::Lease<Thing>>(left.instance());
    auto waiter = queue.yield_task([&] {
      const auto held = right.instance();
      return told([&] { left.transaction([](Thing&) {}); });
    });
    auto behind = queue.yield_task([&] { return told([&] { right(&Thing::use); }); });
    CHECK(eventually([&] { return left.stats().waiting == 1; }));
    lent.reset();
    CHECK(waiter.get().words.empty());
    CHECK(behind.get().words.empty());
  }
  SECTION("the transaction behind has a thread of its own") {
    toto::TaskQueue other(1);
    CHECK(deadlock_of(queue, [&] {
            auto behind = left.await_transaction(&Thing::use, other);
            left(&Thing::use);
            behind.get();
          }).empty());
  }
  SECTION("the transaction behind will be refused, because its queue has closed") {
    toto::TaskQueue closing(1);
    auto lent = std::make_unique<toto::Lease<Thing>>(left.instance());
    toto::TaskHandle<int> refused;
    auto waiter = closing.yield_task([&] {
      refused = left.await_transaction(&Thing::use, closing);
      closing.close();
      std::string words = told([&] { left.transaction([](Thing&) {}); }).words;
      words += told([&] { refused.get(); }).words;
      return words;
    });
    CHECK(eventually([&] { return left.stats().waiting == 2; }));
    lent.reset();
    CHECK_THAT(waiter.get(), !contains("could never end") && contains("not of a deadlock: toto: queue"));
  }
  SECTION("a thread that holds one of two waits for a transaction") {
    Pool pool(std::vector<Thing>(2));
    const auto held = pool.instance();
    CHECK(pool.await_transaction(&Thing::use, queue).get() == 1);
  }
}

TEST_CASE("waits within a view, and for an idle queue, that will end are never refused",
          "[queue_view][deadlock][M10]") {
  Gate go;
  toto::TaskQueue queue(3);
  toto::TaskQueue other(1);
  const auto view = queue.limited(2, "two");
  CHECK(view.yield_task([&] { return view.yield_task([] { return 1; }).get(); }).get() == 1);
  const auto narrow = queue.limited(1, "one");
  CHECK(queue.yield_task([&] { return narrow.yield_task([] { return 2; }).get(); }).get() == 2);
  CHECK(narrow.yield_task([&] { return queue.yield_task([] { return 3; }).get(); }).get() == 3);
  other.add_task([&] { go.wait(); });
  auto idle = queue.yield_task([&] { return told([&] { other.wait_idle(); }); });
  CHECK_FALSE(idle.wait_for(5ms));
  go.open();
  CHECK(idle.get().words.empty());
}
