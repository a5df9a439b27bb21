// SPDX-License-Identifier: MIT
//
// when_all awaits several tasks at once: a range of one type, or arguments of several types. It waits for all of
// them even if one fails, and then throws the first failure, so that nothing keeps running behind your back.

#include <exception>
#include <stdexcept>
#include <string>
#include <toto/tasks.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "expect.hpp"

int square(int number) {
  return number * number;
}

std::string greet(std::string name) {
  return "hello " + std::move(name);
}

int refuse(int number) {
  throw std::runtime_error("refused " + std::to_string(number));
}

toto::Task<int> twice(toto::TaskQueue& queue, int number) {
  co_return 2 * co_await queue.yield_task(square, number);
}

std::string message_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& exception) {
    return exception.what();
  }
}

toto::Task<> caller(toto::TaskQueue& queue) {
  std::vector<toto::TaskHandle<int>> handles;
  for (int i = 0; i < 5; ++i) {
    handles.push_back(queue.yield_task(square, i));
  }
  const std::vector<int> squares = co_await toto::when_all(std::move(handles));
  expect(squares == std::vector{0, 1, 4, 9, 16}, "a range gives a vector, in the order of the range");

  const auto [number, greeting] =
      co_await toto::when_all(queue.yield_task(square, 3), queue.yield_task(greet, "world"));
  expect(number == 9 && greeting == "hello world", "arguments give a tuple");

  // Tasks, too: they are started together.
  const auto [six, eight] = co_await toto::when_all(twice(queue, 3), twice(queue, 4));
  expect(six == 18 && eight == 32, "coroutines and handles alike");

  std::string seen;
  try {
    co_await toto::when_all(queue.yield_task(square, 1), queue.yield_task(refuse, 2), queue.yield_task(refuse, 3));
  } catch (const std::runtime_error& error) {
    seen = error.what();
  }
  expect(seen == "refused 2", "the first failure in argument order is thrown");
}

int main() {
  std::string unseen;
  toto::TaskQueue queue({.thread_count = 4});
  queue.on_error([&](const std::exception_ptr& failure, const toto::TaskInfo&) { unseen = message_of(failure); });
  toto::sync_wait(caller(queue));
  queue.wait_idle();  // a worker may still be reporting
  expect(unseen == "refused 3", "any other one, which no one can observe, goes to on_error");
}
