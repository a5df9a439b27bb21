// SPDX-License-Identifier: MIT
//
// What a value is, not what it converts to: values that compare with nullptr, callables whose parameters take anything,
// hooks that return numbers, objects that convert to owners.

#include <toto/tasks.hpp>

#include <any>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using toto::InstancePool;
using toto::TaskQueue;

namespace {

/// Like the value types of JSON libraries: it is made from null, or from anything else, and converts to anything.
class Json {
 public:
  Json() = default;
  Json(std::nullptr_t) : is_null_(true) {}
  template <class T>
  operator T() const {
    throw std::logic_error("a Json was converted");
  }
  bool is_null() const { return is_null_; }
  bool is_same(const Json& other) const { return is_null_ == other.is_null_; }
  [[maybe_unused]] friend bool operator==(const Json& a, const Json& b) { return a.is_null_ == b.is_null_; }

 private:
  bool is_null_ = false;
};

struct Node {
  int number = 4;
  int value() const { return number; }
};

/// A smart pointer that is not the standard library's.
template <class T>
class Handle {
 public:
  using element_type = T;
  explicit Handle(T* object = nullptr) : object_(object) {}
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

/// std::move_only_function and its like.
template <class Signature>
class Function;
template <class R>
class Function<R()> {
 public:
  explicit Function(R (*function)()) : function_(function) {}
  explicit operator bool() const { return function_ != nullptr; }
  R operator()() const { return function_(); }

 private:
  R (*function_)();
};

int seven() {
  return 7;
}

template <class F, class... Args>
concept CanBeAdded = toto::detail::CallTraits<toto::StdRuntime, std::decay_t<F>, std::decay_t<Args>...>::kValid;
template <class Call>
constexpr bool is_call = toto::detail::CallTraits<toto::StdRuntime, Call>::kValid;

}  // namespace

TEST_CASE("a value that compares with nullptr by a conversion is not asked whether it is null", "[misuse][U9]") {
  TaskQueue queue;
  const std::string_view text = "hello";
  REQUIRE(queue.yield_task(&std::string_view::size, text).get() == 5);
  REQUIRE(queue.yield_task(&Json::is_null, Json(nullptr)).get());
  using Value = int* const& (std::optional<int*>::*)() const&;
  queue.add_task(static_cast<Value>(&std::optional<int*>::value), std::optional<int*>(nullptr));
  queue.add_task(&Json::is_null, Json(nullptr));
  toto::EventLoop loop;
  loop.post([value = Json(nullptr)] { static_cast<void>(value.is_null()); });
  loop.run();
}

TEST_CASE("a null smart pointer is an object like another one for its own members", "[misuse][U9]") {
  TaskQueue queue;
  REQUIRE(queue.yield_task(&std::shared_ptr<Node>::use_count, std::shared_ptr<Node>()).get() == 0);
  REQUIRE(queue.yield_task(&Handle<Node>::get, Handle<Node>()).get() == nullptr);
}

TEST_CASE("null pointers, smart pointers and function wrappers are refused", "[misuse][U3][U9]") {
  TaskQueue queue;
  const auto refused = [&queue](auto fn, auto... args) {
    REQUIRE_THROWS_AS(queue.add_task(std::move(fn), std::move(args)...), std::invalid_argument);
  };
  refused(&Node::value, static_cast<Node*>(nullptr));
  refused(&Node::value, std::shared_ptr<Node>());
  refused(&Node::number, std::unique_ptr<Node>());
  refused(&Node::value, Handle<Node>());
  refused(static_cast<int (Node::*)() const>(nullptr), Node());
  refused(static_cast<int (*)()>(nullptr));
  refused(std::function<int()>());
  refused(Function<int()>(nullptr));
  REQUIRE_THROWS_AS(queue.add_task(toto::not_a_temporary(std::function<int()>())), std::invalid_argument);
  REQUIRE_THROWS_AS(queue.add_task(&Node::value, toto::not_a_temporary(std::shared_ptr<Node>())),
                    std::invalid_argument);
  REQUIRE(queue.yield_task(Function<int()>(&seven)).get() == 7);
  Node node;
  REQUIRE(queue.yield_task(&Node::value, Handle<Node>(&node)).get() == 4);
  REQUIRE(queue.yield_task(&Node::value, std::ref(node)).get() == 4);
}

TEST_CASE("a parameter that takes anything is not given a stop token", "[task_queue][U5]") {
  const auto takes_any = [](std::any) {};
  const auto takes_any_and_number = [](const std::any&, int) {};
  const auto takes_token = [](toto::StopToken, int) {};
  const auto takes_token_by_reference = [](const toto::StopToken&, int) noexcept {};
  const auto takes_whatever = [](auto token, int) { return token.stop_requested(); };
  STATIC_REQUIRE(CanBeAdded<decltype(takes_any), int>);
  STATIC_REQUIRE(!CanBeAdded<decltype(takes_any)>);
  STATIC_REQUIRE(!CanBeAdded<decltype(takes_any_and_number), int>);
  STATIC_REQUIRE(!CanBeAdded<void (*)(std::any, int), int>);
  STATIC_REQUIRE(!CanBeAdded<std::function<void(std::any, int)>, int>);
  STATIC_REQUIRE(CanBeAdded<decltype(takes_token), int>);
  STATIC_REQUIRE(CanBeAdded<decltype(takes_token_by_reference), int>);
  STATIC_REQUIRE(CanBeAdded<decltype(takes_whatever), int>);
  STATIC_REQUIRE(CanBeAdded<void (*)(toto::StopToken, int) noexcept, int>);
  STATIC_REQUIRE(CanBeAdded<std::function<void(toto::StopToken, int)>, int>);
}

TEST_CASE("nor is a method's, in an AwaitableInstance and in a pool", "[awaitable_instance][instance_pool][U5]") {
  struct Store {
    void put(std::any) {}
    int stop(toto::StopToken) { return 1; }
  };
  using Runtime = toto::StdRuntime;
  using Put = void (Store::*)(std::any);
  using Stop = int (Store::*)(toto::StopToken);
  STATIC_REQUIRE(!is_call<toto::detail::InstanceCall<Store, Runtime, Put>>);
  STATIC_REQUIRE(is_call<toto::detail::InstanceCall<Store, Runtime, Stop>>);
  STATIC_REQUIRE(!is_call<toto::detail::Transaction<Store, Runtime, Put>>);
  STATIC_REQUIRE(is_call<toto::detail::Transaction<Store, Runtime, Stop>>);
  const auto any_first = [](std::any, Store&) {};
  const auto token_first = [](toto::StopToken, Store&) {};
  STATIC_REQUIRE(!is_call<toto::detail::InstanceCall<Store, Runtime, decltype(any_first)>>);
  STATIC_REQUIRE(is_call<toto::detail::InstanceCall<Store, Runtime, decltype(token_first)>>);
  STATIC_REQUIRE(!is_call<toto::detail::Transaction<Store, Runtime, decltype(any_first)>>);
  STATIC_REQUIRE(is_call<toto::detail::Transaction<Store, Runtime, decltype(token_first)>>);

  TaskQueue queue;
  toto::AwaitableInstance store(Store(), queue);
  store(&Store::put, 1).get();
  REQUIRE(store(&Store::stop).get() == 1);
  InstancePool<Store> pool{Store()};
  REQUIRE(pool.await(queue)(&Store::stop).get() == 1);
}

TEST_CASE("a hook is told of a failure in a bool, and says yes or no in one", "[instance_pool][U5]") {
  struct Item {
    int reset(int) { return 0; }
    bool told(bool failed) { return !failed; }
  };
  using toto::detail::ReturnHook;
  const auto with_number = [](Item&, int = 3) {};
  const auto told = [](Item&, bool) {};
  const auto error_code = [](Item&) { return 0; };
  const auto verdict = [](Item&) { return true; };
  STATIC_REQUIRE(ReturnHook<decltype(with_number)&, Item>);  // not with the number
  STATIC_REQUIRE(!toto::detail::ToldOfFailure<decltype(with_number)&, Item>);
  STATIC_REQUIRE(toto::detail::ToldOfFailure<decltype(told)&, Item>);
  STATIC_REQUIRE(ReturnHook<decltype(told)&, Item>);
  STATIC_REQUIRE(ReturnHook<decltype(verdict)&, Item>);
  STATIC_REQUIRE(!ReturnHook<decltype(error_code)&, Item>);
  STATIC_REQUIRE(!ReturnHook<int (Item::*&)(int), Item>);
  STATIC_REQUIRE(ReturnHook<bool (Item::*&)(bool), Item>);

  int number = 0;
  InstancePool<Item> pool{Item()};
  pool.on_return([&number](Item&, int given = 3) { number = given; });
  pool([](Item&) {});
  REQUIRE(number == 3);
}

TEST_CASE("an object that converts to owners is wrapped itself", "[awaitable_instance]") {
  TaskQueue queue;
  Json named;
  toto::AwaitableInstance by_reference(named, queue);
  toto::AwaitableInstance owned(Json(nullptr), queue);
  REQUIRE_FALSE(by_reference(&Json::is_null).get());
  REQUIRE(owned(&Json::is_null).get());
}

TEST_CASE("null is no name of a queue", "[instance_pool]") {
  STATIC_REQUIRE(!std::is_convertible_v<std::nullptr_t, toto::QueueChoice<>>);
  STATIC_REQUIRE(std::is_convertible_v<const char*, toto::QueueChoice<>>);
}
