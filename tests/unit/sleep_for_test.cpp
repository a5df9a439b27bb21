// SPDX-License-Identifier: MIT
//
// sleep_for: coroutines that wait for time to pass without holding a thread.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

namespace {

toto::Task<> nap(toto::Duration length) {
  co_await toto::sleep_for(length);
}
toto::Task<> sleep_and_note(toto::Duration length, int name, std::vector<int>& log) {
  co_await toto::sleep_for(length);
  log.push_back(name);
}

}  // namespace

TEST_CASE("a sleep on a loop lasts as long as it says and comes back to the loop", "[sleep_for][H1]") {
  toto::EventLoop loop;
  std::thread::id on;
  const auto begin = Steady::now();
  loop.spawn([](std::thread::id& where) -> toto::Task<> {
    co_await toto::sleep_for(20ms);
    where = std::this_thread::get_id();
  }(on));
  loop.run();
  CHECK(Steady::now() - begin >= 20ms);
  CHECK(on == std::this_thread::get_id());
}

TEST_CASE("a sleep of nothing gives way to what is posted, and goes on", "[sleep_for]") {
  toto::EventLoop loop;
  std::vector<int> log;
  loop.spawn(sleep_and_note(0s, 2, log));
  loop.post([&] { log.push_back(1); });
  loop.run();
  CHECK(log == std::vector<int>{1, 2});
}

TEST_CASE("sleepers wake in the order of their times", "[sleep_for]") {
  toto::EventLoop loop;
  std::vector<int> log;
  loop.spawn(sleep_and_note(30ms, 3, log));
  loop.spawn(sleep_and_note(10ms, 1, log));
  loop.spawn(sleep_and_note(20ms, 2, log));
  loop.run();
  CHECK(log == std::vector<int>{1, 2, 3});
}

TEST_CASE("a sleep on a queue holds no thread and comes back to the queue", "[sleep_for][H1]") {
  Gate over;
  toto::TaskQueue queue;
  auto sleeper = queue.yield_task(
      [](toto::TaskQueue& mine, Gate& until) -> toto::Task<bool> {
        while (!until.is_open()) {
          co_await toto::sleep_for(1ms);
        }
        co_return toto::TaskQueue::current() == &mine;
      },
      std::ref(queue), std::ref(over));
  for (int i = 0; i < 20; ++i) {
    CHECK(queue.yield_task([] { return 1; }).get() == 1);  // by the only thread
  }
  REQUIRE(eventually([&] { return queue.stats().suspended == 1; }));
  over.open();
  CHECK(sleeper.get());
}

TEST_CASE("a queue waits at its end for a coroutine task that sleeps", "[sleep_for]") {
  bool woken = false;
  const auto begin = Steady::now();
  {
    toto::TaskQueue queue;
    queue.add_task(
        [](bool& flag) -> toto::Task<> {
          co_await toto::sleep_for(20ms);
          flag = true;
        },
        std::ref(woken));
  }
  CHECK(woken);
  CHECK(Steady::now() - begin >= 20ms);
}

TEST_CASE("hundreds of coroutines sleep at the same time on one thread", "[sleep_for]") {
  toto::TaskQueue queue;
  std::vector<toto::TaskHandle<>> handles;
  const auto begin = Steady::now();
  for (int i = 0; i < 500; ++i) {
    handles.push_back(queue.yield_task(nap, 20ms));
  }
  toto::sync_wait(toto::when_all(handles));
  CHECK(Steady::now() - begin >= 20ms);
  CHECK(Steady::now() - begin < kPatience);  // 500 sleeps one after another would take as long
  CHECK(queue.stats().threads_started == 1);
}

TEST_CASE("a sleep under sync_wait needs no queue", "[sleep_for][sync_wait]") {
  const auto begin = Steady::now();
  toto::sync_wait(nap(10ms));
  CHECK(Steady::now() - begin >= 10ms);
}

TEST_CASE("a sleep where there is neither loop nor queue is refused in the coroutine", "[sleep_for]") {
  std::string words;
  [](std::string& to) -> FireAndForget {
    try {
      co_await toto::sleep_for(1ms);
    } catch (const std::logic_error& error) {
      to = error.what();
    }
  }(words);
  CHECK_THAT(words, contains("sleep_for"));
}

TEST_CASE("negative lengths and NaN are refused by name, at the call", "[sleep_for][U2]") {
  CHECK_THROWS_AS(static_cast<void>(toto::sleep_for(-1ns)), std::invalid_argument);
  CHECK_THROWS_WITH(static_cast<void>(toto::sleep_for(-1ns)), contains("length"));
  CHECK_THROWS_AS(
      static_cast<void>(toto::sleep_for(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()))),
      std::invalid_argument);
}

TEST_CASE("a coroutine destroyed while it sleeps is not resumed", "[sleep_for][G8]") {
  Lifetimes frames;
  std::atomic<bool> resumed{false};
  const auto doze = [](toto::Duration length, std::atomic<bool>& after, Counted) -> Owned {
    co_await toto::sleep_for(length);
    after = true;
  };
  SECTION("on a loop") {
    toto::EventLoop loop;
    Owned sleeper;
    loop.post([&] { sleeper = doze(1h, resumed, Counted(frames)); });
    loop.post([&] { sleeper.destroy(); });
    loop.run();  // returns: no timer is left
  }
  SECTION("on a loop, when it is due and on its way") {
    toto::EventLoop loop;
    Owned sleeper;
    loop.post([&] {
      sleeper = doze(0s, resumed, Counted(frames));
      loop.post([&] { sleeper.destroy(); });
    });
    loop.run();
  }
  SECTION("on a queue") {
    toto::TaskQueue queue;
    Owned sleeper;
    queue.add_task([&] { sleeper = doze(1h, resumed, Counted(frames)); });
    queue.add_task([&] { sleeper.destroy(); });
    queue.wait_idle();
  }
  SECTION("on a queue, when it is due and on its way") {
    for (int i = 0; i < 200; ++i) {
      toto::TaskQueue queue;
      Owned sleeper;
      queue.add_task([&] {
        sleeper = doze(std::chrono::microseconds(i), resumed, Counted(frames));
        while (i % 2 == 0 && queue.stats().continuations == 0) {
          std::this_thread::yield();
        }
        sleeper.destroy();
      });
      queue.wait_idle();
    }
  }
  CHECK_FALSE(resumed);
  CHECK(frames.made > 0);
  CHECK(frames.alive() == 0);
}

TEST_CASE("a coroutine that sleeps on a loop which is destroyed still wakes, on another thread", "[sleep_for][H2]") {
  Gate over;
  std::thread::id on;
  const auto begin = Steady::now();
  {
    toto::EventLoop loop;
    loop.post([&] {
      [](Gate& done, std::thread::id& where) -> FireAndForget {
        co_await toto::sleep_for(20ms);
        where = std::this_thread::get_id();
        done.open();
      }(over, on);
      loop.stop();
    });
    loop.run();
  }
  REQUIRE(over.wait());
  CHECK(Steady::now() - begin >= 20ms);
  CHECK(on != std::this_thread::get_id());
}

TEST_CASE("a coroutine that sleeps on a loop and is destroyed while the loop is, or afterwards, is not resumed",
          "[sleep_for][G8][H2]") {
  constexpr int kSleepers = 3;  // more than one: whose timer is taken out of the middle is seen in the others
  Lifetimes frames;
  std::atomic<bool> resumed{false};
  const auto doze = [](toto::Duration length, std::atomic<bool>& after, Counted) -> Owned {
    co_await toto::sleep_for(length);
    after = true;
  };
  std::vector<Owned> sleepers;
  const auto fall_asleep = [&](toto::EventLoop& loop, toto::Duration length) {
    loop.post([&, length] {
      for (int i = 0; i < kSleepers; ++i) {
        sleepers.push_back(doze(length, resumed, Counted(frames)));
      }
      loop.stop();
    });
    loop.run();
    REQUIRE(sleepers.size() == kSleepers);
  };
  SECTION("owned by a posted function") {
    toto::EventLoop loop;
    fall_asleep(loop, 1h);
    loop.post([owned = std::move(sleepers)] {});
  }
  SECTION("owned by a function with a time") {
    toto::EventLoop loop;
    fall_asleep(loop, 1h);
    loop.call_later(1min, [owned = std::move(sleepers)] {});
  }
  SECTION("owned by a function with a time after theirs") {
    toto::EventLoop loop;
    fall_asleep(loop, 1h);
    loop.call_later(2h, [owned = std::move(sleepers)] {});
  }
  SECTION("owned by a posted function, when they are due and on their way") {
    toto::EventLoop loop;
    loop.post([&] {
      for (int i = 0; i < kSleepers; ++i) {
        sleepers.push_back(doze(0s, resumed, Counted(frames)));
      }
      loop.post([&loop] { loop.stop(); });
      loop.post([owned = std::move(sleepers)] {});  // in front of them
    });
    loop.run();
    CHECK(frames.alive() == kSleepers);
  }
  SECTION("after the loop") {
    {
      toto::EventLoop loop;
      fall_asleep(loop, 1h);
    }
    CHECK(frames.alive() == kSleepers);
    sleepers.clear();
  }
  SECTION("on another thread at the same time") {
    for (int i = 0; i < 200; ++i) {
      sleepers.clear();
      Meeting meeting(2);
      std::thread other;
      {
        toto::EventLoop loop;
        fall_asleep(loop, 1h);
        other = std::thread([&] {
          meeting.arrive_and_wait();
          sleepers.clear();
        });
        meeting.arrive_and_wait();
      }
      other.join();
    }
  }
  CHECK_FALSE(resumed);
  CHECK(frames.made > 0);
  CHECK(frames.alive() == 0);
}

TEST_CASE("a coroutine that sleeps on a queue which ends still wakes, elsewhere", "[sleep_for][H2]") {
  Gate over;
  Gate asleep;
  {
    toto::TaskQueue queue;
    queue.add_task([&] {
      [](Gate& done) -> FireAndForget {
        co_await toto::sleep_for(20ms);
        done.open();
      }(over);
      asleep.open();
    });
    REQUIRE(asleep.wait());
  }
  CHECK(over.wait());
}

TEST_CASE("a sleep that never ends does not overflow, and a loop does not end meanwhile", "[sleep_for]") {
  Lifetimes frames;
  bool woken = false;
  {
    toto::EventLoop loop;
    loop.spawn([](bool& flag, Counted) -> toto::Task<> {
      co_await toto::sleep_for(std::chrono::hours::max());
      flag = true;
    }(woken, Counted(frames)));
    bool stopped = false;
    loop.call_later(5ms, [&] {
      stopped = true;
      loop.stop();
    });
    loop.run();
    CHECK(stopped);
  }
  CHECK_FALSE(woken);
  CHECK(frames.alive() == 0);
}
