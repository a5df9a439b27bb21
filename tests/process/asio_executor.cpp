// SPDX-License-Identifier: MIT
//
// A queue as an executor of Asio: post, bind_executor, co_spawn, timers; and a queue that has closed.

#include <asio.hpp>

#include <toto/asio.hpp>
#include <toto/tasks.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

using namespace std::chrono_literals;
using toto::AsioExecutor;
using toto::TaskQueue;

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (!holds) {
    std::printf("FAILED: %s\n", what);
    ++failures;
  }
}

asio::awaitable<std::string> session(TaskQueue& here, TaskQueue& database) {
  std::string log(TaskQueue::current() == &here ? "here " : "elsewhere ");
  log += std::to_string(co_await toto::async_get(database.yield_task([] { return 7; }), asio::use_awaitable));
  log += TaskQueue::current() == &here ? " here" : " elsewhere";
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  log += TaskQueue::current() == &here ? " here" : " elsewhere";
  co_return log;
}

}  // namespace

int main() {
  TaskQueue queue("asio", {.thread_count = 2, .max_queued = 1});
  TaskQueue database("database");
  const AsioExecutor executor(queue);

  std::promise<TaskQueue*> posted;
  asio::post(executor, [&posted, owned = std::make_unique<int>(1)] { posted.set_value(TaskQueue::current()); });
  expect(posted.get_future().get() == &queue, "post runs on the queue");

  const asio::any_io_executor any = executor;
  expect(any == asio::any_io_executor(AsioExecutor(queue)), "executors of one queue are equal");
  std::promise<TaskQueue*> bound;
  toto::async_get(database.yield_task([] { return 1; }), asio::bind_executor(executor, [&](std::exception_ptr, int) {
                    bound.set_value(TaskQueue::current());
                  }));
  expect(bound.get_future().get() == &queue, "a handler that is bound to the queue runs there");

  expect(asio::co_spawn(executor, session(queue, database), asio::use_future).get() == "here 7 here here",
         "a coroutine of Asio lives on the queue");

  std::promise<std::string> failed;
  queue.on_error([&](const std::exception_ptr& failure, const toto::TaskInfo& task) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      failed.set_value(std::string(task.queue) + ": " + error.what());
    }
  });
  asio::post(executor, [] { throw std::runtime_error("on purpose"); });
  expect(failed.get_future().get() == "asio: on purpose", "what is thrown goes to on_error");

  queue.close();
  try {
    asio::post(executor, [] {});
    expect(false, "a closed queue refuses");
  } catch (const toto::QueueClosed&) {
  }
  return failures;
}
