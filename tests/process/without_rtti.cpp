// SPDX-License-Identifier: MIT
//
// covers: [R8]
// flags: -fno-rtti
//
// A program compiled without run-time type information: everything works, exceptions and error hooks included.

#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "support/expect.hpp"

using namespace toto_tests;

#if defined(__cpp_rtti)
#define TOTO_TESTS_HAS_RTTI 1  // a compiler that does not know the flag
#else
#define TOTO_TESTS_HAS_RTTI 0
#endif

namespace {

struct Counter {
  int value = 0;
  int increment() { return ++value; }
  toto::Task<int> increment_twice() {
    increment();
    co_return increment();
  }
};

toto::Task<int> everything(toto::TaskQueue& queue) {
  const int first = co_await queue.yield_task([] { return 1; });
  auto second = queue.yield_task([](int value) { return value; }, 2);
  auto third = queue.yield_task([](int value) { return value; }, 3);
  const auto [two, three] = co_await toto::when_all(std::move(second), std::move(third));
  co_await queue.schedule();
  co_return first + two + three;
}

}  // namespace

int main() {
  std::printf("with%s run-time type information\n", TOTO_TESTS_HAS_RTTI == 1 ? "" : "out");
  std::string reported;
  toto::TaskQueue queue(2, toto::Duration(std::chrono::seconds(1)), "no-rtti");
  queue.on_error([&](const std::exception_ptr& failure, const toto::TaskInfo&) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      reported = error.what();
    }
  });
  queue.add_task([] { throw std::runtime_error("on purpose"); });
  queue.wait_idle();
  expect(reported == "on purpose", "an error hook is told of an exception");

  bool caught = false;
  auto failing = queue.yield_task([]() -> int { throw std::out_of_range("too far"); });
  try {
    failing.get();
  } catch (const std::out_of_range&) {
    caught = true;
  }
  expect(caught, "an exception keeps its type on the way through a handle");
  expect(toto::sync_wait(everything(queue)) == 6, "coroutines, when_all and schedule work");

  const toto::AwaitableInstance counter(Counter{}, queue);
  expect(counter(&Counter::increment).get() == 1 && counter(&Counter::increment_twice).get() == 3,
         "an AwaitableInstance works");
  toto::InstancePool pool(std::vector<Counter>(2));
  expect(pool(&Counter::increment) == 1 && pool.await_transaction(&Counter::increment, queue).get() == 1,
         "an InstancePool works");

  queue.close();
  caught = false;
  try {
    queue.add_task([] {});
  } catch (const toto::QueueClosed&) {
    caught = true;
  }
  expect(caught, "a closed queue says so");
  return failures == 0 ? 0 : 1;
}
