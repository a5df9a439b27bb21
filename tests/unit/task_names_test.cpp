// SPDX-License-Identifier: MIT
//
// Names of tasks: which task has failed, or waits, in error handlers, dumps and events.

#include <toto/tasks.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/record.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::TaskInfo;
using toto::TaskQueue;

namespace {

struct Failing {
  void operator()() const { throw std::runtime_error("on purpose"); }
};

/// Notes what an error handler learns, as text.
auto note_in(Record<std::string>& reports) {
  return [&reports](const std::exception_ptr&, const TaskInfo& task) {
    reports.add(std::string(task.queue) + '|' + std::string(task.name) + '|' + std::to_string(task.worker) + '|' +
                (task.number != 0 ? "numbered" : ""));
  };
}

struct Events final : toto::QueueObserver {
  std::vector<std::string> started;
  void task_started(const toto::TaskEvent& event) noexcept override { started.emplace_back(event.what); }
};

}  // namespace

TEST_CASE("an error handler learns the task's name or type, its number and its worker", "[task_names][F12]") {
  Record<std::string> reports;
  TaskQueue queue("db");
  queue.on_error(note_in(reports));
  const auto last = [&] {
    queue.wait_idle();
    return reports.values().empty() ? std::string() : reports.values().back();
  };
  queue.add_task(Failing());  // plain bytes
  CHECK_THAT(last(), contains("db|") && contains("Failing|1|"));
  queue.yield_task(Failing()).detach();
  CHECK_THAT(last(), contains("Failing|"));  // on the worker, or here, if it has ended before
  queue.add_task([text = std::string(100, 'x')](int) { throw std::runtime_error(text); }, 1);
  CHECK_THAT(last(), contains("lambda"));
  queue.with({.name = "nightly"}).add_task(Failing());
  CHECK_THAT(last(), contains("db|nightly|") && contains("|numbered"));
  queue.with({.priority = 1, .name = "urgent"}).add_task([]() -> toto::Task<> {
    co_await toto::sleep_for(0s);
    throw 1;
  });
  CHECK_THAT(last(), contains("db|urgent|") && contains("|numbered"));
  CHECK(reports.values().size() == 5);
}

TEST_CASE("an error handler learns the type of a callable of plain bytes, whatever the queue's options",
          "[task_names][F12]") {
  Record<std::string> reports;
  for (const bool tracked : {false, true}) {
    TaskQueue queue("aged", {.ageing = 1h, .track_tasks = tracked});
    queue.on_error(note_in(reports));
    queue.add_task(Failing());
    queue.wait_idle();
    CHECK_THAT(reports.values().back(), contains("Failing|1|"));
  }
}

TEST_CASE("an error handler learns the type of a transaction's callable, whatever the queue's options",
          "[task_names][F12]") {
  Record<std::string> reports;
  for (const bool tracked : {false, true}) {
    toto::InstancePool<int> pool(std::vector<int>{1});
    TaskQueue queue("transactions", {.track_tasks = tracked});
    queue.on_error(note_in(reports));
    pool.async_transaction([](int&) { throw 1; }, queue);
    queue.wait_idle();
    CHECK_THAT(reports.values().back(), contains("lambda") && !contains("TransactionCall"));
  }
}

TEST_CASE("dumps and observers call a task by its name", "[task_names][F12]") {
  Events events;
  Gate begun;
  Gate release;
  {
    TaskQueue queue("named", {.observer = &events, .track_tasks = true});
    queue.with({.name = "nightly"}).add_task([&] {
      begun.open();
      release.wait();
    });
    REQUIRE(begun.wait());
    CHECK(queue.dump().find("task nightly running on worker 1") != std::string::npos);
    release.open();
  }
  CHECK(events.started == std::vector<std::string>{"nightly"});
}
