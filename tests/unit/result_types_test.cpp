// SPDX-License-Identifier: MIT
//
// What a task may return: through a handle, a coroutine task, and a Task that is awaited.

#include <toto/tasks.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/lifetime_counter.hpp"

using namespace toto_tests;

namespace {

// The type of a task's result: as the callable returns it, an rvalue reference and a const value as a plain value.

template <class F>
using HandleOf = decltype(std::declval<toto::TaskQueue&>().yield_task(std::declval<F>()));
template <class R, class F>
constexpr bool gives = std::is_base_of_v<toto::TaskHandle<R>, HandleOf<F>>;

int global = 0;
static_assert(gives<void, void (*)()>);
static_assert(gives<int, int (*)()>);
static_assert(gives<int&, int& (*)()>);
static_assert(gives<const int&, const int& (*)()>);
static_assert(gives < int, int && (*)() >);
static_assert(gives < std::string, const std::string && (*)() >);
static_assert(gives<int*, int* (*)()>);
static_assert(gives<int, toto::Task<int> (*)()>);
static_assert(gives<int&, toto::Task<int&> (*)()>);
static_assert(gives<void, toto::Task<> (*)()>);

template <class A>
using Awaited = decltype(std::declval<A>().operator co_await().await_resume());
static_assert(std::is_same_v<Awaited<toto::TaskHandle<>>, void>);
static_assert(std::is_same_v<Awaited<toto::TaskHandle<int>>, int>);
static_assert(std::is_same_v<Awaited<toto::TaskHandle<int&>>, int&>);
static_assert(std::is_same_v<Awaited<toto::TaskHandle<const int&>>, const int&>);
static_assert(std::is_same_v<Awaited<toto::Task<int&>>, int&>);
static_assert(std::is_same_v<decltype(std::declval<toto::TaskHandle<int&>>().get()), int&>);

struct MoveOnly {
  std::unique_ptr<int> value;
  explicit MoveOnly(int number) : value(std::make_unique<int>(number)) {}
};
struct CopyOnly {
  int value;
  explicit CopyOnly(int number) : value(number) {}
  CopyOnly(const CopyOnly&) = default;
  CopyOnly& operator=(const CopyOnly&) = delete;
};
struct NeverMoved {
  int value;
  explicit NeverMoved(int number) : value(number) {}
  NeverMoved(const NeverMoved&) = default;
  NeverMoved(NeverMoved&&) = delete;
};
static_assert(!std::is_move_constructible_v<NeverMoved>);

struct Constant {
  const int value;
  explicit Constant(int number) : value(number) {}
};
static_assert(!std::is_default_constructible_v<MoveOnly> && !std::is_copy_constructible_v<MoveOnly>);
static_assert(!std::is_assignable_v<CopyOnly&, CopyOnly>);

template <class R>
toto::Task<R> give(int number) {
  co_return R(number);
}

/// The same result in the three ways there are.
template <class R>
int through_all_ways() {
  toto::TaskQueue queue;
  const R from_handle = queue.yield_task([](int number) { return R(number); }, 1).get();
  const R from_coroutine = queue.yield_task(give<R>, 20).get();
  const R from_task = toto::sync_wait(give<R>(300));
  if constexpr (std::is_same_v<R, MoveOnly>) {
    return *from_handle.value + *from_coroutine.value + *from_task.value;
  } else {
    return from_handle.value + from_coroutine.value + from_task.value;
  }
}

/// Fails when it is moved for the n-th time.
class Fragile {
 public:
  Fragile(Lifetimes& lifetimes, int moves_left) : counted_(lifetimes), moves_left_(moves_left) {}
  Fragile(Fragile&& other) : counted_(other.counted_), moves_left_(other.moves_left_ - 1) {
    if (moves_left_ < 0) {
      throw std::runtime_error("dropped while moving house");
    }
  }
  Fragile& operator=(Fragile&&) = delete;

 private:
  Counted counted_;
  int moves_left_;
};

struct alignas(128) Aligned {
  bool well_placed;
  Aligned() : well_placed(is_well_placed(reinterpret_cast<std::uintptr_t>(this))) {}
  Aligned(const Aligned& other)
      : well_placed(other.well_placed && is_well_placed(reinterpret_cast<std::uintptr_t>(this))) {}
  Aligned& operator=(const Aligned&) = delete;

 private:
  static bool is_well_placed(std::uintptr_t place) { return place % 128 == 0; }
};

/// A megabyte that knows how often it was copied and moved.
struct Large : Counted {
  using Counted::Counted;
  std::array<std::byte, 1 << 20> bytes{};
};

int& global_reference() {
  return global;
}
toto::Task<int&> global_from_coroutine() {
  co_return global;
}

}  // namespace

TEST_CASE("a task may return nothing or a value", "[task_handle][G11]") {
  toto::TaskQueue queue;
  bool ran = false;
  queue.yield_task([&] { ran = true; }).get();
  CHECK(ran);
  CHECK(queue.yield_task([] { return 42; }).get() == 42);
  CHECK(queue.yield_task([] { return std::string("text"); }).get() == "text");
  CHECK(queue.yield_task([]() -> const std::string { return "constant text"; }).get() == "constant text");
}

TEST_CASE("an rvalue reference becomes a value that does not refer to anything", "[task_handle][G11]") {
  toto::TaskQueue queue;
  auto source = std::make_shared<std::string>("moved out");
  auto handle = queue.yield_task([source]() -> std::string&& { return std::move(*source); });
  handle.wait();
  CHECK(source->empty());
  CHECK(handle.get() == "moved out");
}

TEST_CASE("a reference that a task returns refers to the object itself, not to a copy", "[task_handle][G11][G12]") {
  toto::TaskQueue queue;
  int local = 0;
  const std::string text = "constant";
  CHECK(&queue.yield_task([&local]() -> int& { return local; }).get() == &local);
  CHECK(&queue.yield_task([&text]() -> const std::string& { return text; }).get() == &text);
  CHECK(&queue.yield_task(global_reference).get() == &global);
  CHECK(&queue.yield_task(global_from_coroutine).get() == &global);
  CHECK(&toto::sync_wait(global_from_coroutine()) == &global);
}

TEST_CASE("a reference to a derived object is given as one to its base", "[task_handle][G12]") {
  struct Base {
    int value = 0;
  };
  struct Derived : Base {};
  toto::TaskQueue queue;
  Derived object;
  Base& base = queue.yield_task([&]() -> Base& { return object; }).get();
  CHECK(&base == &object);
}

TEST_CASE("a result may be move-only", "[task_handle][G13]") {
  CHECK(through_all_ways<MoveOnly>() == 321);
}

TEST_CASE("a result may be copyable only, and not assignable", "[task_handle][G13]") {
  CHECK(through_all_ways<CopyOnly>() == 321);
}

TEST_CASE("a result that refuses to be moved is copied, whoever takes it", "[task_handle][G13]") {
  CHECK(through_all_ways<NeverMoved>() == 321);

  toto::TaskQueue queue;
  const auto coroutine = [](int number) -> toto::Task<NeverMoved> {
    NeverMoved local(number);
    co_return local;
  };
  const auto of_all = [&]() -> toto::Task<int> {
    const NeverMoved called = co_await queue.call([] { return NeverMoved(1); });
    auto limited = queue.yield_task([] { return NeverMoved(20); });
    const NeverMoved in_time = co_await std::move(limited).timeout(std::chrono::minutes(1));
    auto [first, second] = co_await toto::when_all(coroutine(100), queue.yield_task(coroutine, 200));
    auto any = co_await toto::when_any(coroutine(1000));
    auto [settled] = co_await toto::when_all_settled(coroutine(2000));
    // Not when_all of a range: a std::vector does not promise to hold what cannot be moved.
    co_return called.value + in_time.value + first.value + second.value + any.result.value + settled.value().value;
  };
  CHECK(toto::sync_wait(of_all()) == 3321);

  toto::InstancePool pool(5);
  CHECK(pool([](int number) { return NeverMoved(number); }).value == 5);
  CHECK(pool.await_transaction([](int number) { return NeverMoved(number); }).get().value == 5);
}

TEST_CASE("a result may have constant members", "[task_handle][G13]") {
  CHECK(through_all_ways<Constant>() == 321);
}

TEST_CASE("a result may be optional, a vector of move-only things, or an exception pointer", "[task_handle][G13]") {
  toto::TaskQueue queue;
  CHECK(queue.yield_task([] { return std::optional<int>(); }).get() == std::nullopt);
  const auto all = queue
                       .yield_task([] {
                         std::vector<std::unique_ptr<int>> some;
                         some.push_back(std::make_unique<int>(8));
                         return some;
                       })
                       .get();
  CHECK(*all.at(0) == 8);
  const auto failure = std::make_exception_ptr(std::runtime_error("kept, not thrown"));
  CHECK(queue.yield_task([&] { return failure; }).get() == failure);
}

TEST_CASE("a result whose move throws inside the task becomes the failure of the task", "[task_handle][G14]") {
  Lifetimes results;
  {
    toto::TaskQueue queue;
    auto source = std::make_shared<Fragile>(results, 0);
    auto handle = queue.yield_task([source] { return Fragile(std::move(*source)); });
    CHECK_THROWS_WITH(handle.get(), "dropped while moving house");
    CHECK_FALSE(handle.valid());
    auto coroutine = queue.yield_task(
        [](Lifetimes& lifetimes) -> toto::Task<Fragile> { co_return Fragile(lifetimes, 0); }, std::ref(results));
    CHECK_THROWS_WITH(coroutine.get(), "dropped while moving house");
  }
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("a result whose move throws as it is taken throws there, and is destroyed once", "[task_handle][G14]") {
  Lifetimes results;
  {
    toto::TaskQueue queue;
    auto handle = queue.yield_task([&] { return Fragile(results, 0); });  // made in place
    CHECK_THROWS_WITH(handle.get(), "dropped while moving house");
    CHECK_FALSE(handle.valid());
    CHECK_THROWS_AS(handle.get(), toto::NoState);

    auto awaited = queue.yield_task([&] { return Fragile(results, 0); });
    CHECK_THROWS_WITH(
        toto::sync_wait([](toto::TaskHandle<Fragile> mine) -> toto::Task<> { co_await mine; }(std::move(awaited))),
        "dropped while moving house");
  }
  CHECK(results.made >= 2);
  CHECK(results.alive() == 0);
}

TEST_CASE("a large result is made in place, and never copied", "[task_handle][G15]") {
  Lifetimes results;
  {
    toto::TaskQueue queue;
    auto handle = queue.yield_task([&] { return std::make_unique<Large>(results); });
    handle.wait();
    CHECK(results.made == 1);
    auto direct = queue.yield_task([&] { return Large(results); });
    direct.wait();
    CHECK(results.made == 2);  // made where it is kept
    const std::unique_ptr<Large> taken(new Large(direct.get()));
    CHECK(results.moved == 1);  // and moved once to where it is wanted
    CHECK(results.copied == 0);
    CHECK(taken->bytes[12345] == std::byte{0});
  }
  CHECK(results.alive() == 0);
}

TEST_CASE("an over-aligned result of a task is aligned", "[task_handle][G15]") {
  toto::TaskQueue queue;
  std::vector<toto::TaskHandle<Aligned>> handles;
  for (int i = 0; i < 20; ++i) {  // an allocator may return aligned memory by chance
    handles.push_back(queue.yield_task([] { return Aligned(); }));
  }
  bool all = true;
  for (auto& handle : handles) {
    all = handle.get().well_placed && all;
  }
  CHECK(all);
}
