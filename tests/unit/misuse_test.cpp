// SPDX-License-Identifier: MIT
//
// Group U: wrong arguments and wrong use are refused where they are made, in words that say what to do.

#include <toto/tasks.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"

using namespace std::chrono_literals;
using toto::Duration;
using toto::QueueOptions;
using toto::TaskQueue;
using toto_tests::contains;
using toto_tests::kPatience;

namespace {

template <class Float>
constexpr std::chrono::duration<Float> not_a_number() {
  return std::chrono::duration<Float>(std::numeric_limits<Float>::quiet_NaN());
}

}  // namespace

TEST_CASE("a thread count that makes no sense is refused by name and value", "[task_queue][misuse][U1]") {
  REQUIRE_THROWS_AS(TaskQueue(0), std::invalid_argument);
  REQUIRE_THROWS_WITH(TaskQueue(0), contains("thread_count") && contains("0"));
  const int minus_one = -1;
  REQUIRE_THROWS_AS(TaskQueue(static_cast<std::size_t>(minus_one)), std::invalid_argument);
  REQUIRE_THROWS_WITH(TaskQueue(static_cast<std::size_t>(minus_one)),
                      contains("thread_count") && contains(std::to_string(std::numeric_limits<std::size_t>::max())));
  REQUIRE_THROWS_AS(TaskQueue(1'000'001), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue({.thread_count = 0, .name = "u1"}), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue::instance("u1", 0), std::invalid_argument);
  REQUIRE(TaskQueue(1).thread_count() == 1);
}

TEST_CASE("a view's limit that makes no sense is refused by name and value", "[queue_view][misuse][U1]") {
  TaskQueue queue(2);
  REQUIRE_THROWS_WITH(queue.limited(0, "u1"), contains("limit") && contains("0"));
  const int minus_one = -1;
  REQUIRE_THROWS_AS(queue.limited(static_cast<std::size_t>(minus_one), "u1"), std::invalid_argument);
  REQUIRE_THROWS_WITH(queue.limited(static_cast<std::size_t>(minus_one), "u1"),
                      contains("limit") && contains(std::to_string(std::numeric_limits<std::size_t>::max())));
  REQUIRE_THROWS_WITH(queue.limited(1'000'001, "u1"), contains("limit is 1000001"));
  REQUIRE(queue.limited(1'000'000, "u1").thread_count() == 1'000'000);
}

TEST_CASE("a value that is none of an enumeration's is refused by name", "[task_queue][misuse][U2]") {
  REQUIRE_THROWS_AS(TaskQueue({.name = "u2", .overflow = static_cast<toto::Overflow>(4)}), std::invalid_argument);
  REQUIRE_THROWS_WITH(TaskQueue({.name = "u2", .overflow = static_cast<toto::Overflow>(-1)}),
                      contains("overflow is -1"));
  REQUIRE_NOTHROW(TaskQueue({.name = "u2", .max_queued = 1, .overflow = toto::Overflow::discard_oldest}));
  TaskQueue queue;
  REQUIRE_THROWS_AS(queue.close(static_cast<toto::Pending>(2)), std::invalid_argument);
  REQUIRE_THROWS_WITH(queue.close(static_cast<toto::Pending>(-1)), contains("pending is -1"));
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);  // it has not closed
}

TEST_CASE("a negative or undefined idle timeout is refused and zero is legal", "[task_queue][misuse][U2]") {
  REQUIRE_THROWS_AS(TaskQueue(1, -1ns), std::invalid_argument);
  REQUIRE_THROWS_WITH(TaskQueue(1, -2s), contains("idle_timeout") && contains("-2000000000"));
  REQUIRE_THROWS_AS(TaskQueue(1, std::chrono::hours::min()), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue(1, std::chrono::duration<double>(-0.5)), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue(1, std::chrono::duration<double>(-std::numeric_limits<double>::infinity())),
                    std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue(1, not_a_number<double>()), std::invalid_argument);
  REQUIRE_THROWS_WITH(TaskQueue(1, not_a_number<float>()), contains("idle_timeout") && contains("NaN"));
  REQUIRE_THROWS_AS(TaskQueue({.idle_timeout = -1ms}), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue({.idle_timeout = not_a_number<long double>()}), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue::instance("u2", 1, not_a_number<double>()), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue::shutdown_instances(-1s), std::invalid_argument);
  REQUIRE_THROWS_AS(TaskQueue::set_exit_limit(not_a_number<double>()), std::invalid_argument);
  REQUIRE_THROWS_AS(toto::sleep_for(-1ms), std::invalid_argument);
  REQUIRE_THROWS_AS(toto::sleep_for(not_a_number<double>()), std::invalid_argument);
  TaskQueue queue(1, 0s);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  TaskQueue negative_zero(1, std::chrono::duration<double>(-0.0));
  REQUIRE(negative_zero.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("a limit that is not a number is refused and a negative one only looks", "[task_queue][misuse][U2]") {
  toto_tests::Gate gate;
  TaskQueue queue;
  auto handle = queue.yield_task([&gate] { gate.wait(); });
  REQUIRE_THROWS_AS(queue.wait_idle_for(not_a_number<double>()), std::invalid_argument);
  REQUIRE_THROWS_AS(handle.wait_for(not_a_number<double>()), std::invalid_argument);
  REQUIRE_FALSE(queue.wait_idle_for(-1s));
  REQUIRE_FALSE(queue.wait_idle_for(std::chrono::hours::min()));
  REQUIRE_FALSE(handle.wait_for(-1s));
  REQUIRE_FALSE(handle.wait_for(0s));
  gate.open();
}

namespace {

struct Object {
  void method() {}
  int member = 1;
};

}  // namespace

TEST_CASE("a null callable is refused where it is added", "[task_queue][misuse][U3]") {
  TaskQueue queue(1, Duration::never());
  REQUIRE_THROWS_AS(queue.add_task(std::function<void()>()), std::invalid_argument);
  REQUIRE_THROWS_WITH(queue.add_task(std::function<void()>()), contains("null"));
  REQUIRE_THROWS_AS(queue.add_task(std::function<void(int)>(), 1), std::invalid_argument);
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task(std::function<int()>())), std::invalid_argument);
  const std::function<void()> lvalue;
  REQUIRE_THROWS_AS(queue.add_task(lvalue), std::invalid_argument);
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task(lvalue)), std::invalid_argument);

  void (*function)() = nullptr;
  REQUIRE_THROWS_AS(queue.add_task(function), std::invalid_argument);
  REQUIRE_THROWS_WITH(static_cast<void>(queue.yield_task(function)), contains("null"));
  int (*function_of_int)(int) = nullptr;
  REQUIRE_THROWS_AS(queue.add_task(function_of_int, 1), std::invalid_argument);
  toto::Task<> (*coroutine)() = nullptr;
  REQUIRE_THROWS_AS(queue.add_task(coroutine), std::invalid_argument);
  void (*with_token)(toto::StopToken) = nullptr;
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task(with_token)), std::invalid_argument);

  Object object;
  void (Object::*method)() = nullptr;
  REQUIRE_THROWS_AS(queue.add_task(method, &object), std::invalid_argument);
  REQUIRE_THROWS_AS(queue.add_task(method, std::ref(object)), std::invalid_argument);
  int Object::* member = nullptr;
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task(member, &object)), std::invalid_argument);

  REQUIRE(queue.stats() == toto::QueueStats());
  REQUIRE(queue.size() == 0);
}

TEST_CASE("a member pointer on a null object is refused where it is added", "[task_queue][misuse][U3]") {
  TaskQueue queue(1, Duration::never());
  Object* const none = nullptr;
  REQUIRE_THROWS_AS(queue.add_task(&Object::method, none), std::invalid_argument);
  REQUIRE_THROWS_WITH(queue.add_task(&Object::method, none),
                      contains("args") && contains("object") && contains("null"));
  REQUIRE_THROWS_AS(queue.add_task(&Object::method, std::shared_ptr<Object>()), std::invalid_argument);
  REQUIRE_THROWS_AS(queue.add_task(&Object::method, std::unique_ptr<Object>()), std::invalid_argument);
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task(&Object::member, none)), std::invalid_argument);
  REQUIRE(queue.stats() == toto::QueueStats());

  // What is not null is not touched, and other arguments may be null.
  Object object;
  queue.add_task(&Object::method, &object);
  queue.add_task([](const Object* pointer) { static_cast<void>(pointer); }, none);
  const std::function<void()> present = [] {};
  queue.add_task(present);
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(queue.stats().completed == 3);
}

TEST_CASE("an empty queue name is refused in words", "[task_queue][misuse][U4]") {
  REQUIRE_THROWS_AS(TaskQueue(1, 60s, ""), std::invalid_argument);
  REQUIRE_THROWS_WITH(TaskQueue(1, 60s, ""), contains("name") && contains("empty"));
  REQUIRE_THROWS_AS(TaskQueue({.name = std::string_view()}), std::invalid_argument);
}

// U6: a queue stays where it is. There is no half-safe moving of something that threads refer to.
static_assert(!std::is_copy_constructible_v<TaskQueue>);
static_assert(!std::is_copy_assignable_v<TaskQueue>);
static_assert(!std::is_move_constructible_v<TaskQueue>);
static_assert(!std::is_move_assignable_v<TaskQueue>);
static_assert(!std::is_convertible_v<int, TaskQueue>, "a number is no queue");
static_assert(std::is_trivially_destructible_v<QueueOptions> && std::is_aggregate_v<QueueOptions>);
static_assert(!std::is_copy_constructible_v<toto::TaskHandle<int>>);
static_assert(std::is_nothrow_move_constructible_v<toto::TaskHandle<int>>);
static_assert(std::is_nothrow_move_assignable_v<toto::TaskHandle<int>>);

TEST_CASE("a queue can be neither copied nor moved but returned", "[task_queue][misuse][U6]") {
  const auto make = [] { return TaskQueue(2, 60s, "u6"); };
  TaskQueue queue = make();  // constructed in place
  REQUIRE(queue.name() == "u6");
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("a huge thread count costs nothing until it is used", "[task_queue][misuse][U7]") {
  const std::size_t before = toto_tests::memory().address_space;
  TaskQueue queue(1'000'000);
  REQUIRE(queue.thread_count() == 1'000'000);
  REQUIRE(queue.size() == 0);
  REQUIRE(toto_tests::memory().address_space <= before + (1U << 20));
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
  REQUIRE(queue.stats().threads_started == 1);
}

TEST_CASE("using a queue after it was closed is refused in words", "[task_queue][misuse][U8][L5]") {
  TaskQueue queue(1, 60s, "u8-db");
  queue.close();
  REQUIRE_THROWS_AS(queue.add_task([] {}), toto::QueueClosed);
  REQUIRE_THROWS_WITH(queue.add_task([] {}), contains("u8-db") && contains("closed"));
  REQUIRE_THROWS_AS(queue.add_task([text = std::string("not trivial")] {}), toto::QueueClosed);
  REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task([] { return 1; })), toto::QueueClosed);
  REQUIRE_THROWS_AS(queue.add_task([]() -> toto::Task<> { co_return; }), toto::QueueClosed);
  REQUIRE_THROWS_AS(queue.run(), toto::QueueClosed);
  REQUIRE_THROWS_AS(toto::sync_wait([](TaskQueue& closed) -> toto::Task<> { co_await closed.schedule(); }(queue)),
                    toto::QueueClosed);
  REQUIRE(queue.size() == 0);
  REQUIRE(queue.stats() == toto::QueueStats());
  REQUIRE_NOTHROW(queue.close());
  REQUIRE_NOTHROW(queue.wait_idle());
  // It is one of the library's own errors, and a std::exception.
  REQUIRE_THROWS_AS(queue.add_task([] {}), toto::Error);
  REQUIRE_THROWS_AS(queue.add_task([] {}), std::runtime_error);
}

TEST_CASE("a task of a closed queue is told so when it adds", "[task_queue][misuse][U8]") {
  bool refused = false;
  bool refused_with_handle = false;
  {
    toto_tests::Gate gate;
    TaskQueue queue(1, 60s, "u8");
    queue.add_task([&] {
      gate.wait();
      try {
        queue.add_task([] {});
      } catch (const toto::QueueClosed&) {
        refused = true;
      }
      try {
        static_cast<void>(queue.yield_task([] {}));
      } catch (const toto::QueueClosed&) {
        refused_with_handle = true;
      }
    });
    queue.close();
    gate.open();
  }
  REQUIRE(refused);
  REQUIRE(refused_with_handle);
}

TEST_CASE("a task that runs while its queue is being destroyed can still ask for it", "[task_queue][misuse][U8]") {
  bool refused = false;
  const TaskQueue* seen = nullptr;
  const TaskQueue* expected = nullptr;
  {
    toto_tests::Gate begun;
    TaskQueue queue(1, 60s, "u8");
    expected = &queue;
    queue.add_task([&] {
      begun.open();
      // Until the destructor has closed the queue.
      toto_tests::eventually([&] {
        TaskQueue* const now = TaskQueue::current();
        if (now == nullptr) {
          return true;
        }
        try {
          now->add_task([] {});
          return false;
        } catch (const toto::QueueClosed&) {
          return refused = true;
        }
      });
      seen = TaskQueue::current();
    });
    begun.wait();
  }
  REQUIRE(seen == expected);
  REQUIRE(refused);
}

TEST_CASE("a handle without a task refuses every use in words", "[task_queue][misuse][U8]") {
  TaskQueue queue;
  toto::TaskHandle<int> handle;
  SECTION("default-constructed") {}
  SECTION("moved from") {
    handle = queue.yield_task([] { return 1; });
    const toto::TaskHandle<int> moved = std::move(handle);
    REQUIRE(moved.valid());
  }
  SECTION("taken") {
    handle = queue.yield_task([] { return 1; });
    REQUIRE(handle.get() == 1);
  }
  REQUIRE_FALSE(handle.valid());
  REQUIRE_FALSE(handle.ready());
  REQUIRE_FALSE(handle.cancel());
  REQUIRE_THROWS_AS(handle.get(), toto::NoState);
  REQUIRE_THROWS_WITH(handle.get(), contains("default-constructed, moved from, or its result taken"));
  REQUIRE_THROWS_AS(handle.wait(), toto::NoState);
  REQUIRE_THROWS_AS(static_cast<void>(handle.wait_for(1s)), toto::NoState);
  REQUIRE_THROWS_AS(toto::sync_wait(std::move(handle)), toto::NoState);
  toto::TaskHandle<int> empty;
  REQUIRE_THROWS_AS(
      toto::sync_wait([](toto::TaskHandle<int> h) -> toto::Task<int> { co_return co_await h; }(std::move(empty))),
      toto::NoState);
}

TEST_CASE("waiting for one's own queue to become idle is refused in words", "[task_queue][misuse][U8]") {
  TaskQueue queue(2, 60s, "u8-self");
  auto handle = queue.yield_task([&queue] { queue.wait_idle(); });
  REQUIRE_THROWS_WITH(handle.get(), contains("wait_idle() in a task of queue 'u8-self'"));
  auto timed = queue.yield_task([&queue] { queue.wait_idle_for(1ms); });
  REQUIRE_THROWS_WITH(timed.get(), contains("wait_idle_for() in a task of queue 'u8-self'"));
  REQUIRE_THROWS_AS(queue.yield_task([&queue] { queue.wait_idle(); }).get(), toto::DeadlockError);
}
