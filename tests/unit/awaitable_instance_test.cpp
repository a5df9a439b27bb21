// SPDX-License-Identifier: MIT
//
// AwaitableInstance: what can be wrapped and called, and how long the object lives. Order and overlap are in
// awaitable_instance_order_test.cpp.

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"
#include "support/gate.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// The class of the seed's own test.
class Number {
 public:
  explicit Number(int value) : value_(value) {}
  int increment() { return ++value_; }
  int value() const noexcept { return value_; }
  void set(int value) { value_ = value; }
  int fail() { throw std::runtime_error("no such number"); }
  int add(int by) { return value_ += by; }
  double add(double by) { return static_cast<double>(value_) + by; }
  std::string take(std::unique_ptr<std::string> text) { return *text + std::to_string(value_); }
  std::string move(std::string&& text) { return std::move(text); }
  int& reference() { return value_; }
  toto::Task<int> increment_later(std::chrono::milliseconds delay) {
    co_await toto::sleep_for(delay);
    co_return ++value_;
  }
  int public_value = 5;

 private:
  int value_;
};

/// Records whether and where it was destroyed.
class Witness {
 public:
  explicit Witness(Lifetimes& lifetimes) : counted_(lifetimes) {}
  std::thread::id here() const { return std::this_thread::get_id(); }
  void wait(Gate& gate) const { gate.wait(); }

 private:
  Counted counted_;
};

}  // namespace

TEST_CASE("the seed's own example: increment gives 2, 3, 4, and the value is 4 then", "[awaitable_instance][P1]") {
  struct Example {
    static toto::Task<> run(std::string& results) {
      toto::TaskQueue queue;
      const toto::AwaitableInstance number(Number(1), queue);
      for (int i = 0; i < 3; ++i) {
        results += std::to_string(co_await number(&Number::increment));
      }
      results += std::to_string(co_await number(&Number::value));
    }
  };
  std::string results;
  toto::EventLoop loop;
  loop.spawn(Example::run(results));
  loop.run();
  REQUIRE(results == "2344");
}

TEST_CASE("a call gives what the method returns, void included", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  const toto::AwaitableInstance number(Number(1), queue);
  auto set = number(&Number::set, 7);
  static_assert(std::is_same_v<decltype(set), toto::TaskHandle<void>>);
  set.get();
  auto value = number(&Number::value);  // const and noexcept
  static_assert(std::is_same_v<decltype(value), toto::TaskHandle<int>>);
  REQUIRE(value.get() == 7);
}

TEST_CASE("a call rethrows what the method throws, and the next call works", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  const toto::AwaitableInstance number(Number(1), queue);
  auto failing = number(&Number::fail);
  REQUIRE_THROWS_WITH(failing.get(), "no such number");
  REQUIRE(number(&Number::increment).get() == 2);
}

TEST_CASE("an overload is called by naming its type", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  const toto::AwaitableInstance number(Number(1), queue);
  REQUIRE(number(static_cast<int (Number::*)(int)>(&Number::add), 2).get() == 3);
  REQUIRE(number(static_cast<double (Number::*)(double)>(&Number::add), 0.5).get() == 3.5);
}

TEST_CASE("arguments may be move-only, and methods may take them by rvalue reference", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  const toto::AwaitableInstance number(Number(1), queue);
  toto::TaskHandle<std::string> taken = number(&Number::take, std::make_unique<std::string>("n"));
  REQUIRE(taken.get() == "n1");
  toto::TaskHandle<std::string> moved = number(&Number::move, std::string("moved"));
  REQUIRE(moved.get() == "moved");
}

TEST_CASE("a data member, a function and a lambda that takes the object can be called", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  const toto::AwaitableInstance number(Number(1), queue);
  REQUIRE(number(&Number::public_value).get() == 5);
  REQUIRE(number([](Number& object, int by) { return object.value() + by; }, 10).get() == 11);
  struct Function {
    static int twice(const Number& object) { return 2 * object.value(); }
  };
  REQUIRE(number(&Function::twice).get() == 2);
  toto::TaskHandle<int> owning =
      number([extra = std::make_unique<int>(3)](const Number& object) { return object.value() + *extra; });
  REQUIRE(owning.get() == 4);
}

TEST_CASE("a function that takes a stop token gets one in front of the object", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  int object = 5;
  toto::AwaitableInstance number(object, queue);
  CHECK(number([](const toto::StopToken& token, int& value) { return token.stop_possible() ? value : 0; }).get() == 5);
  CHECK(number([](const toto::StopToken&, int& value, int more) { return value + more; }, 2).get() == 7);
  CHECK(number([](int& value) { return value; }).get() == 5);
}

TEST_CASE("a method that takes a stop token gets one in front of its arguments", "[awaitable_instance][P1]") {
  struct Patient {
    int wait(const toto::StopToken& token, Gate& begun) {
      begun.open();
      const auto deadline = std::chrono::steady_clock::now() + kPatience;
      while (!token.stop_requested() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
      }
      return token.stop_requested() ? 1 : 0;
    }
  };
  Gate begun;
  toto::TaskQueue queue;
  const toto::AwaitableInstance patient(Patient{}, queue);
  auto call = patient(&Patient::wait, std::ref(begun));
  REQUIRE(begun.wait());
  REQUIRE_FALSE(call.cancel());
  REQUIRE(call.get() == 1);
}

TEST_CASE("a method that returns a Task gives what the coroutine gives", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  const toto::AwaitableInstance number(Number(1), queue);
  auto later = number(&Number::increment_later, 1ms);
  static_assert(std::is_same_v<decltype(later), toto::TaskHandle<int>>);
  REQUIRE(later.get() == 2);
}

TEST_CASE("a wrapper is made of a reference, a value, and each kind of smart pointer", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  Number object(1);
  const toto::AwaitableInstance by_reference(object, queue);
  static_assert(std::is_same_v<decltype(by_reference), const toto::AwaitableInstance<Number>>);
  REQUIRE(by_reference(&Number::increment).get() == 2);
  REQUIRE(object.value() == 2);

  const Number constant(5);
  const toto::AwaitableInstance by_constant_reference(constant, queue);
  REQUIRE(by_constant_reference(&Number::value).get() == 5);

  const toto::AwaitableInstance by_value(Number(2), queue);
  static_assert(std::is_same_v<decltype(by_value), const toto::AwaitableInstance<Number>>);
  REQUIRE(by_value(&Number::increment).get() == 3);

  auto shared = std::make_shared<Number>(3);
  const toto::AwaitableInstance by_shared(shared, queue);
  static_assert(std::is_same_v<decltype(by_shared), const toto::AwaitableInstance<Number>>);
  REQUIRE(by_shared(&Number::increment).get() == 4);
  REQUIRE(shared->value() == 4);

  const toto::AwaitableInstance by_unique(std::make_unique<Number>(4), queue);
  static_assert(std::is_same_v<decltype(by_unique), const toto::AwaitableInstance<Number>>);
  REQUIRE(by_unique(&Number::increment).get() == 5);

  const toto::AwaitableInstance by_weak(std::weak_ptr<Number>(shared), queue);
  static_assert(std::is_same_v<decltype(by_weak), const toto::AwaitableInstance<Number>>);
  REQUIRE(by_weak(&Number::increment).get() == 5);
}

TEST_CASE("a constant smart pointer is a smart pointer too", "[awaitable_instance][P1]") {
  toto::TaskQueue queue;
  const auto shared = std::make_shared<Number>(3);
  const toto::AwaitableInstance by_shared(shared, queue);
  CHECK(std::is_same_v<decltype(by_shared), const toto::AwaitableInstance<Number>>);
  const std::weak_ptr<Number> weak = shared;
  const toto::AwaitableInstance by_weak(weak, queue);
  CHECK(std::is_same_v<decltype(by_weak), const toto::AwaitableInstance<Number>>);
}

TEST_CASE("what owns or observes an object of a derived class wraps its base", "[awaitable_instance][P1]") {
  struct Derived : Number {
    Derived() : Number(7) {}
  };
  toto::TaskQueue queue;
  const auto shared = std::make_shared<Derived>();
  const toto::AwaitableInstance<Number> by_shared(shared, queue);
  CHECK(by_shared(&Number::increment).get() == 8);
  const toto::AwaitableInstance<Number> by_unique(std::make_unique<Derived>(), queue);
  CHECK(by_unique(&Number::increment).get() == 8);
  std::weak_ptr<Derived> weak = shared;
  const toto::AwaitableInstance<Number> by_weak(weak, queue);
  CHECK(by_weak(&Number::increment).get() == 9);
  const toto::AwaitableInstance<Number> by_moved_weak(std::move(weak), queue);
  CHECK(by_moved_weak(&Number::increment).get() == 10);
  const toto::AwaitableInstance<const Number> by_weak_to_constant(std::weak_ptr<const Derived>(shared), queue);
  CHECK(by_weak_to_constant(&Number::value).get() == 10);
}

TEST_CASE("a null instance and a null callable are refused in the caller", "[awaitable_instance][P1][U4]") {
  toto::TaskQueue queue;
  REQUIRE_THROWS_AS(toto::AwaitableInstance(std::shared_ptr<Number>(), queue), std::invalid_argument);
  REQUIRE_THROWS_AS(toto::AwaitableInstance(std::unique_ptr<Number>(), queue), std::invalid_argument);
  const toto::AwaitableInstance number(Number(1), queue);
  int (Number::*none)() = nullptr;
  REQUIRE_THROWS_AS(static_cast<void>(number(none)), std::invalid_argument);
  REQUIRE_THROWS_AS(static_cast<void>(number(std::function<int(Number&)>())), std::invalid_argument);
  REQUIRE(queue.size() == 0);
  REQUIRE(number(&Number::increment).get() == 2);
}

TEST_CASE("an object that is only observed is gone for calls that come too late, and alive during others",
          "[awaitable_instance][P4]") {
  Gate begun;
  Gate gate;
  toto::TaskQueue queue;
  Lifetimes lifetimes;
  auto owner = std::make_shared<Witness>(lifetimes);
  const toto::AwaitableInstance observer(std::weak_ptr<Witness>(owner), queue);
  auto running = observer([&](Witness&) {
    begun.open();
    gate.wait();
    return lifetimes.alive();
  });
  auto late = observer(&Witness::here);
  REQUIRE(begun.wait());
  owner.reset();
  REQUIRE(lifetimes.alive() == 1);
  gate.open();
  REQUIRE(running.get() == 1);
  REQUIRE_THROWS_AS(late.get(), toto::InstanceGone);
  REQUIRE(lifetimes.alive() == 0);
}

TEST_CASE("an owned object outlives its wrapper until the last accepted call is over", "[awaitable_instance][P4]") {
  Gate gate;
  toto::TaskQueue queue;
  Lifetimes lifetimes;
  toto::TaskHandle<> first;
  toto::TaskHandle<int> last;
  {
    const toto::AwaitableInstance witness(std::make_unique<Witness>(lifetimes), queue);
    first = witness(&Witness::wait, std::ref(gate));
    last = witness([&](Witness&) { return lifetimes.alive(); });
  }
  REQUIRE(lifetimes.alive() == 1);
  gate.open();
  REQUIRE(last.get() == 1);
  REQUIRE(lifetimes.alive() == 0);
}

TEST_CASE("an owned object outlives the coroutine that one of its methods returned", "[awaitable_instance][P4]") {
  struct Slow {
    explicit Slow(Lifetimes& lifetimes) : counted(lifetimes) {}
    toto::Task<int> look() {
      co_await toto::sleep_for(5ms);
      co_return counted.lifetimes().alive();
    }
    Counted counted;
  };
  toto::TaskQueue queue;
  Lifetimes lifetimes;
  toto::TaskHandle<int> look;
  {
    const toto::AwaitableInstance slow(std::make_unique<Slow>(lifetimes), queue);
    look = slow(&Slow::look);
  }
  REQUIRE(look.get() == 1);
  queue.wait_idle();
  REQUIRE(lifetimes.alive() == 0);
}

TEST_CASE("an owned object dies with its last owner, on that owner's thread", "[awaitable_instance][P5]") {
  Gate gate;
  toto::TaskQueue queue;
  Lifetimes lifetimes;
  std::thread::id worker;
  {
    const toto::AwaitableInstance witness(std::make_unique<Witness>(lifetimes), queue);
    worker = witness(&Witness::here).get();
    queue.wait_idle();
    REQUIRE(lifetimes.alive() == 1);
  }
  REQUIRE(lifetimes.alive() == 0);  // the wrapper was the last: on this thread
  REQUIRE(lifetimes.last_destroyed_on.load() == std::this_thread::get_id());

  toto::TaskHandle<> call;
  {
    const toto::AwaitableInstance witness(std::make_unique<Witness>(lifetimes), queue);
    call = witness(&Witness::wait, std::ref(gate));
  }
  gate.open();
  call.get();
  REQUIRE(lifetimes.alive() == 0);  // the call was the last: on the worker, before its result was published
  REQUIRE(lifetimes.last_destroyed_on.load() == worker);
}

TEST_CASE("an object whose calls are cancelled is let go of at once", "[awaitable_instance][P5]") {
  Lifetimes lifetimes;
  Gate gate;
  toto::TaskQueue queue;
  queue.add_task([&] { gate.wait(); });
  toto::TaskHandle<std::thread::id> first;
  toto::TaskHandle<std::thread::id> second;
  {
    const toto::AwaitableInstance witness(std::make_unique<Witness>(lifetimes), queue);
    first = witness(&Witness::here);
    second = witness(&Witness::here);
  }
  REQUIRE(second.cancel());
  REQUIRE(lifetimes.alive() == 1);
  REQUIRE(first.cancel());
  REQUIRE(lifetimes.alive() == 0);
  REQUIRE_THROWS_AS(first.get(), toto::TaskCancelled);
  REQUIRE_THROWS_AS(second.get(), toto::TaskCancelled);
  gate.open();
}

TEST_CASE("arguments are copied when the call is made, unless std::ref says otherwise", "[awaitable_instance][P6]") {
  Gate gate;
  toto::TaskQueue queue;
  queue.add_task([&] { gate.wait(); });
  const toto::AwaitableInstance number(Number(0), queue);
  int by = 1;
  auto copied = number([](Number&, int value) { return value; }, by);
  auto referred = number([](Number&, int& value) { return value; }, std::ref(by));
  by = 2;
  gate.open();
  REQUIRE(copied.get() == 1);
  REQUIRE(referred.get() == 2);
}

TEST_CASE("a returned reference refers to the object's member", "[awaitable_instance][P6]") {
  toto::TaskQueue queue;
  Number object(1);
  const toto::AwaitableInstance number(object, queue);
  auto handle = number(&Number::reference);
  static_assert(std::is_same_v<decltype(handle), toto::TaskHandle<int&>>);
  int& reference = handle.get();
  reference = 9;
  REQUIRE(object.value() == 9);
  int& data = number(&Number::public_value).get();
  REQUIRE(&data == &object.public_value);
}

TEST_CASE("a wrapper without a queue's name uses \"pool\"; a queue that does not exist is made once, with one thread",
          "[awaitable_instance][P7]") {
  REQUIRE(toto::TaskQueue::find("made by a wrapper") == nullptr);
  const toto::AwaitableInstance first(Number(1), "made by a wrapper");
  toto::TaskQueue* const made = toto::TaskQueue::find("made by a wrapper");
  REQUIRE(made != nullptr);
  REQUIRE(made->thread_count() == 1);
  REQUIRE(made->stats().threads == 0);
  const toto::AwaitableInstance second(Number(2), "made by a wrapper");
  REQUIRE(toto::TaskQueue::find("made by a wrapper") == made);
  REQUIRE(second([](Number&) { return toto::TaskQueue::current(); }).get() == made);

  const toto::AwaitableInstance third(Number(3));
  REQUIRE(third([](Number&) { return toto::TaskQueue::current(); }).get() == toto::TaskQueue::find("pool"));
  REQUIRE_THROWS_AS(toto::AwaitableInstance(Number(4), ""), std::invalid_argument);
}

TEST_CASE("a wrapper may outlive its queue: calls throw QueueClosed then", "[awaitable_instance][P4]") {
  auto queue = std::make_unique<toto::TaskQueue>(1, 60s, "short-lived");
  const toto::AwaitableInstance number(Number(1), *queue);
  auto accepted = number(&Number::increment);
  queue.reset();
  REQUIRE(accepted.get() == 2);
  REQUIRE_THROWS_AS(static_cast<void>(number(&Number::increment)), toto::QueueClosed);
  REQUIRE_THROWS_WITH(static_cast<void>(number(&Number::increment)), contains("short-lived"));
}
