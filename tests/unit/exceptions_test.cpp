// SPDX-License-Identifier: MIT
//
// Group F: where exceptions go, and that they never cost a worker or a task.

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#endif

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using toto::TaskInfo;
using toto::TaskQueue;
using toto_tests::contains;
using toto_tests::Counted;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::has_message;
using toto_tests::kPatience;
using toto_tests::Lifetimes;

namespace {

void ignore_errors(TaskQueue& queue) {
  queue.on_error([](const std::exception_ptr&, const TaskInfo&) {});
}

std::string message_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "not a std::exception";
  }
}

struct NotAnException {
  int value;
};

int counted_failures = 0;
void count_failure(const std::exception_ptr& /*failure*/, const TaskInfo& /*task*/) {
  ++counted_failures;
}

class DerivedError : public std::runtime_error {
 public:
  DerivedError(const std::string& text, int number) : std::runtime_error(text), code(number) {}
  int code;
};

}  // namespace

TEST_CASE("after a task that throws the next ones run in order", "[task_queue][exceptions][F1]") {
  Gate gate;
  TaskQueue queue;
  ignore_errors(queue);
  std::vector<int> order;
  std::vector<int> expected;
  queue.add_task([&gate] { gate.wait(); });
  std::vector<toto::TaskHandle<>> handles;
  for (int i = 0; i < 300; ++i) {
    expected.push_back(i);
    switch (i % 3) {
      case 0:
        queue.add_task([&order, i] {  // a closure that fits into the queue
          order.push_back(i);
          throw std::runtime_error("small");
        });
        break;
      case 1:
        queue.add_task([&order, i, text = std::string("large")] {
          order.push_back(i);
          throw std::runtime_error(text);
        });
        break;
      default:
        handles.push_back(queue.yield_task([&order, i] {
          order.push_back(i);
          throw std::runtime_error("with a handle");
        }));
    }
  }
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(order == expected);
  REQUIRE(queue.stats().failed == 300);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("a failure reaches whoever takes the result with its type and text", "[task_queue][exceptions][F2]") {
  Gate gate;
  TaskQueue queue;
  const auto fail = []() -> int { throw DerivedError("what went wrong", 7); };
  SECTION("get") {
    auto handle = queue.yield_task(fail);
    try {
      handle.get();
      FAIL("no exception");
    } catch (const DerivedError& error) {
      REQUIRE(error.what() == std::string("what went wrong"));
      REQUIRE(error.code == 7);
    }
    REQUIRE_FALSE(handle.valid());
  }
  SECTION("co_await before and after the end of the task") {
    const bool ready = GENERATE(false, true);
    toto::EventLoop loop;
    queue.add_task([&gate] { gate.wait(); });
    auto handle = queue.yield_task(fail);
    if (ready) {
      gate.open();
      handle.wait();
    } else {
      loop.post([&gate] { gate.open(); });  // when the coroutine below waits
    }
    int code = 0;
    std::string text;
    loop.run_sync([](toto::TaskHandle<int> awaited, int& code_seen, std::string& text_seen) -> toto::Task<> {
      try {
        co_await awaited;
      } catch (const DerivedError& error) {
        code_seen = error.code;
        text_seen = error.what();
      }
    }(std::move(handle), code, text));
    REQUIRE(code == 7);
    REQUIRE(text == "what went wrong");
  }
  SECTION("sync_wait") {
    REQUIRE_THROWS_MATCHES(toto::sync_wait(queue.yield_task(fail)), DerivedError, has_message("what went wrong"));
  }
  SECTION("of a coroutine task") {
    auto handle = queue.yield_task([]() -> toto::Task<int> {
      throw DerivedError("in a coroutine", 8);
      co_return 1;
    });
    REQUIRE_THROWS_MATCHES(handle.get(), DerivedError, has_message("in a coroutine"));
  }
  SECTION("wait does not throw it") {
    auto handle = queue.yield_task(fail);
    REQUIRE_NOTHROW(handle.wait());
    REQUIRE(handle.ready());
    REQUIRE_THROWS_AS(handle.get(), DerivedError);
  }
  REQUIRE(queue.wait_idle_for(kPatience));
}

TEST_CASE("exceptions of any type are passed on and the worker lives", "[task_queue][exceptions][F3]") {
  TaskQueue queue(1, toto::Duration::never());
  const auto worker = queue.yield_task([] { return std::this_thread::get_id(); }).get();
  REQUIRE_THROWS_AS(queue.yield_task([] { throw 1; }).get(), int);
  REQUIRE_THROWS_AS(queue.yield_task([] { throw NotAnException{2}; }).get(), NotAnException);
  REQUIRE_THROWS_AS(queue.yield_task([] { throw static_cast<const char*>("text"); }).get(), const char*);
  REQUIRE_THROWS_AS(queue.yield_task([] { throw std::make_unique<int>(3); }).get(), std::unique_ptr<int>);
  REQUIRE_THROWS_AS(queue.yield_task([] { throw std::bad_alloc(); }).get(), std::bad_alloc);
  try {
    queue.yield_task([] { throw NotAnException{4}; }).get();
    FAIL("no exception");
  } catch (const NotAnException& thrown) {
    REQUIRE(thrown.value == 4);
  }
  int reported = 0;
  queue.on_error([&reported](const std::exception_ptr&, const TaskInfo&) { ++reported; });
  queue.add_task([] { throw 5; });
  queue.add_task([] { throw NotAnException{6}; });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(reported == 2);
  REQUIRE(queue.yield_task([] { return std::this_thread::get_id(); }).get() == worker);
  REQUIRE(queue.stats().threads_started == 1);
}

TEST_CASE("on_error gets the failures of add_task with the name of the queue", "[task_queue][exceptions][F4]") {
  TaskQueue queue(1, 60s, "f4");
  std::vector<std::string> reports;
  std::vector<std::thread::id> threads;
  queue.on_error([&](const std::exception_ptr& failure, const TaskInfo& info) {
    reports.push_back(std::string(info.queue) + ": " + message_of(failure));
    threads.push_back(std::this_thread::get_id());
  });
  queue.add_task([] { throw std::runtime_error("small"); });
  queue.add_task([text = std::string("large")] { throw std::runtime_error(text); });
  queue.add_task([]() -> toto::Task<> {
    throw std::runtime_error("coroutine");
    co_return;
  });
  queue.add_task([] { throw NotAnException{1}; });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(reports == std::vector<std::string>{"f4: small", "f4: large", "f4: coroutine", "f4: not a std::exception"});
  const auto worker = queue.yield_task([] { return std::this_thread::get_id(); }).get();
  REQUIRE(threads == std::vector<std::thread::id>(4, worker));
}

TEST_CASE("an error hook that throws does no harm", "[task_queue][exceptions][F4]") {
  TaskQueue queue(1, toto::Duration::never(), "f4");
  int called = 0;
  queue.on_error([&called](const std::exception_ptr& failure, const TaskInfo&) {
    ++called;
    if (called % 2 == 0) {
      throw NotAnException{called};
    }
    std::rethrow_exception(failure);
  });
  for (int i = 0; i < 10; ++i) {
    queue.add_task([] { throw std::runtime_error("small"); });
    queue.add_task([text = std::string("large")] { throw std::runtime_error(text); });
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(called == 20);
  REQUIRE(queue.stats().failed == 20);
  REQUIRE(queue.stats().threads_started == 1);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("an error hook may use the queue and replace itself", "[task_queue][exceptions][F4]") {
  TaskQueue queue;
  int first = 0;
  int second = 0;
  bool added_ran = false;
  queue.on_error([&](const std::exception_ptr&, const TaskInfo&) {
    queue.on_error([&second](const std::exception_ptr&, const TaskInfo&) { ++second; });
    ++first;  // this closure is still alive
    queue.add_task([&added_ran] { added_ran = true; });
    static_cast<void>(queue.stats());
  });
  queue.add_task([] { throw 1; });
  queue.add_task([] { throw 2; });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(first == 1);
  REQUIRE(second == 1);
  REQUIRE(added_ran);
}

TEST_CASE("an error hook is any callable, also one that can only be moved, and none takes it away",
          "[task_queue][exceptions][F4]") {
  TaskQueue queue;
  const auto fail = [&queue] {
    queue.add_task([] { throw std::runtime_error("unseen"); });
    queue.wait_idle();
  };
  auto counter = std::make_unique<int>(0);
  int& moved = *counter;
  queue.on_error([counter = std::move(counter)](std::exception_ptr, TaskInfo) mutable { return ++*counter; });
  fail();
  REQUIRE(moved == 1);

  queue.on_error(count_failure);
  fail();
  REQUIRE(counted_failures == 1);

  int stored = 0;
  const std::function<void(std::exception_ptr, const TaskInfo&)> function = [&stored](auto&&...) { ++stored; };
  for (const int way : {0, 1, 2, 3}) {
    CAPTURE(way);
    queue.on_error(function);
    fail();
    REQUIRE(stored == way + 1);
    const long owners = [&] {  // of what a hook has captured, after it was removed
      const auto captured = std::make_shared<int>();
      queue.on_error([captured](auto&&...) {});
      switch (way) {
        case 0:
          queue.on_error(nullptr);
          break;
        case 1:
          queue.on_error({});
          break;
        case 2:
          queue.on_error(std::function<void(std::exception_ptr, const TaskInfo&)>());
          break;
        default:
          queue.on_error(static_cast<void (*)(std::exception_ptr, const TaskInfo&)>(nullptr));
          break;
      }
      return captured.use_count();
    }();
    REQUIRE(owners == 1);
    fail();  // a line on stderr
    REQUIRE(stored == way + 1);
  }
}

TEST_CASE("what on_error is told does not depend on how the task is stored", "[task_queue][exceptions][F4]") {
  // The same exceptions from a closure that fits into the queue, from one that does not, and from a coroutine.
  TaskQueue queue;
  std::vector<std::string> reports;
  queue.on_error([&](const std::exception_ptr& failure, const TaskInfo&) { reports.push_back(message_of(failure)); });
  const auto expect_same = [&](auto fail) {
    std::vector<std::vector<std::string>> told;
    const auto collect = [&] {
      queue.wait_idle();
      told.push_back(std::exchange(reports, {}));
    };
    queue.add_task([fail] { fail(); });
    collect();
    queue.add_task([fail, not_trivial = std::string("x")] { fail(); });
    collect();
    queue.add_task([fail]() -> toto::Task<> {
      fail();
      co_return;
    });
    collect();
    REQUIRE(told[0] == told[1]);
    REQUIRE(told[0] == told[2]);
    return told[0];
  };
  REQUIRE(expect_same([] { throw std::runtime_error("a"); }) == std::vector<std::string>{"a"});
  expect_same([] { throw toto::TaskCancelled("b"); });
  expect_same([] { throw toto::QueueClosed("c"); });
  expect_same([] { throw toto::TimedOut("d"); });
  REQUIRE(expect_same([] { throw toto::QueueFull("e"); }) == std::vector<std::string>{"e"});
}

TEST_CASE("the failure of a dropped handle goes to on_error", "[task_queue][exceptions][F4]") {
  Gate gate;
  TaskQueue queue;
  std::vector<std::thread::id> threads;
  queue.on_error([&](const std::exception_ptr&, const TaskInfo&) { threads.push_back(std::this_thread::get_id()); });
  const auto worker = queue.yield_task([] { return std::this_thread::get_id(); }).get();
  SECTION("on the worker if it was dropped before the end") {
    queue.add_task([&gate] { gate.wait(); });
    queue.yield_task([] { throw 1; }).detach();
    gate.open();
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(threads == std::vector<std::thread::id>{worker});
  }
  SECTION("in the thread that drops it otherwise") {
    {
      auto handle = queue.yield_task([] { throw 1; });
      REQUIRE(queue.wait_idle_for(kPatience));
      REQUIRE(threads.empty());
    }
    REQUIRE(threads == std::vector<std::thread::id>{std::this_thread::get_id()});
  }
  SECTION("but not if somebody has seen it") {
    REQUIRE_THROWS_AS(queue.yield_task([] { throw 1; }).get(), int);
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(threads.empty());
  }
}

namespace {

enum class Kind { ok, error, number, object, nothing_known };

void do_as_told(Kind kind) {
  switch (kind) {
    case Kind::ok:
      return;
    case Kind::error:
      throw std::runtime_error("error");
    case Kind::number:
      throw 17;
    case Kind::object:
      throw NotAnException{17};
    case Kind::nothing_known:
      throw std::make_unique<Kind>(kind);
  }
}

}  // namespace

TEST_CASE("counts agree for every mixture of failing tasks and failing hooks", "[task_queue][exceptions][F5]") {
  const Kind kinds[] = {Kind::ok, Kind::error, Kind::number, Kind::object, Kind::nothing_known};
  for (const Kind task : kinds) {
    for (const Kind hook : kinds) {
      CAPTURE(static_cast<int>(task), static_cast<int>(hook));
      std::atomic<unsigned> ran{0};
      std::atomic<unsigned> reported{0};
      TaskQueue queue(2, toto::Duration::never());
      queue.on_error([&](const std::exception_ptr&, const TaskInfo&) {
        ++reported;
        do_as_told(hook);
      });
      for (int i = 0; i < 10; ++i) {
        queue.add_task([&ran, task] {
          ++ran;
          do_as_told(task);
        });
        queue.add_task([&ran, task, text = std::string("not trivial")] {
          ++ran;
          do_as_told(task);
        });
        queue.add_task([&ran, task]() -> toto::Task<> {
          ++ran;
          do_as_told(task);
          co_return;
        });
        queue
            .yield_task([&ran, task] {
              ++ran;
              do_as_told(task);
            })
            .detach();
      }
      REQUIRE(queue.wait_idle_for(kPatience));
      const unsigned failed = task == Kind::ok ? 0 : 40;
      REQUIRE(ran == 40);
      const toto::QueueStats stats = queue.stats();
      REQUIRE(stats.submitted == 40);
      REQUIRE(stats.failed == failed);
      REQUIRE(stats.completed == 40 - failed);
      REQUIRE(stats.cancelled + stats.queued + stats.running + stats.suspended == 0);
      REQUIRE(queue.size() == stats.threads);
      // A handle dropped late reports in this thread, but does report.
      REQUIRE(reported == failed);
    }
  }
}

TEST_CASE("taking a failure twice is refused in words", "[task_queue][exceptions][F6]") {
  TaskQueue queue;
  SECTION("by get") {
    auto handle = queue.yield_task([]() -> int { throw std::runtime_error("once"); });
    REQUIRE_THROWS_WITH(handle.get(), "once");
    REQUIRE_FALSE(handle.valid());
    REQUIRE_THROWS_AS(handle.get(), toto::NoState);
    REQUIRE_THROWS_WITH(handle.get(), contains("taken"));
    REQUIRE_THROWS_AS(handle.wait(), toto::NoState);
  }
  SECTION("by co_await") {
    auto handle = queue.yield_task([]() -> int { throw std::runtime_error("once"); });
    std::vector<std::string> caught;
    const auto take = [&handle, &caught]() -> toto::Task<> {
      for (int i = 0; i < 2; ++i) {
        try {
          co_await handle;
        } catch (const toto::NoState&) {
          caught.push_back("NoState");
        } catch (const std::runtime_error& error) {
          caught.push_back(error.what());
        }
      }
    };
    toto::sync_wait(take());
    REQUIRE(caught == std::vector<std::string>{"once", "NoState"});
  }
}

// Elsewhere, and with LLVM's unwinder, which libc++ brings along, pthread_exit() cannot unwind C++ frames at all.
#if defined(__linux__) && defined(__GLIBCXX__)

TEST_CASE("a forced unwinding passes through a task without losing others", "[task_queue][exceptions][F7]") {
  Lifetimes captured;
  Lifetimes on_stack;
  {
    Gate gate;
    TaskQueue queue(1, toto::Duration::never(), "f7");
    int reported = 0;
    queue.on_error([&reported](const std::exception_ptr&, const TaskInfo&) { ++reported; });
    std::vector<int> order;
    queue.add_task([&gate] { gate.wait(); });
    toto::TaskHandle<int> handle;
    SECTION("of a task with a handle") {
      handle = queue.yield_task([&on_stack, c = Counted(captured)]() -> int {
        const Counted on_this_stack(on_stack);
        pthread_exit(nullptr);
      });
    }
    SECTION("of a coroutine task before it has suspended") {
      handle = queue.yield_task([&on_stack, c = Counted(captured)]() -> toto::Task<int> {
        const Counted on_this_stack(on_stack);
        pthread_exit(nullptr);
        co_return 1;
      });
    }
    SECTION("of a task that fits into the queue") {
      queue.add_task([&on_stack] {
        const Counted on_this_stack(on_stack);
        pthread_exit(nullptr);
      });
    }
    SECTION("of a task with captures that need destroying") {
      queue.add_task([&on_stack, c = Counted(captured)] {
        const Counted on_this_stack(on_stack);
        pthread_exit(nullptr);
      });
    }
    for (int i = 0; i < 5; ++i) {
      queue.add_task([&order, i] { order.push_back(i); });
    }
    gate.open();
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(order == std::vector<int>{0, 1, 2, 3, 4});
    REQUIRE(on_stack.made == 1);
    REQUIRE(on_stack.alive() == 0);
    REQUIRE(captured.alive() == 0);
    REQUIRE(reported == 0);
    if (handle.valid()) {
      try {
        handle.get();
        FAIL("there is no result");
      } catch (const toto::TaskCancelled& cancelled) {  // it did run: its text must not say otherwise
        REQUIRE_THAT(std::string(cancelled.what()),
                     contains("a task on queue 'f7' has no result: its thread was ended while it ran"));
      }
    }
    const toto::QueueStats stats = queue.stats();
    REQUIRE(stats.submitted ==
            stats.completed + stats.failed + stats.cancelled + stats.queued + stats.running + stats.suspended);
    REQUIRE(stats.completed == 6);
    REQUIRE(stats.threads == 1);
    REQUIRE(eventually([&] { return queue.stats().threads_started == 2; }));  // counted by the thread that starts it
    REQUIRE(queue.size() == 1);
    REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  }
}

TEST_CASE("a forced unwinding of the only worker with nothing queued leaves a queue that works",
          "[task_queue][exceptions][F7]") {
  TaskQueue queue(1, toto::Duration::never(), "f7");
  for (int i = 0; i < 20; ++i) {
    queue.add_task([] { pthread_exit(nullptr); });
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(eventually([&] { return queue.size() == 0; }));
    REQUIRE(queue.yield_task([i] { return i; }).get() == i);
  }
}

TEST_CASE("a forced unwinding loses nothing of what the task has added to its own queue before",
          "[task_queue][exceptions][F7][A7]") {
  Lifetimes captured;
  TaskQueue queue(1, toto::Duration::never(), "f7");
  std::vector<int> order;
  toto::TaskHandle<void> unwound;
  queue.add_task([&] {
    queue.add_task([&order, c = Counted(captured)] { order.push_back(1); });
    queue.add_task([&order, c = Counted(captured)] { order.push_back(2); });
    pthread_exit(nullptr);
  });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(order == std::vector<int>{1, 2});
  queue.add_task([&] {
    unwound = queue.yield_task([c = Counted(captured)] { pthread_exit(nullptr); });
    queue.add_task([&order, c = Counted(captured)] { order.push_back(3); });
  });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(order == std::vector<int>{1, 2, 3});
  REQUIRE(captured.alive() == 0);
  REQUIRE_THROWS_AS(unwound.get(), toto::TaskCancelled);
  const toto::QueueStats stats = queue.stats();
  REQUIRE(stats.submitted == 6);
  REQUIRE(stats.completed == 4);
  REQUIRE(stats.failed == 2);
}

#endif

namespace {

class CountedError : public std::exception {
 public:
  explicit CountedError(Lifetimes& lifetimes) : counted_(lifetimes) {}
  const char* what() const noexcept override { return "counted"; }

 private:
  Counted counted_;
};

}  // namespace

TEST_CASE("an exception object is released on one side without a race", "[task_queue][exceptions][F8]") {
  TaskQueue queue;
  Lifetimes lifetimes;
  for (int i = 0; i < 300; ++i) {
    auto handle = queue.yield_task([&lifetimes] { throw CountedError(lifetimes); });
    if (i % 2 == 0) {
      queue.wait_idle();
    }
    try {
      handle.get();
      FAIL("no exception");
    } catch (const CountedError& error) {
      REQUIRE(error.what() == std::string("counted"));
      REQUIRE(lifetimes.alive() == 1);
    }
    REQUIRE(lifetimes.alive() == 0);  // the worker has kept nothing
    REQUIRE(lifetimes.last_destroyed_on == std::this_thread::get_id());
  }
  ignore_errors(queue);
  queue.add_task([&lifetimes] { throw CountedError(lifetimes); });
  const auto worker = queue.yield_task([] { return std::this_thread::get_id(); }).get();
  REQUIRE(lifetimes.alive() == 0);
  REQUIRE(lifetimes.last_destroyed_on == worker);
}

namespace {

struct CannotBeCopied : std::runtime_error {
  explicit CannotBeCopied(const std::string& text) : std::runtime_error(text) {}
  CannotBeCopied(const CannotBeCopied& other) : std::runtime_error(other) {
    throw std::logic_error("copied an exception");
  }
};

}  // namespace

TEST_CASE("an exception that cannot be copied without throwing is passed on", "[task_queue][exceptions][F10]") {
  TaskQueue queue;
  REQUIRE_THROWS_MATCHES(queue.yield_task([] { throw CannotBeCopied("as it was"); }).get(), CannotBeCopied,
                         has_message("as it was"));
  auto coroutine = queue.yield_task([]() -> toto::Task<> {
    throw CannotBeCopied("in a coroutine");
    co_return;
  });
  REQUIRE_THROWS_MATCHES(toto::sync_wait(std::move(coroutine)), CannotBeCopied, has_message("in a coroutine"));
  std::string reported;
  queue.on_error([&reported](const std::exception_ptr& failure, const TaskInfo&) { reported = message_of(failure); });
  queue.add_task([] { throw CannotBeCopied("reported"); });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(reported == "reported");
}
