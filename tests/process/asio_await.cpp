// SPDX-License-Identifier: MIT
//
// async_get of Tasks and of other awaitables, with Asio.

#include <asio.hpp>

#include <toto/asio.hpp>
#include <toto/tasks.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

using namespace std::chrono_literals;
using toto::TaskQueue;

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::printf("FAILED: %s\n", what);
    ++failures;
  }
}

toto::Task<int> twice(TaskQueue& queue, int value) {
  const auto thread = std::this_thread::get_id();
  const int result = co_await queue.yield_task([value] { return 2 * value; });
  co_await queue.schedule();
  co_await toto::sleep_for(1ms);
  const bool away = TaskQueue::current() == &queue;
  auto handle = queue.yield_task([] {});
  co_await handle;
  expect(away && std::this_thread::get_id() != thread, "it has moved to the queue");
  co_return result;
}
toto::Task<int> on_asio(TaskQueue& queue, std::thread::id thread) {
  expect(std::this_thread::get_id() == thread, "it begins on Asio's thread");
  const int result = co_await queue.yield_task([] { return 5; });
  co_await toto::sleep_for(1ms);
  expect(std::this_thread::get_id() == thread, "it comes back to it");
  co_return result;
}
toto::Task<> fail() {
  co_await toto::sleep_for(1ms);
  throw std::runtime_error("on purpose");
}
toto::Task<> wait_for_long(std::shared_ptr<int> alive) {
  co_await toto::sleep_for(1h);
  ++*alive;
}

asio::awaitable<void> session(TaskQueue& queue, bool& done) {
  expect(co_await toto::async_get(twice(queue, 4), asio::use_awaitable) == 8, "the result of a Task");
  expect(co_await toto::async_get(on_asio(queue, std::this_thread::get_id()), asio::use_awaitable) == 5,
         "and of another");
  co_await toto::async_get(toto::sleep_for(1ms), asio::use_awaitable);
  auto all = toto::when_all(queue.yield_task([] { return 1; }), queue.yield_task([] { return 2; }));
  const auto [one, two] = co_await toto::async_get(std::move(all), asio::use_awaitable);
  expect(one == 1 && two == 2, "what when_all gives");
  bool failed = false;
  try {
    co_await toto::async_get(fail(), asio::use_awaitable);
  } catch (const std::runtime_error&) {
    failed = true;
  }
  expect(failed, "what a Task throws");
  done = true;
}

}  // namespace

int main() {
  TaskQueue queue("asio", {.thread_count = 2});
  {
    asio::io_context io;
    bool done = false;
    asio::co_spawn(io, session(queue, done), asio::detached);
    io.run();
    expect(done, "the wait is outstanding work");
    try {
      toto::async_get(toto::Task<>(), asio::bind_executor(io, [](std::exception_ptr) {}));
      expect(false, "an empty Task is refused");
    } catch (const toto::NoState&) {
    }
  }
  {  // a slot
    asio::io_context io;
    asio::cancellation_signal signal;
    const auto alive = std::make_shared<int>(0);
    std::exception_ptr failure;
    toto::async_get(wait_for_long(alive),
                    asio::bind_cancellation_slot(
                        signal.slot(), asio::bind_executor(io, [&](std::exception_ptr thrown) { failure = thrown; })));
    asio::steady_timer timer(io, 1ms);
    timer.async_wait([&](auto) { signal.emit(asio::cancellation_type::terminal); });
    io.run();
    expect(alive.use_count() == 1, "the coroutine is destroyed");
    try {
      std::rethrow_exception(failure);
    } catch (const toto::TaskCancelled&) {
    } catch (...) {
      expect(false, "the handler gets TaskCancelled");
    }
  }
  for (int round = 0; round < 60; ++round) {  // a context that ends while a coroutine waits, is away, or comes home
    std::optional<asio::io_context> io(std::in_place);
    const auto alive = std::make_shared<int>(0);
    const auto roam = [](TaskQueue& target, std::shared_ptr<int>) -> toto::Task<> {
      const auto home = toto::current_executor();
      for (int i = 0; i < 100; ++i) {
        co_await target.schedule();
        co_await toto::resume_on(home);
      }
    };
    toto::async_get(wait_for_long(alive), asio::bind_executor(*io, [alive](std::exception_ptr) { ++*alive; }));
    toto::async_get(roam(queue, alive), asio::bind_executor(*io, [alive](std::exception_ptr) {}));
    for (int i = 0; i < round; ++i) {
      io->poll_one();
      std::this_thread::yield();
    }
    io.reset();
    queue.wait_idle();
    for (int i = 0; i < 10'000 && alive.use_count() != 1; ++i) {
      std::this_thread::sleep_for(1ms);
    }
    expect(alive.use_count() == 1 && *alive == 0, "nothing is left of a context that was destroyed");
  }
  return failures;
}
