// SPDX-License-Identifier: MIT
//
// The seed's own test cases (Python's toto.tasks on Tornado), on an EventLoop: the same steps, the same results.

#include <toto/tasks.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"

using namespace std::chrono_literals;
using toto::EventLoop;
using toto::InstancePool;
using toto::Task;
using toto::TaskHandle;
using toto::TaskQueue;
using toto_tests::kPatience;

namespace {

/// The class of the seed's tests.
class Counter {
 public:
  int increment() { return ++value_; }
  int value() const { return value_; }

 private:
  int value_ = 0;
};

}  // namespace

TEST_CASE("seed: add_task runs tasks in the order 1 2 3", "[seed][A1]") {
  EventLoop loop;
  TaskQueue queue;
  std::vector<int> values;
  loop.spawn([](TaskQueue& q, std::vector<int>& seen) -> Task<> {
    q.add_task([&seen] { seen.push_back(1); });
    q.add_task([&seen] { seen.push_back(2); });
    q.add_task([&seen](int three) { seen.push_back(three); }, 3);
    while (toto::len(q) > 1) {  // the thread that idles is counted
      co_await toto::sleep_for(1ms);
    }
    co_await q.yield_task([] {});
  }(queue, values));
  loop.run();
  REQUIRE(values == std::vector<int>{1, 2, 3});
}

TEST_CASE("seed: yield_task of three gathered gives 1 2 3", "[seed][I2]") {
  EventLoop loop;
  TaskQueue queue;
  const auto gather = [&queue]() -> Task<std::vector<int>> {
    std::vector<TaskHandle<int>> handles;
    handles.push_back(queue.yield_task([] { return 1; }));
    handles.push_back(queue.yield_task([] { return 2; }));
    handles.push_back(queue.yield_task([](int three) { return three; }, 3));
    co_return co_await toto::when_all(handles);
  };
  REQUIRE(loop.run_sync(gather()) == std::vector<int>{1, 2, 3});
}

TEST_CASE("seed: add_task goes on after exceptions", "[seed][F1]") {
  EventLoop loop;
  TaskQueue queue;
  std::vector<int> values;
  std::vector<std::string> errors;
  queue.on_error([&errors](const std::exception_ptr& failure, const toto::TaskInfo&) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      errors.push_back(error.what());
    }
  });
  const auto caller = [&]() -> Task<> {
    const auto task = [&values](int value) {
      values.push_back(value);
      throw std::runtime_error("failure " + std::to_string(value));
    };
    queue.add_task(task, 1);
    queue.add_task(task, 2);
    queue.add_task(task, 3);
    co_await queue.yield_task([] {});
  };
  loop.run_sync(caller());
  REQUIRE(values == std::vector<int>{1, 2, 3});
  REQUIRE(errors == std::vector<std::string>{"failure 1", "failure 2", "failure 3"});
}

TEST_CASE("seed: yield_task raises the task's exception in the caller", "[seed][F2]") {
  EventLoop loop;
  TaskQueue queue;
  std::vector<std::string> errors;
  const auto caller = [&]() -> Task<> {
    const auto task = [](int value) -> int { throw std::runtime_error("failure " + std::to_string(value)); };
    for (int i = 1; i <= 3; ++i) {
      try {
        co_await queue.yield_task(task, i);
      } catch (const std::runtime_error& error) {
        errors.push_back(error.what());
      }
    }
    // Gathered: throws the first failure, after all have ended.
    try {
      co_await toto::when_all(queue.yield_task([] { return 1; }), queue.yield_task(task, 5), queue.yield_task(task, 6));
    } catch (const std::runtime_error& error) {
      errors.push_back(error.what());
    }
  };
  loop.run_sync(caller());
  REQUIRE(errors == std::vector<std::string>{"failure 1", "failure 2", "failure 3", "failure 5"});
}

TEST_CASE("seed: a queue made by name is the same everywhere", "[seed][W1]") {
  const auto add = [](int a, int b) { return a + b; };
  const auto caller = [&]() -> Task<int> {
    co_return co_await TaskQueue::instance("seed-myqueue").yield_task(add, 1, 2);
  };
  EventLoop loop;
  REQUIRE(loop.run_sync(caller()) == 3);
  REQUIRE(&TaskQueue::instance("seed-myqueue") == TaskQueue::find("seed-myqueue"));
}

TEST_CASE("seed: threads end after the idle timeout and the queue starts again", "[seed][B2]") {
  TaskQueue queue(2, 5ms);
  EventLoop loop;
  for (int i = 0; i < 3; ++i) {
    const auto caller = [&]() -> Task<int> { co_return co_await queue.yield_task([i] { return i; }); };
    REQUIRE(loop.run_sync(caller()) == i);
    REQUIRE(toto_tests::eventually([&] { return toto::len(queue) == 0; }));
  }
}

TEST_CASE("seed: increments through an AwaitableInstance give 2 3 4, and the value is 4 then", "[seed][P1]") {
  EventLoop loop;
  Counter counter;
  counter.increment();
  const toto::AwaitableInstance awaitable(counter, "seed-instance");
  const auto caller = [&]() -> Task<std::vector<int>> {
    std::vector<int> values;
    for (int i = 0; i < 3; ++i) {
      values.push_back(co_await awaitable(&Counter::increment));
    }
    values.push_back(co_await awaitable(&Counter::value));
    co_return values;
  };
  REQUIRE(loop.run_sync(caller()) == std::vector<int>{2, 3, 4, 4});
}

TEST_CASE("seed: a pool of two gives 1 1, then 2 2, then 3 3, then 4 4, in whichever way it is asked",
          "[seed][Q1][Q16]") {
  EventLoop loop;
  Counter first;
  Counter second;
  InstancePool pool({&first, &second}, {.default_queue = "seed-pool"});
  const auto caller = [&]() -> Task<std::vector<int>> {
    const auto increment = [](Counter& counter) { return counter.increment(); };
    std::vector<int> values;
    for (int i = 0; i < 2; ++i) {
      values.push_back(pool(&Counter::increment));
    }
    for (int i = 0; i < 2; ++i) {
      values.push_back(pool.transaction(increment));
    }
    for (int i = 0; i < 2; ++i) {
      values.push_back(co_await pool.await_transaction(increment));
    }
    for (int i = 0; i < 2; ++i) {
      values.push_back(co_await pool.await()(&Counter::increment));
    }
    co_return values;
  };
  REQUIRE(loop.run_sync(caller()) == std::vector<int>{1, 1, 2, 2, 3, 3, 4, 4});
  REQUIRE(first.value() == 4);
  REQUIRE(second.value() == 4);
}

TEST_CASE("seed: a with-block calls several methods of one instance and gives it back", "[seed][Q1]") {
  EventLoop loop;
  Counter first;
  Counter second;
  InstancePool pool({&first, &second});
  const auto caller = [&]() -> Task<> {
    std::vector<int> values;
    for (int i = 0; i < 8; ++i) {
      values.push_back(pool(&Counter::increment));
    }
    REQUIRE(values == std::vector<int>{1, 1, 2, 2, 3, 3, 4, 4});
    {
      const auto instance = pool.instance();
      REQUIRE(instance->increment() == 5);
      REQUIRE(instance->increment() == 6);
      REQUIRE(instance->value() == 6);
    }
    {
      const auto instance = co_await pool.lease();  // in turn: the other one
      REQUIRE(instance->increment() == 5);
    }
    REQUIRE(pool(&Counter::increment) == 7);
    REQUIRE(pool(&Counter::increment) == 6);
  };
  loop.run_sync(caller());
  REQUIRE(first.value() == 7);
  REQUIRE(second.value() == 6);
}
