// SPDX-License-Identifier: MIT
//
// Group E: what add_task takes, what it does with it, and when that is destroyed.

#include <toto/tasks.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"
#include "support/process_info.hpp"

using namespace std::chrono_literals;
using toto::TaskQueue;
using toto_tests::contains;
using toto_tests::Counted;
using toto_tests::Gate;
using toto_tests::kPatience;
using toto_tests::Lifetimes;

TEST_CASE("add_task returns before the task ends", "[task_queue][E1]") {
  Gate gate;
  bool ended = false;
  TaskQueue queue;
  queue.add_task([&] {
    gate.wait();
    ended = true;
  });
  auto handle = queue.yield_task([] {});
  REQUIRE_FALSE(handle.ready());
  REQUIRE(queue.stats().completed == 0);
  gate.open();
  handle.get();
  REQUIRE(ended);
}

TEST_CASE("the callable and its arguments are copied so that temporaries are safe", "[task_queue][E1]") {
  Gate gate;
  TaskQueue queue;
  queue.add_task([&gate] { gate.wait(); });
  std::string from_closure;
  std::string from_argument;
  std::string from_c_string;
  std::string from_plain_bytes;
  toto::TaskHandle<std::string> from_view;
  {
    std::string capture = "a capture that is too long for a small string";
    std::string argument = "an argument that is too long for a small string";
    char characters[] = "kept as a pointer, as std::thread does";
    struct {
      char bytes[16];
    } plain = {"plain bytes"};
    queue.add_task([&from_closure, capture] { from_closure = capture; });
    queue.add_task([&from_argument](const std::string& text) { from_argument = text; }, argument);
    queue.add_task([&from_c_string](const std::string& text) { from_c_string = text; },
                   std::string(static_cast<const char*>(characters)));
    queue.add_task([&from_plain_bytes, plain] { from_plain_bytes = plain.bytes; });
    from_view = queue.yield_task([](const std::string& text) { return text; }, argument);
    capture.assign(capture.size(), '!');
    argument.assign(argument.size(), '!');
    plain.bytes[0] = '!';
    characters[0] = '!';
  }
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(from_closure == "a capture that is too long for a small string");
  REQUIRE(from_argument == "an argument that is too long for a small string");
  REQUIRE(from_c_string == "kept as a pointer, as std::thread does");
  REQUIRE(from_plain_bytes == "plain bytes");
  REQUIRE(from_view.get() == "an argument that is too long for a small string");
}

TEST_CASE("callables and arguments may be move-only", "[task_queue][E2]") {
  TaskQueue queue;
  int sum = 0;
  queue.add_task([&sum, one = std::make_unique<int>(1)] { sum += *one; });
  queue.add_task([&sum](std::unique_ptr<int> two) { sum += *two; }, std::make_unique<int>(2));
  queue.add_task([&sum](std::unique_ptr<int>&& four) { sum += *four; }, std::make_unique<int>(4));
  auto named = std::make_unique<int>(8);
  queue.add_task([&sum](std::unique_ptr<int> eight) { sum += *eight; }, std::move(named));
  auto callable = [&sum, sixteen = std::make_unique<int>(16)] { sum += *sixteen; };
  queue.add_task(std::move(callable));
  REQUIRE(named == nullptr);
  REQUIRE(queue.yield_task([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(32)).get() != nullptr);
  REQUIRE(sum == 31);
}

TEST_CASE("std::ref hands over a reference", "[task_queue][E3]") {
  TaskQueue queue;
  int number = 1;
  std::string text = "a";
  queue.add_task([](int& n) { n = 2; }, std::ref(number));
  queue.add_task([](std::string& t) { t += "b"; }, std::ref(text));
  queue.add_task([&number](const std::string& t) { number += static_cast<int>(t.size()); }, std::cref(text));
  struct Counter {
    int calls = 0;
    std::string unused;  // not trivial
    void operator()() { ++calls; }
  } counter;
  queue.add_task(std::ref(counter));
  queue.yield_task(std::ref(counter)).get();
  REQUIRE(number == 4);
  REQUIRE(text == "ab");
  REQUIRE(counter.calls == 2);
}

namespace {

struct Account {
  int balance = 0;
  std::string owner = "nobody";  // so that it is not trivial

  void deposit(int amount) { balance += amount; }
  int read() const noexcept { return balance; }
  int only_as_rvalue() && { return balance; }
  virtual int kind() const { return 1; }
  Account() = default;
  Account(const Account&) = default;
  Account& operator=(const Account&) = default;
  virtual ~Account() = default;
};
struct Savings : Account {
  int kind() const override { return 2; }
};

}  // namespace

TEST_CASE("member pointers work on objects and pointers and shared pointers", "[task_queue][E4]") {
  TaskQueue queue;
  Account account;
  auto shared = std::make_shared<Account>();
  auto unique = std::make_unique<Savings>();
  Account* const in_unique = unique.get();

  queue.add_task(&Account::deposit, &account, 1);
  queue.add_task(&Account::deposit, std::ref(account), 2);
  REQUIRE(queue.wait_idle_for(kPatience));        // it is copied now
  queue.add_task(&Account::deposit, account, 4);  // a copy: changes nothing here
  queue.add_task(&Account::deposit, shared, 8);
  REQUIRE(queue.yield_task(&Account::read, std::cref(account)).get() == 3);
  REQUIRE(queue.yield_task(&Account::read, shared).get() == 8);
  REQUIRE(queue.yield_task(&Account::balance, &account).get() == 3);
  REQUIRE(queue.yield_task(&Account::only_as_rvalue, account).get() == 3);
  REQUIRE(queue.yield_task(&Account::kind, static_cast<const Account*>(in_unique)).get() == 2);
  REQUIRE(queue.yield_task(&Account::kind, std::move(unique)).get() == 2);
  REQUIRE(unique == nullptr);
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(shared.use_count() == 1);
}

TEST_CASE("the callable is never copied when it can be moved and everything is destroyed once", "[task_queue][E5]") {
  // As a callable's capture and as an argument; for each, how often it is moved is bounded.
  TaskQueue queue;
  Lifetimes captured;
  Lifetimes passed;
  Lifetimes passed_by_value;
  const auto expect_moved = [&] {
    REQUIRE(queue.wait_idle_for(kPatience));
    for (const Lifetimes* const lifetimes : {&captured, &passed, &passed_by_value}) {
      REQUIRE(lifetimes->copied == 0);
      REQUIRE(lifetimes->moved <= 4);
      REQUIRE(lifetimes->alive() == 0);
    }
  };
  SECTION("add_task") {
    queue.add_task([c = Counted(captured)](const Counted&, Counted) {}, Counted(passed), Counted(passed_by_value));
    expect_moved();
    REQUIRE(captured.made >= 1);
  }
  SECTION("yield_task") {
    queue.yield_task([c = Counted(captured)](const Counted&, Counted) {}, Counted(passed), Counted(passed_by_value))
        .get();
    expect_moved();
    REQUIRE(captured.made >= 1);
  }
  SECTION("add_task with a coroutine") {
    queue.add_task([c = Counted(captured)](const Counted&, Counted) -> toto::Task<> { co_return; }, Counted(passed),
                   Counted(passed_by_value));
    expect_moved();
    REQUIRE(captured.made >= 1);
  }
  SECTION("a named callable is copied once") {
    const auto named = [c = Counted(captured)] {};
    queue.add_task(named);
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(captured.copied == 1);
    REQUIRE(captured.alive() == 1);
  }
}

TEST_CASE("captures die on the worker right after the run and before the next task", "[task_queue][E6]") {
  Lifetimes captured;
  Lifetimes passed;
  std::vector<int> alive;  // as the next task sees it
  std::thread::id worker;
  Gate gate;
  TaskQueue queue;
  const auto look = [&] {
    alive.push_back(captured.alive());
    alive.push_back(passed.alive());
    worker = std::this_thread::get_id();
  };
  queue.add_task([&gate] { gate.wait(); });
  SECTION("of add_task") {
    queue.add_task([c = Counted(captured)](const Counted&) {}, Counted(passed));
    queue.add_task(look);
  }
  SECTION("of yield_task though its result has not been taken") {
    auto handle = queue.yield_task([c = Counted(captured)](const Counted&) { return 1; }, Counted(passed));
    queue.add_task(look);
    gate.open();
    REQUIRE(queue.wait_idle_for(kPatience));
    REQUIRE(handle.get() == 1);
  }
  SECTION("of a task that throws") {
    auto handle = queue.yield_task([c = Counted(captured)](const Counted&) { throw 1; }, Counted(passed));
    queue.add_task(look);
    gate.open();
    REQUIRE_THROWS_AS(handle.get(), int);
  }
  SECTION("of a coroutine task") {
    queue.add_task([c = Counted(captured)](const Counted&) -> toto::Task<> { co_return; }, Counted(passed));
    queue.add_task(look);
  }
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(alive == std::vector<int>{0, 0});
  REQUIRE(captured.last_destroyed_on == worker);
  REQUIRE(passed.last_destroyed_on == worker);
}

TEST_CASE("captures are gone when the result arrives", "[task_queue][E6]") {
  TaskQueue queue;
  Lifetimes captured;
  for (int i = 0; i < 300; ++i) {
    queue.yield_task([c = Counted(captured)] {}).get();
    REQUIRE(captured.alive() == 0);
  }
}

namespace {

/// Does something when it is destroyed, unless it was moved from.
template <class Function>
class AtEnd {
 public:
  explicit AtEnd(Function function) : function_(std::move(function)) {}
  AtEnd(AtEnd&& other) noexcept : function_(other.function_), armed_(std::exchange(other.armed_, false)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() noexcept(noexcept(std::declval<Function&>()())) {
    if (armed_) {
      function_();
    }
  }

 private:
  Function function_;
  bool armed_ = true;
};

}  // namespace

TEST_CASE("captures may add tasks and drop handles and look at the queue while they are destroyed",
          "[task_queue][E7]") {
  bool added_ran = false;
  std::size_t size = 0;
  Lifetimes results;
  Gate gate;
  TaskQueue queue;
  queue.add_task([&gate] { gate.wait(); });
  {
    auto later = queue.yield_task([&results] { return Counted(results); });
    auto add = [&]() noexcept {
      queue.add_task([&added_ran] { added_ran = true; });
      size = queue.size();
    };
    queue.add_task([later = std::move(later), at_end = AtEnd<decltype(add)>(add)] {});
  }
  gate.open();
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(added_ran);
  REQUIRE(size == 2);  // the worker, and the task just added
  REQUIRE(results.made >= 1);
  REQUIRE(results.alive() == 0);
}

TEST_CASE("a capture whose destructor throws is reported and does no harm", "[task_queue][E7]") {
  int reported = 0;
  TaskQueue queue;
  queue.on_error([&reported](const std::exception_ptr&, const toto::TaskInfo&) { ++reported; });
  auto fail = []() noexcept(false) { throw std::runtime_error("from a destructor"); };
  using Throws = AtEnd<decltype(fail)>;
  static_assert(!std::is_nothrow_destructible_v<Throws>);
  queue.add_task([throws = Throws(fail)] {});
  auto handle = queue.yield_task([throws = Throws(fail)] { return 5; });
  bool next_ran = false;
  queue.add_task([&next_ran] { next_ran = true; });
  REQUIRE(handle.get() == 5);
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(next_ran);
  REQUIRE(reported == 2);
}

TEST_CASE("a capture may destroy the last reference to its own queue", "[task_queue][E7][L9]") {
  Gate destroyed;
  std::atomic<bool> next_ran{false};
  {
    Gate gate;
    auto owner = std::make_shared<TaskQueue>(1, 0s, "e7");
    TaskQueue& queue = *owner;
    queue.add_task([&gate] { gate.wait(); });
    auto open = [&destroyed]() noexcept { destroyed.open(); };
    // Members are destroyed from the last to the first: the queue, then `at_end`.
    queue.add_task([at_end = AtEnd<decltype(open)>(open), owner = std::move(owner)] {});
    queue.add_task([&next_ran] { next_ran = true; });  // accepted, so it runs
    gate.open();
    REQUIRE(destroyed.wait());
  }
  if (toto_tests::kProcessInfo) {
    REQUIRE(toto_tests::eventually([] { return toto_tests::threads_named("e7-") == 0; }));
    REQUIRE(next_ran);
  }
}

namespace {

/// The `countdown`-th copy or move throws.
struct ThrowsOnCopy {
  explicit ThrowsOnCopy(Lifetimes& lifetimes, int countdown_at_start)
      : counted(lifetimes), countdown(countdown_at_start) {}
  ThrowsOnCopy(const ThrowsOnCopy& other) : counted(other.counted), countdown(other.countdown - 1) { check(); }
  ThrowsOnCopy(ThrowsOnCopy&& other) : counted(other.counted), countdown(other.countdown - 1) { check(); }
  ~ThrowsOnCopy() = default;
  void check() const {
    if (countdown == 0) {
      throw std::runtime_error("copying failed");
    }
  }
  void operator()() const {}
  Counted counted;
  int countdown;
};

}  // namespace

TEST_CASE("a copy that throws leaves the queue as it was", "[task_queue][E8]") {
  Lifetimes lifetimes;
  Lifetimes others;
  TaskQueue queue(1, toto::Duration::never());
  queue.add_task([] {});
  REQUIRE(toto_tests::eventually([&] { return queue.stats().idle == 1; }));
  const toto::QueueStats before = queue.stats();
  {
    const ThrowsOnCopy argument(lifetimes, 1);
    const Counted other(others);
    REQUIRE_THROWS_WITH(queue.add_task([](const ThrowsOnCopy&) {}, argument), "copying failed");
    REQUIRE_THROWS_WITH(
        queue.add_task([](const Counted&, const ThrowsOnCopy&, const Counted&) {}, other, argument, other),
        "copying failed");
    REQUIRE_THROWS_WITH(queue.add_task(argument), "copying failed");
    REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task(argument)), std::runtime_error);
    REQUIRE_THROWS_AS(static_cast<void>(queue.yield_task([](const ThrowsOnCopy&) { return 1; }, argument)),
                      std::runtime_error);
    REQUIRE_THROWS_AS(queue.add_task([](const ThrowsOnCopy&) -> toto::Task<> { co_return; }, argument),
                      std::runtime_error);
    REQUIRE(lifetimes.alive() == 1);
    REQUIRE(others.alive() == 1);
  }
  REQUIRE(queue.size() == 1);
  REQUIRE(queue.stats() == before);
  REQUIRE(queue.yield_task([] { return 1; }).get() == 1);
}

TEST_CASE("an argument whose last copy for the call throws fails the task", "[task_queue][E8]") {
  Lifetimes lifetimes;
  TaskQueue queue;
  // Passing by value takes a further copy or move, on the worker.
  int countdown = 1;
  for (; countdown < 10; ++countdown) {
    auto handle = [&]() -> toto::TaskHandle<> {
      try {
        return queue.yield_task([](ThrowsOnCopy) {}, ThrowsOnCopy(lifetimes, countdown));
      } catch (const std::runtime_error&) {
        return {};
      }
    }();
    if (!handle.valid()) {
      continue;  // it failed here already
    }
    try {
      handle.get();
      break;  // that many copies are never made
    } catch (const std::runtime_error& error) {
      REQUIRE(std::string(error.what()) == "copying failed");
    }
  }
  REQUIRE(countdown < 10);
  REQUIRE(countdown > 2);  // at least one for the queue and one for the parameter
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(lifetimes.alive() == 0);
}

namespace {

struct alignas(64) Aligned {
  unsigned char bytes[64] = {};
  bool is_aligned() const { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
};
struct alignas(16) Vector {
  double parts[2] = {1, 2};
  bool is_aligned() const { return reinterpret_cast<std::uintptr_t>(this) % 16 == 0; }
};

}  // namespace

TEST_CASE("large and over-aligned captures work", "[task_queue][E9]") {
  std::atomic<int> right{0};
  TaskQueue queue(2);
  for (int i = 0; i < 20; ++i) {
    queue.add_task([&right, a = Aligned()] { right += a.is_aligned() ? 1 : 0; });
    queue.add_task([&right](const Aligned& a) { right += a.is_aligned() ? 1 : 0; }, Aligned());
    queue.add_task([&right, v = Vector()] { right += v.is_aligned() && v.parts[1] == 2 ? 1 : 0; });
    auto aligned = queue.yield_task([a = Aligned(), s = std::string("x")] { return a.is_aligned(); });
    right += aligned.get() ? 1 : 0;
    auto coroutine =
        queue.yield_task([](const Aligned& a) -> toto::Task<bool> { co_return a.is_aligned(); }, Aligned());
    right += coroutine.get() ? 1 : 0;
  }
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(right == 100);

  using Megabyte = std::array<unsigned char, 1 << 20>;
  const auto large = std::make_unique<Megabyte>();
  large->fill(7);
  std::size_t sum = 0;
  const auto add_up = [&sum](const Megabyte& bytes) {
    for (const unsigned char byte : bytes) {
      sum += byte;
    }
  };
  queue.add_task(add_up, *large);
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(sum == 7U << 20);
}

TEST_CASE("captures of every size around the limit of a closure arrive unchanged", "[task_queue][E9]") {
  TaskQueue queue;
  int right = 0;
  const auto check = [&]<std::size_t... Sizes>(std::index_sequence<Sizes...>) {
    const auto one = [&]<std::size_t Size>(std::integral_constant<std::size_t, Size>) {
      std::array<unsigned char, Size + 1> bytes;
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<unsigned char>(i + 1);
      }
      queue.add_task([&right, bytes] {
        bool same = true;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
          same = same && bytes[i] == static_cast<unsigned char>(i + 1);
        }
        right += same ? 1 : 0;
      });
    };
    (one(std::integral_constant<std::size_t, Sizes>()), ...);
  };
  check(std::make_index_sequence<64>());
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(right == 64);
}

TEST_CASE("add_task ignores what the callable returns", "[task_queue][E10]") {
  Lifetimes results;
  TaskQueue queue;
  std::thread::id worker;
  queue.add_task([&] {
    worker = std::this_thread::get_id();
    return Counted(results);
  });
  queue.add_task([&results, text = std::string("not trivial")] { return Counted(results); });
  bool next_saw_none = false;
  queue.add_task([&] { next_saw_none = results.alive() == 0; });
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(results.made == results.destroyed);
  REQUIRE(results.made >= 2);
  REQUIRE(next_saw_none);
  REQUIRE(results.last_destroyed_on == worker);
}

namespace {

toto::Task<> append(TaskQueue& queue, std::vector<int>& order, int number) {
  order.push_back(number);
  co_await queue.schedule();  // behind what is queued now
  order.push_back(number + 1);
  const int result = co_await queue.yield_task([number] { return number + 2; });
  order.push_back(result);
}

}  // namespace

TEST_CASE("add_task given a coroutine runs it to its end", "[task_queue][E11]") {
  std::vector<int> order;
  int reported = 0;
  {
    TaskQueue queue;
    queue.on_error([&reported](const std::exception_ptr&, const toto::TaskInfo&) { ++reported; });
    SECTION("a function") {
      queue.add_task(append, std::ref(queue), std::ref(order), 1);
    }
    SECTION("a capturing lambda") {
      queue.add_task([&order, &queue, one = std::make_unique<int>(1)]() -> toto::Task<> {
        order.push_back(*one);
        co_await queue.schedule();
        order.push_back(*one + 1);
        order.push_back(co_await queue.yield_task([] { return 3; }));
      });
    }
    SECTION("a coroutine that awaits another one") {
      queue.add_task([&]() -> toto::Task<> { co_await append(queue, order, 1); });
    }
    SECTION("a coroutine with a result that nobody wants") {
      queue.add_task([&]() -> toto::Task<std::string> {
        co_await append(queue, order, 1);
        co_return "dropped";
      });
    }
    SECTION("a coroutine that throws in the end") {
      queue.add_task([&]() -> toto::Task<> {
        co_await append(queue, order, 1);
        throw std::runtime_error("in the end");
      });
      REQUIRE(queue.wait_idle_for(kPatience));
      REQUIRE(reported == 1);
      reported = 0;
    }
    REQUIRE(queue.wait_idle_for(kPatience));  // it awaits tasks of the queue, which must not be closed before
    REQUIRE(queue.stats().suspended == 0);
  }
  REQUIRE(order == std::vector<int>{1, 2, 3});
  REQUIRE(reported == 0);
}

TEST_CASE("adding never runs a task inline, so the adder may hold a mutex that the task takes", "[task_queue][M7]") {
  const auto overflow = GENERATE(toto::Overflow::block, toto::Overflow::reject, toto::Overflow::discard_oldest);
  std::mutex mutex;
  int ran = 0;
  TaskQueue queue({.thread_count = 2, .max_queued = 8, .overflow = overflow});
  const auto task = [&] {
    const std::lock_guard lock(mutex);
    ++ran;
  };
  toto::TaskHandle<> handle;
  {
    const std::lock_guard lock(mutex);
    queue.add_task(task);
    handle = queue.yield_task(task);
    REQUIRE(queue.try_add_task(task));
    queue.limited(1, "one").add_task(task);
    queue.with({.priority = 3}).add_task(task);
    REQUIRE(ran == 0);
  }
  REQUIRE(handle.wait_for(kPatience));
  REQUIRE(queue.wait_idle_for(kPatience));
  REQUIRE(ran == 5);
}
