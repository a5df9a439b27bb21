// SPDX-License-Identifier: MIT
//
// spawn(), and TaskScope: whichever ends first, the scope, what its coroutines wait for, or the executor on which they
// live.

#include <toto/task_scope.hpp>
#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"
#include "support/own_executor.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::EventLoop;
using toto::ExecutorRef;
using toto::StopToken;
using toto::Task;
using toto::TaskQueue;
using toto::TaskScope;

namespace {

/// What a round is about: a window whose coroutines must not touch it when it has gone, and what they wait for.
struct Round {
  Lifetimes frames;
  std::atomic<bool> window_gone{false};
  std::atomic<int> violations{0};  // touches of a window that has gone
  std::atomic<int> cancelled{0};   // what was away has seen the end of what was not
  Gate suspended;                  // the coroutine, for the first time
  Gate running;                    // a task, or a coroutine that is away, has begun
  Gate release;                    // and may end

  void touch() {
    if (window_gone) {
      ++violations;
    }
  }
  /// Runs until it is released, or asked to stop.
  auto work() {
    return [this](const StopToken& token) {
      running.open();
      while (!release.is_open() && !token.stop_requested()) {
        std::this_thread::yield();
      }
    };
  }
};

/// What it waits for, and where it lives.
struct Place {
  Round& round;
  TaskQueue& queue;
  toto::InstancePool<int>& pool;
  ExecutorRef home;
};

/// Where no scope is: on the queue.
void stay(Place& place) {
  place.round.running.open();
  place.round.release.wait();
}

Task<> go_and_come_back(Place place, Counted) {
  co_await place.queue.schedule();
  stay(place);
  co_await toto::resume_on(place.home);
  place.round.touch();
}

Task<> sleep_at_home(Place place, Counted) {
  co_await toto::sleep_for(1ms);
  place.round.touch();
}

/// Goes, and waits there for one that comes back.
Task<> wait_away_for_one_at_home(Place place, Counted counted) {
  co_await place.queue.schedule();
  try {
    co_await toto::when_all([](Place there, Counted) -> Task<> {
      co_await toto::resume_on(there.home);
      there.round.touch();
      there.round.running.open();
      co_await toto::sleep_for(1h);
      there.round.touch();
    }(place, counted));
  } catch (const toto::TaskCancelled&) {  // with the scope
    ++place.round.cancelled;
  }
}

using Kind = Task<> (*)(Place, Counted);
struct NamedKind {
  const char* name;
  Kind await;
  bool leaves = false;  // the executor
};

const std::vector<NamedKind>& kinds() {
  static const std::vector<NamedKind> all = {
      {"a handle",
       [](Place place, Counted) -> Task<> {
         auto handle = place.queue.yield_task(place.round.work());
         co_await handle;
         place.round.touch();
       }},
      {"a handle with a time limit",
       [](Place place, Counted) -> Task<> {
         auto handle = place.queue.yield_task(place.round.work());
         co_await std::move(handle).timeout(1h);
         place.round.touch();
       }},
      {"a call",
       [](Place place, Counted) -> Task<> {
         auto work = place.round.work();
         auto call = place.queue.call(work);
         co_await call;
         place.round.touch();
       }},
      {"a sleep",
       [](Place place, Counted) -> Task<> {
         place.round.running.open();
         co_await toto::sleep_for(1ms);
         place.round.touch();
       }},
      {"a lease",
       [](Place place, Counted) -> Task<> {
         auto handle =
             place.pool.await_transaction([&round = place.round](int&) { round.work()(StopToken()); }, place.queue);
         auto lease = co_await place.pool.lease();
         place.round.touch();
       }},
      {"a transaction",
       [](Place place, Counted) -> Task<> {
         auto handle =
             place.pool.await_transaction([&round = place.round](int&) { round.work()(StopToken()); }, place.queue);
         co_await handle;
         place.round.touch();
       }},
      {"all of two",
       [](Place place, Counted) -> Task<> {
         auto first = place.queue.yield_task(place.round.work());
         auto second = place.queue.yield_task(place.round.work());
         co_await toto::when_all(std::move(first), std::move(second));
         place.round.touch();
       }},
      {"all of two, settled",
       [](Place place, Counted) -> Task<> {
         auto first = place.queue.yield_task(place.round.work());
         auto second = place.queue.yield_task(place.round.work());
         co_await toto::when_all_settled(std::move(first), std::move(second));
         place.round.touch();
       }},
      {"all of two, or none",
       [](Place place, Counted) -> Task<> {
         auto first = place.queue.yield_task(place.round.work());
         auto second = place.queue.yield_task(place.round.work());
         co_await toto::when_all_or_cancel(std::move(first), std::move(second));
         place.round.touch();
       }},
      {"one of two",
       [](Place place, Counted) -> Task<> {
         auto first = place.queue.yield_task(place.round.work());
         auto second = place.queue.yield_task(place.round.work());
         co_await toto::when_any(std::move(first), std::move(second));
         place.round.touch();
       }},
      {"a group",
       [](Place place, Counted) -> Task<> {
         auto group = toto::with_task_group([&place](toto::TaskGroup& tasks) -> Task<> {
           tasks.add(place.queue, place.round.work());
           co_await toto::sleep_for(1ms);
         });
         co_await group;
         place.round.touch();
       }},
      {"a Task",
       [](Place place, Counted counted) -> Task<> {
         auto inner = [](Place there, Counted) -> Task<> {
           auto handle = there.queue.yield_task(there.round.work());
           co_await handle;
           there.round.touch();
         }(place, counted);
         co_await inner;
         place.round.touch();
       }},
      {"a move there and back", &go_and_come_back, true},
      {"a handle there, and one back",
       [](Place place, Counted) -> Task<> {
         auto there = place.queue.yield_task([] {});
         co_await std::move(there).resume_on(place.queue);
         stay(place);
         auto back = place.queue.yield_task([] {});
         co_await std::move(back).resume_on(place.home);
         place.round.touch();
       },
       true},
      {"a handle where that ends",
       [](Place place, Counted) -> Task<> {
         auto handle = place.queue.yield_task([&suspended = place.round.suspended] { suspended.wait(); });
         co_await std::move(handle).resume_inline();
         stay(place);
         co_await toto::resume_on(place.home);
         place.round.touch();
       },
       true},
      {"a Task that goes and stays",
       [](Place place, Counted counted) -> Task<> {
         auto inner = [](Place there, Counted) -> Task<> {
           co_await there.queue.schedule();
           stay(there);
         }(place, counted);
         co_await inner;
         co_await toto::resume_on(place.home);
         place.round.touch();
       },
       true},
      {"two that go and come back",
       [](Place place, Counted counted) -> Task<> {
         co_await toto::when_all(go_and_come_back(place, counted), go_and_come_back(place, counted));
         place.round.touch();
       },
       true},
      {"two that go and stay",
       [](Place place, Counted counted) -> Task<> {
         const auto go = [](Place there, Counted) -> Task<> {
           co_await there.queue.schedule();
           stay(there);
         };
         co_await toto::when_all(go(place, counted), go(place, counted));
         place.round.touch();
       },
       true},
      {"one that goes and one that sleeps",
       [](Place place, Counted counted) -> Task<> {
         co_await toto::when_all(go_and_come_back(place, counted), sleep_at_home(place, counted));
         place.round.touch();
       },
       true},
      {"one that goes, among some that sleep",
       [](Place place, Counted counted) -> Task<> {
         const auto both = [](Place there, Counted inner) -> Task<> {
           co_await toto::when_all(sleep_at_home(there, inner), go_and_come_back(there, inner));
           there.round.touch();
         };
         co_await toto::when_all_settled(both(place, counted), sleep_at_home(place, counted));
         place.round.touch();
       },
       true},
      {"a group with one that goes and one that sleeps",
       [](Place place, Counted counted) -> Task<> {
         auto group = toto::with_task_group([place, counted](toto::TaskGroup& tasks) -> Task<> {
           tasks.spawn(go_and_come_back(place, counted));
           tasks.spawn(sleep_at_home(place, counted));
           co_await toto::sleep_for(1ms);
           place.round.touch();
         });
         co_await group;
         place.round.touch();
       },
       true},
      {"a sleep, after losers that sleep and that are away",
       [](Place place, Counted counted) -> Task<> {
         auto winner = place.queue.yield_task([&suspended = place.round.suspended] { suspended.wait(); });
         co_await toto::when_any(std::move(winner), sleep_at_home(place, counted), go_and_come_back(place, counted));
         co_await toto::sleep_for(1ms);
         place.round.touch();
       },
       true},
      {"nothing, after a loser that is away",
       [](Place place, Counted counted) -> Task<> {
         auto winner = place.queue.yield_task([&suspended = place.round.suspended] { suspended.wait(); });
         co_await toto::when_any(std::move(winner), go_and_come_back(place, counted));
       },
       true},
      {"one that waits elsewhere for one that is back", &wait_away_for_one_at_home, true},
  };
  return all;
}

enum class End { before_it_begins, while_it_runs, while_it_is_queued, when_it_has_ended, executor_first, queue_first };

constexpr End kEnds[] = {End::before_it_begins,  End::while_it_runs,  End::while_it_is_queued,
                         End::when_it_has_ended, End::executor_first, End::queue_first};

/// The two executors a scope may live on, both run by the calling thread.
class OnLoop {
 public:
  ExecutorRef executor() { return *loop_; }
  void run_what_is_there() {
    if (loop_) {
      loop_->post([this] { loop_->stop(); });
      loop_->run();
    }
  }
  void end() { loop_.reset(); }

 private:
  std::optional<EventLoop> loop_{std::in_place};
};

class OnOwn {
 public:
  ExecutorRef executor() { return executor_; }
  void run_what_is_there() { executor_.run_all(); }
  void end() {}  // must outlive all

 private:
  ManualExecutor executor_;
};

template <class Executor>
void play(const NamedKind& kind, End end, Round& round) {
  Executor executor;
  std::optional<TaskQueue> queue(std::in_place, 2);
  toto::InstancePool<int> pool(std::vector<int>{1});
  std::optional<TaskScope> scope(std::in_place, executor.executor());
  std::optional<Gate> hold;
  if (end == End::while_it_is_queued) {
    hold.emplace();
    for (int i = 0; i < 2; ++i) {
      queue->add_task([gate = *hold]() mutable { gate.wait(); });
    }
  }
  scope->spawn(kind.await({round, *queue, pool, executor.executor()}, Counted(round.frames)));
  if (end != End::before_it_begins) {
    executor.run_what_is_there();
  }
  round.suspended.open();
  const auto runs = [&] {
    return eventually([&] {
      if (!round.running.is_open()) {
        executor.run_what_is_there();
      }
      return round.running.is_open();
    });
  };
  switch (end) {
    case End::before_it_begins:
    case End::while_it_is_queued:
      break;
    case End::while_it_runs:
      REQUIRE(runs());
      break;
    case End::when_it_has_ended:
      round.release.open();
      REQUIRE(runs());
      std::this_thread::yield();
      break;
    case End::executor_first:
      REQUIRE(runs());
      executor.end();
      break;
    case End::queue_first:
      REQUIRE(runs());
      round.release.open();
      if (kind.leaves) {
        queue->wait_idle();  // the coroutine uses it
      } else {
        queue.reset();
      }
      break;
  }
  scope.reset();
  round.window_gone = true;
  if (hold) {
    hold->open();
  }
  round.release.open();
  executor.run_what_is_there();
  if (queue) {
    queue->wait_idle();
  }
  CHECK(eventually([&] {
    executor.run_what_is_there();
    return round.frames.alive() == 0;
  }));
  CHECK(round.violations == 0);
}

}  // namespace

TEST_CASE("what is away and waits for one that a scope has destroyed gets TaskCancelled", "[task_scope][L19]") {
  Round round;
  const NamedKind kind{"", &wait_away_for_one_at_home, true};
  play<OnLoop>(kind, End::while_it_runs, round);
  CHECK(round.cancelled == 1);
}

TEMPLATE_TEST_CASE("a scope that ends while its coroutine waits leaves nothing that refers to what ends with it",
                   "[task_scope][L19]", OnLoop, OnOwn) {
  for (const NamedKind& kind : kinds()) {
    for (const End end : kEnds) {
      INFO(kind.name << ", end " << static_cast<int>(end));
      for (int i = 0; i < 60; ++i) {
        Round round;
        play<TestType>(kind, end, round);
      }
    }
  }
}

namespace {

Task<int> note(std::vector<std::string>& log, std::string what) {
  log.push_back("begins " + what);
  co_await toto::sleep_for(0s);
  log.push_back("ends " + what);
  co_return 1;
}
Task<> fail_with(std::exception_ptr failure) {
  co_await toto::sleep_for(0s);
  std::rethrow_exception(failure);
}
std::exception_ptr boom() {
  return std::make_exception_ptr(std::runtime_error("boom"));
}

/// Says what has failed on it.
struct TellingExecutor : ManualExecutor {
  std::vector<std::string> failures;

  void on_error(const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      failures.emplace_back(error.what());
    }
    throw std::logic_error("ignored");
  }
};

}  // namespace

TEST_CASE("spawn starts a coroutine on a loop, on a program's own executor, and, as a task, on a queue", "[spawn]") {
  std::vector<std::string> log;
  SECTION("a loop") {
    EventLoop loop;
    toto::spawn(loop, note(log, "a"));
    toto::spawn(loop, note(log, "b"));
    CHECK(log.empty());
    loop.run();
    CHECK(log == std::vector<std::string>{"begins a", "begins b", "ends a", "ends b"});
  }
  SECTION("an own executor") {
    ManualExecutor own;
    toto::spawn(own, note(log, "a"));
    CHECK(log.empty());
    CHECK(eventually([&] {
      own.run_all();
      return log.size() == 2;
    }));
  }
  SECTION("a queue, which waits for it") {
    {
      TaskQueue queue;
      toto::spawn(queue, note(log, "a"));
      toto::spawn(ExecutorRef(queue), note(log, "b"));
    }
    CHECK(log.size() == 4);
  }
}

TEST_CASE("what a spawned coroutine throws goes where its executor says", "[spawn]") {
  SECTION("out of a loop's run()") {
    EventLoop loop;
    toto::spawn(loop, fail_with(boom()));
    CHECK_THROWS_WITH(loop.run(), "boom");
  }
  SECTION("to a queue's on_error") {
    std::vector<std::string> failures;
    {
      TaskQueue queue;
      queue.on_error([&](const std::exception_ptr& failure, const toto::TaskInfo&) {
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& error) {
          failures.emplace_back(error.what());
        }
      });
      toto::spawn(queue, fail_with(boom()));
    }
    CHECK(failures == std::vector<std::string>{"boom"});
  }
  SECTION("to on_error of a program's own executor, of a scope's coroutine, too") {
    TellingExecutor own;
    TaskScope scope(own);
    toto::spawn(own, fail_with(boom()));
    scope.spawn(fail_with(boom()));
    scope.spawn(fail_with(std::make_exception_ptr(toto::TaskCancelled("of no interest to a scope"))));
    CHECK(eventually([&] {
      own.run_all();
      return scope.size() == 0 && own.failures.size() == 2;
    }));
    CHECK(own.failures == std::vector<std::string>{"boom", "boom"});
  }
}

TEST_CASE("spawn and a scope refuse what cannot be started, or nowhere", "[spawn][task_scope]") {
  EventLoop loop;
  TaskQueue queue;
  std::vector<std::string> log;
  CHECK_THROWS_WITH(toto::spawn(loop, Task<>()), contains("task is empty"));
  CHECK_THROWS_WITH(toto::spawn(ExecutorRef(), note(log, "a")), contains("executor is empty"));
  CHECK_THROWS_WITH(TaskScope(ExecutorRef()), contains("executor is empty"));
  CHECK_THROWS_WITH(TaskScope(queue), contains("executor is a queue"));
  TaskScope scope(loop);
  CHECK_THROWS_WITH(scope.spawn(Task<>()), contains("task is empty"));
  queue.close();
  CHECK_THROWS_AS(toto::spawn(queue, note(log, "a")), toto::QueueClosed);
  loop.run();
  CHECK(log.empty());
}

TEST_CASE("a loop that has ended starts nothing for a scope, which may outlive it", "[task_scope]") {
  Lifetimes frames;
  std::optional<EventLoop> loop(std::in_place);
  TaskScope scope(*loop);
  const auto wait = [](Counted) -> Task<> { co_await toto::sleep_for(1h); };
  scope.spawn(wait(Counted(frames)));
  loop->post([&] { loop->stop(); });
  loop->run();
  CHECK(scope.size() == 1);
  loop.reset();
  CHECK(frames.alive() == 0);
  CHECK(scope.size() == 0);
  scope.spawn(wait(Counted(frames)));
  CHECK(frames.alive() == 0);
}

TEST_CASE("join awaits the coroutines of a scope, and the end of the scope lets it go on", "[task_scope]") {
  EventLoop loop;
  std::vector<std::string> log;
  std::optional<TaskScope> scope(std::in_place, loop);
  SECTION("they end") {
    scope->spawn(note(log, "a"));
    scope->spawn(note(log, "b"));
    loop.run_sync(scope->join());
    CHECK(log.size() == 4);
    loop.run_sync(scope->join());  // none is left
  }
  SECTION("the scope ends") {
    scope->spawn([]() -> Task<> { co_await toto::sleep_for(1h); }());
    loop.spawn([](TaskScope& joined, std::vector<std::string>& lines) -> Task<> {
      co_await joined.join();
      lines.emplace_back("joined");
    }(*scope, log));
    loop.post([&] { scope.reset(); });
    loop.run();
    CHECK(log == std::vector<std::string>{"joined"});
  }
  SECTION("whoever joins is destroyed before") {
    scope->spawn([]() -> Task<> { co_await toto::sleep_for(1h); }());
    {
      TaskScope other(loop);
      other.spawn([](TaskScope& joined) -> Task<> { co_await joined.join(); }(*scope));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    scope.reset();
    loop.run();
  }
}

TEST_CASE("a loop that ends lets whoever joins any of its scopes go on", "[task_scope]") {
  TaskQueue queue(3);
  std::optional<EventLoop> loop(std::in_place);
  std::vector<std::unique_ptr<TaskScope>> scopes;
  std::vector<toto::TaskHandle<>> joined;
  for (int i = 0; i < 3; ++i) {
    scopes.push_back(std::make_unique<TaskScope>(*loop));
    scopes.back()->spawn([]() -> Task<> { co_await toto::sleep_for(1h); }());
    joined.push_back(
        queue.yield_task([](TaskScope& scope) -> Task<> { co_await scope.join(); }, std::ref(*scopes.back())));
  }
  CHECK(eventually([&] { return queue.stats().suspended == 3; }));

  loop.reset();

  for (auto& handle : joined) {
    CHECK(handle.wait_for(1min));
  }
}

TEST_CASE("the end of a scope asks its coroutines to stop", "[task_scope]") {
  EventLoop loop;
  std::optional<TaskScope> scope(std::in_place, loop);
  const StopToken token = scope->stop_token();
  CHECK_FALSE(token.stop_requested());
  SECTION("when it is asked to") {
    scope->request_stop();
    CHECK(token.stop_requested());
  }
  scope.reset();
  CHECK(token.stop_requested());
}
