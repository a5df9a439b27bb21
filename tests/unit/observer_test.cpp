// SPDX-License-Identifier: MIT
//
// QueueObserver: every event of each task and thread, once and in order.

#include <toto/tasks.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/record.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;
using toto::TaskEnd;
using toto::TaskEvent;
using toto::TaskQueue;

namespace {

struct Seen {
  std::string what;
  std::uint64_t task = 0;
  std::size_t thread = 0;
  std::string callable;
  std::string queue;
  std::thread::id where;
};

class Witness final : public toto::QueueObserver {
 public:
  void task_queued(const TaskEvent& event) noexcept override { add("queued", event); }
  void task_started(const TaskEvent& event) noexcept override { add("started", event); }
  void task_suspended(const TaskEvent& event) noexcept override { add("suspended", event); }
  void task_finished(const TaskEvent& event, TaskEnd end) noexcept override {
    add(end == TaskEnd::completed ? "completed" : end == TaskEnd::failed ? "failed" : "cancelled", event);
  }
  void awaiter_resumed(const TaskEvent& event) noexcept override { add("resumed", event); }
  void thread_started(std::string_view queue, std::size_t number) noexcept override {
    add("thread started", {queue, 0, {}, number});
  }
  void thread_ended(std::string_view queue, std::size_t number) noexcept override {
    add("thread ended", {queue, 0, {}, number});
  }

  std::vector<Seen> all() const { return seen_.values(); }

  /// What happened to each task, in the order of their numbers; threads are task 0.
  std::map<std::uint64_t, std::vector<std::string>> tasks() const {
    std::map<std::uint64_t, std::vector<std::string>> tasks;
    for (const Seen& seen : all()) {
      tasks[seen.task].push_back(seen.what);
    }
    tasks.erase(0);
    return tasks;
  }
  /// The same of the only task.
  std::vector<std::string> task() const {
    const auto all = tasks();
    return all.size() == 1 ? all.begin()->second : std::vector<std::string>{std::to_string(all.size()) + " tasks"};
  }
  std::ptrdiff_t count(const std::string& what) const {
    const auto seen = all();
    return std::count_if(seen.begin(), seen.end(), [&](const Seen& one) { return one.what == what; });
  }

 private:
  void add(const char* what, const TaskEvent& event) {
    seen_.add({what, event.task, event.thread, std::string(event.what), std::string(event.queue),
               std::this_thread::get_id()});
  }

  Record<Seen> seen_;
};

using Texts = std::vector<std::string>;

struct Twice {
  int operator()(int number) const { return 2 * number; }
};

/// Runs `body(queue)` with an observed queue of one thread, and waits for its end.
template <class Body>
void with_queue(Witness& witness, Body body) {
  TaskQueue queue({.name = "seen", .observer = &witness});
  queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
  body(queue);
}

}  // namespace

TEST_CASE("an observer sees a task queued, started, finished and its awaiter resumed, once each", "[observer]") {
  Witness witness;
  const auto await = [](TaskQueue& queue) -> toto::Task<int> { co_return co_await queue.yield_task(Twice(), 21); };
  with_queue(witness, [&](TaskQueue& queue) { REQUIRE(toto::sync_wait(await(queue)) == 42); });

  const auto seen = witness.all();
  REQUIRE(witness.task() == Texts{"queued", "started", "completed", "resumed"});
  REQUIRE(seen.size() == 6);
  REQUIRE(witness.count("thread started") == 1);
  REQUIRE(witness.count("thread ended") == 1);
  for (const Seen& one : seen) {
    const bool by_worker = one.what != "queued" && one.what != "resumed";
    REQUIRE(one.queue == "seen");
    REQUIRE(one.thread == (by_worker ? 1 : 0));
    REQUIRE((one.where == std::this_thread::get_id()) == !by_worker);
    if (one.task != 0) {
      REQUIRE_THAT(one.callable, contains("Twice"));
    }
  }
}

TEST_CASE("an observer sees how a task ended, and plain tasks as well", "[observer]") {
  Witness witness;
  with_queue(witness, [](TaskQueue& queue) {
    queue.add_task([] {});
    queue.add_task([] { throw std::runtime_error("expected"); });
    queue.yield_task([]() -> int { throw 1; }).wait();
  });
  const auto tasks = witness.tasks();
  REQUIRE(tasks.size() == 3);
  REQUIRE(tasks.begin()->second == Texts{"queued", "started", "completed"});
  REQUIRE(std::next(tasks.begin())->second == Texts{"queued", "started", "failed"});
  REQUIRE(tasks.rbegin()->second == Texts{"queued", "started", "failed"});
}

TEST_CASE("an observer sees that the captures of a finished task are gone", "[observer]") {
  class Look final : public toto::QueueObserver {
   public:
    explicit Look(std::weak_ptr<int> capture) : capture_(std::move(capture)) {}
    void task_finished(const TaskEvent&, TaskEnd) noexcept override { gone_.add(capture_.expired()); }
    std::vector<bool> gone() const { return gone_.values(); }

   private:
    std::weak_ptr<int> capture_;
    Record<bool> gone_;
  };
  auto capture = std::make_shared<int>(1);
  Look look(capture);
  {
    TaskQueue queue({.observer = &look});
    queue.add_task([capture = std::move(capture)] {});
  }
  REQUIRE(look.gone() == std::vector{true});
}

TEST_CASE("an observer sees cancelled tasks finish without having started", "[observer]") {
  Witness witness;
  Gate gate;
  Arrivals begun;
  with_queue(witness, [&](TaskQueue& queue) {
    queue.add_task([&] {
      begun.arrive();
      gate.wait();
    });
    REQUIRE(begun.wait_for(1));
    auto handle = queue.yield_task([] {});
    REQUIRE(handle.cancel());
    REQUIRE(witness.count("cancelled") == 1);

    toto::StopSource source;
    queue.with(source.get_token()).add_task([] {});
    source.request_stop();
    REQUIRE(witness.count("cancelled") == 2);

    auto late = queue.with({.start_by = 1ms}).yield_task([] {});
    late.wait();
    REQUIRE(witness.count("cancelled") == 3);

    queue.add_task([] {});
    REQUIRE(queue.cancel_queued() == 1);
    REQUIRE(witness.count("cancelled") == 4);

    queue.add_task([] {});
    queue.close(toto::Pending::cancel);
    REQUIRE(witness.count("cancelled") == 5);
    gate.open();
  });
  const auto tasks = witness.tasks();
  REQUIRE(tasks.size() == 6);
  for (const auto& [task, what] : tasks) {
    REQUIRE(what ==
            (task == tasks.begin()->first ? Texts{"queued", "started", "completed"} : Texts{"queued", "cancelled"}));
  }
}

TEST_CASE("an observer sees refused tasks finish as cancelled", "[observer]") {
  Witness witness;
  with_queue(witness, [](TaskQueue& queue) {
    queue.close();
    REQUIRE_THROWS_AS(queue.add_task([] {}), toto::QueueClosed);
    REQUIRE_THROWS_AS(queue.yield_task([] {}), toto::QueueClosed);
  });
  {
    Gate gate;
    Arrivals begun;
    TaskQueue queue({.max_queued = 1, .overflow = toto::Overflow::reject, .observer = &witness});
    queue.add_task([&] {
      begun.arrive();
      gate.wait();
    });
    REQUIRE(begun.wait_for(1));
    queue.add_task([] {});
    REQUIRE_THROWS_AS(queue.add_task([] {}), toto::QueueFull);
    REQUIRE_FALSE(queue.try_add_task([] {}));
    gate.open();
  }
  std::map<Texts, int> counts;
  for (const auto& [task, what] : witness.tasks()) {
    ++counts[what];
  }
  REQUIRE(counts[{"queued", "cancelled"}] == 3);  // try_add_task has not made a task
  REQUIRE(counts[{"queued", "started", "completed"}] == 2);
  REQUIRE(counts.size() == 2);
}

TEST_CASE("an observer sees a transaction that its queue refuses finish as cancelled", "[observer][instance_pool]") {
  Witness witness;
  toto::InstancePool pool(1);
  with_queue(witness, [&](TaskQueue& queue) {
    auto held = std::make_optional(pool.instance());
    auto handle = pool.await_transaction([](int) {}, queue);
    pool.async_transaction([](int) {}, queue);
    REQUIRE(witness.all().empty());
    queue.close();
    held.reset();
    REQUIRE_THROWS_AS(handle.get(), toto::QueueClosed);
  });
  const auto tasks = witness.tasks();
  REQUIRE(tasks.size() == 2);
  REQUIRE(tasks.begin()->second == Texts{"queued", "cancelled"});
  REQUIRE(tasks.rbegin()->second == Texts{"queued", "cancelled"});
}

TEST_CASE("an observer sees a transaction that has lost its instance, and gets no other, finish as cancelled",
          "[observer][instance_pool]") {
  Witness witness;
  toto::InstancePool pool(std::vector<int>{1, 2});
  pool.validate([](int number) { return number != 1; });
  with_queue(witness, [&](TaskQueue& queue) {
    std::optional<toto::Lease<int>> held;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    auto handle = pool.await_transaction([](int) {}, queue);
    held = pool.instance();
    REQUIRE(**held == 2);
    worker.release();
    REQUIRE(eventually([&] { return pool.stats().waiting == 1; }));  // its own was no good
    SECTION("because the queue has closed") {
      queue.close();
      held.reset();
      REQUIRE_THROWS_AS(handle.get(), toto::QueueClosed);
    }
    SECTION("because the pool has closed") {
      pool.close();
      REQUIRE_THROWS_AS(handle.get(), toto::PoolClosed);
    }
  });
  const auto tasks = witness.tasks();
  REQUIRE(tasks.size() == 2);
  REQUIRE(tasks.rbegin()->second == Texts{"queued", "cancelled"});
}

TEST_CASE("an observer sees a coroutine task suspend, and finish when the coroutine has ended", "[observer]") {
  Witness witness;
  Gate gate;
  with_queue(witness, [&](TaskQueue& queue) {
    TaskQueue other;
    auto handle = queue.yield_task([&]() -> toto::Task<int> {
      co_await other.yield_task([&] { gate.wait(); });
      co_return 1;
    });
    REQUIRE(eventually([&] { return witness.count("suspended") == 1; }));
    REQUIRE(witness.task() == Texts{"queued", "started", "suspended"});
    gate.open();
    REQUIRE(handle.get() == 1);
    queue.yield_task([]() -> toto::Task<> { throw std::runtime_error("expected"); }).detach();
    queue.yield_task([]() -> toto::Task<> { co_return; }).wait();
  });
  auto tasks = witness.tasks();
  REQUIRE(tasks.size() == 3);
  REQUIRE(tasks.begin()->second == Texts{"queued", "started", "suspended", "completed"});
  // The second throws before there is a coroutine: it has left its worker by the time the event is reported.
  Texts second = std::next(tasks.begin())->second;
  REQUIRE(second == Texts{"queued", "started", "failed", "suspended"});
  REQUIRE(tasks.rbegin()->second == Texts{"queued", "started", "suspended", "completed"});
}

TEST_CASE("an observer sees every way of giving a queue a task", "[observer]") {
  Witness witness;
  std::map<std::string, Texts> seen;
  const auto watch = [&](const std::string& way, const std::function<void(TaskQueue&)>& add) {
    Witness own;
    with_queue(own, [&](TaskQueue& queue) {
      add(queue);
      REQUIRE(queue.wait_idle_for(kPatience));
    });
    seen[way] = own.task();
  };
  struct Object {
    int get() { return 1; }
  };
  watch("view", [](TaskQueue& queue) { queue.limited(1, "view").add_task([] {}); });
  watch("priority", [](TaskQueue& queue) { queue.with({.priority = 1}).add_task([] {}); });
  watch("try", [](TaskQueue& queue) { queue.try_add_task([] {}); });
  watch("instance", [](TaskQueue& queue) {
    Object object;
    toto::AwaitableInstance instance(object, queue);
    REQUIRE(instance(&Object::get).get() == 1);
  });
  watch("call", [](TaskQueue& queue) {
    toto::EventLoop loop;
    REQUIRE(loop.run_sync(queue.call([] { return 7; })) == 7);
  });
  watch("transaction", [](TaskQueue& queue) {
    toto::InstancePool<int> pool(1);
    REQUIRE(pool.await_transaction([](int& value) { return value; }, queue).get() == 1);
  });
  watch("timer", [](TaskQueue& queue) {
    std::atomic<bool> ran{false};
    const auto timer = queue.add_task_after(0ms, [&ran] { ran = true; });
    REQUIRE(eventually([&ran] { return ran.load(); }));
  });
  watch("group", [](TaskQueue& queue) {
    toto::sync_wait([](TaskQueue& to) -> toto::Task<> {
      auto body = [&to](toto::TaskGroup& group) -> toto::Task<> {
        group.add(to, [] {});
        co_return;
      };
      co_await toto::with_task_group(body);
    }(queue));
  });
  for (const auto& [way, what] : seen) {
    INFO(way);
    Texts first(what.begin(), what.begin() + std::min<std::ptrdiff_t>(3, std::ssize(what)));
    CHECK(first == Texts{"queued", "started", "completed"});
  }
}

TEST_CASE("an observer sees each of many tasks and threads once", "[observer]") {
  constexpr int kAdders = 3;
  const int kTasks = scaled(2000, 300);
  Witness witness;
  {
    TaskQueue queue({.thread_count = 4, .idle_timeout = 0s, .observer = &witness});
    Threads adders;
    for (int i = 0; i < kAdders; ++i) {
      adders.start([&] {
        for (int task = 0; task < kTasks; ++task) {
          queue.add_task([] {});
        }
      });
    }
    adders.join();
  }
  const auto tasks = witness.tasks();
  REQUIRE(tasks.size() == static_cast<std::size_t>(kAdders * kTasks));
  REQUIRE(std::all_of(tasks.begin(), tasks.end(),
                      [](const auto& task) { return task.second == Texts{"queued", "started", "completed"}; }));
  // Threads of one number do not overlap, and each runs tasks under its own.
  std::map<std::size_t, bool> alive;
  std::size_t wrong = 0;
  for (const Seen& one : witness.all()) {
    if (one.what == "thread started") {
      wrong += std::exchange(alive[one.thread], true) ? 1U : 0U;
    } else if (one.what == "thread ended") {
      wrong += std::exchange(alive[one.thread], false) ? 0U : 1U;
    } else if (one.what != "queued") {
      wrong += one.thread >= 1 && one.thread <= 4 && alive[one.thread] ? 0U : 1U;
    }
  }
  REQUIRE(wrong == 0);
  REQUIRE(std::none_of(alive.begin(), alive.end(), [](const auto& thread) { return thread.second; }));
}

TEST_CASE("an observer sees nothing of other queues", "[observer]") {
  Witness witness;
  TaskQueue watched({.observer = &witness});
  TaskQueue other;
  other.yield_task([] {}).wait();
  REQUIRE(witness.all().empty());
  REQUIRE(watched.size() == 0);
}
