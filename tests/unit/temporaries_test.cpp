// SPDX-License-Identifier: MIT
//
// Callables and arguments that own something, in co_await expressions. GCC before 13 destroys some temporaries there
// twice: what is left after the library has refused those (compile_fail/temporary_*.cpp) has to be clean under
// AddressSanitizer. See docs/how-to/gcc-12.md.

#include <toto/tasks.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/lifetime_counter.hpp"

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define TOTO_TESTS_OLD_GCC 1
#else
#define TOTO_TESTS_OLD_GCC 0
#endif

using namespace toto_tests;

namespace {

/// An aggregate that owns something.
struct Row {
  std::string text;
  std::vector<int> numbers;
};
struct CountRow {
  std::string suffix;
  std::size_t operator()() const { return suffix.size(); }
};
std::size_t size_of(const Row& row) {
  return row.text.size() + row.numbers.size();
}
std::size_t length(const std::string& text) {
  return text.size();
}

struct Service {
  std::string name = "a name that does not fit into a small string";
  std::size_t length(const std::string& more) const { return name.size() + more.size(); }
};

const std::string kText = "a text that does not fit into a small string";

// Which handles may be awaited as temporaries. Elsewhere: all of them.

template <class F, class... Args>
using HandleOf = decltype(std::declval<toto::TaskQueue&>().yield_task(std::declval<F>(), std::declval<Args>()...));
template <class F, class... Args>
constexpr bool plain = std::is_same_v<HandleOf<F, Args...>, toto::TaskHandle<std::size_t>>;

[[maybe_unused]] const auto captures_nothing = [] { return std::size_t{1}; };
const auto captures_text = [text = kText] { return text.size(); };
[[maybe_unused]] const auto captures_reference = [&text = kText] { return text.size(); };
using CapturesText = std::remove_const_t<decltype(captures_text)>;
static_assert(plain<std::size_t (*)()> && plain<decltype(captures_nothing)> && plain<decltype(captures_reference)>);
static_assert(plain<const CapturesText&> && plain<CapturesText&>);  // named
static_assert(plain<std::function<std::size_t()>> && plain<decltype(&length), std::string>);
static_assert(plain<decltype(&Service::length), Service*, std::string>);
static_assert(plain<decltype(&Service::length), std::shared_ptr<Service>, const char*>);
static_assert(plain<decltype(&size_of), Row&>);
static_assert(plain<CapturesText> == !TOTO_TESTS_OLD_GCC);
static_assert(plain<CountRow> == !TOTO_TESTS_OLD_GCC);
static_assert(plain<decltype(&size_of), Row> == !TOTO_TESTS_OLD_GCC);
static_assert(plain<decltype(toto::not_a_temporary(std::declval<CountRow>()))>);
static_assert(plain<decltype(&size_of), decltype(toto::not_a_temporary(std::declval<Row>()))>);

}  // namespace

TEST_CASE("named callables and arguments are copied into co_await expressions and destroyed once", "[await][G24]") {
  Lifetimes captures;
  {
    toto::TaskQueue queue;
    const auto await = [](toto::TaskQueue& tasks, Lifetimes& lifetimes) -> toto::Task<std::size_t> {
      std::size_t sum = 0;
      const auto work = [counted = Counted(lifetimes), text = kText] { return text.size(); };
      const CountRow functor{kText};
      Row row{kText, {1, 2, 3}};
      for (int i = 0; i < 3; ++i) {
        sum += co_await tasks.yield_task(work);
        sum += co_await tasks.yield_task(functor);
        sum += co_await tasks.yield_task(size_of, row);
        sum += co_await tasks.yield_task(size_of, std::ref(row)).resume_inline();
      }
      co_return sum;
    };
    CHECK(toto::sync_wait(await(queue, captures)) == 3 * (4 * kText.size() + 6));
  }
  CHECK(captures.made > 0);
  CHECK(captures.alive() == 0);
}

TEST_CASE("a handle that is stored first may come from any callable and any argument", "[await][G24]") {
  Lifetimes captures;
  {
    toto::TaskQueue queue;
    const auto await = [](toto::TaskQueue& tasks, Lifetimes& lifetimes) -> toto::Task<std::size_t> {
      std::size_t sum = 0;
      auto from_lambda = tasks.yield_task([counted = Counted(lifetimes), text = kText] { return text.size(); });
      sum += co_await from_lambda;
      toto::TaskHandle<std::size_t> typed =
          tasks.yield_task([counted = Counted(lifetimes), text = kText] { return text.size(); });
      sum += co_await std::move(typed);
      toto::TaskHandle<std::size_t> with_row = tasks.yield_task(size_of, Row{kText, {1}});
      sum += co_await std::move(with_row).resume_inline();
      auto from_functor = tasks.yield_task(CountRow{kText});
      auto elsewhere = std::move(from_functor).resume_on(toto::current_executor());
      sum += co_await elsewhere;
      auto first = tasks.yield_task([counted = Counted(lifetimes), text = kText] { return text.size(); });
      auto second = tasks.yield_task([counted = Counted(lifetimes)] { return 1; });
      const auto [a, b] = co_await toto::when_all(first, second);
      sum += a + static_cast<std::size_t>(b);
      std::vector<toto::TaskHandle<std::size_t>> several;
      several.push_back(tasks.yield_task([counted = Counted(lifetimes), text = kText] { return text.size(); }));
      several.push_back(tasks.yield_task(CountRow{kText}));
      const auto sizes = co_await toto::when_all(several);
      for (const std::size_t size : sizes) {
        sum += size;
      }
      auto coroutine = tasks.yield_task(
          [counted = Counted(lifetimes)](std::string text) -> toto::Task<std::size_t> { co_return text.size(); },
          kText);
      sum += co_await coroutine;
      co_return sum;
    };
    CHECK(toto::sync_wait(await(queue, captures)) == 8 * kText.size() + 2);
  }
  CHECK(captures.made > 0);
  CHECK(captures.alive() == 0);
}

TEST_CASE("references, trivial captures, member pointers and objects with constructors are fine as temporaries",
          "[await][G24]") {
  toto::TaskQueue queue;
  const auto await = [](toto::TaskQueue& tasks) -> toto::Task<std::size_t> {
    std::size_t sum = 0;
    std::string text = kText;
    Service service;
    const auto shared = std::make_shared<Service>();
    sum += co_await tasks.yield_task([&text] { return text.size(); });
    sum += co_await tasks.yield_task([number = std::size_t{1}] { return number; });
    sum += co_await tasks.yield_task([] { return std::size_t{1}; });
    sum += co_await tasks.yield_task(&Service::length, &service, kText);
    sum += co_await tasks.yield_task(&Service::length, shared, std::string(kText));
    sum += co_await tasks.yield_task(&Service::length, std::make_shared<Service>(), std::string(40, 'x'));
    sum += co_await tasks.yield_task(length, std::string(kText));
    sum += co_await tasks.yield_task(length, text + text);
    sum += co_await tasks.yield_task(length, std::move(text)).resume_inline();
    const std::function<std::size_t()> function = [owned = kText] { return owned.size(); };
    sum += co_await tasks.yield_task(function);
    sum += co_await tasks.yield_task(std::function<std::size_t()>(function));
    const auto [a, b] = co_await toto::when_all(tasks.yield_task(length, std::string(kText)),
                                                tasks.yield_task(length, std::string(kText)));
    co_return sum + a + b;
  };
  const std::size_t name = Service().name.size();
  CHECK(toto::sync_wait(await(queue)) == 1 * kText.size() + 2 + 2 * (name + kText.size()) + name + 40 + kText.size() +
                                             2 * kText.size() + kText.size() + 2 * kText.size() + 2 * kText.size());
}

TEST_CASE("not_a_temporary insists that a moved object is a named one", "[await][G24]") {
  toto::TaskQueue queue;
  const auto await = [](toto::TaskQueue& tasks) -> toto::Task<std::size_t> {
    CountRow functor{kText};
    Row row{kText, {1}};
    const std::size_t size = co_await tasks.yield_task(toto::not_a_temporary(std::move(functor)));
    co_return size + co_await tasks.yield_task(size_of, toto::not_a_temporary(std::move(row)));
  };
  CHECK(toto::sync_wait(await(queue)) == 2 * kText.size() + 1);
}

// The compile_fail/temporary_*_ok.cpp only have to compile. Here the same shapes run, with objects that are counted: a
// second destruction shows without AddressSanitizer, too.

TEST_CASE("what is wrapped around a named lambda may be awaited at once, and is destroyed once", "[await][G24]") {
  Lifetimes captures;
  {
    toto::TaskQueue queue;
    const auto await = [](toto::TaskQueue& tasks, Lifetimes& lifetimes) -> toto::Task<int> {
      int sum = 0;
      const auto named = [counted = Counted(lifetimes)] { return 1; };
      sum += co_await tasks.yield_task(std::bind(named));
      sum += co_await tasks.yield_task(std::function<int()>(named));
      class Local {
       public:
        explicit Local(Counted inside) : counted_(std::move(inside)) {}
        int operator()() const { return 1; }

       private:
        Counted counted_;
      };
      sum += co_await tasks.yield_task(Local(Counted(lifetimes)));
      const auto inside_a_lambda = [&]() -> toto::Task<> {
        class Inner : public Local {
          using Local::Local;
        };
        sum += co_await tasks.yield_task(Inner(Counted(lifetimes)));
      };
      co_await inside_a_lambda();
      auto stored = tasks.yield_task(std::bind([counted = Counted(lifetimes)] { return 1; }));
      sum += co_await stored;
      co_return sum;
    };
    CHECK(toto::sync_wait(await(queue, captures)) == 5);
  }
  CHECK(captures.made > 0);
  CHECK(captures.alive() == 0);
}

TEST_CASE("what not_a_temporary lets through is destroyed once", "[await][G24]") {
  struct CountedRow {
    Counted counted;
    int number;
  };
  Lifetimes captures;
  {
    toto::TaskQueue queue;
    const auto await = [](toto::TaskQueue& tasks, Lifetimes& lifetimes) -> toto::Task<int> {
      int sum = 0;
      CountedRow row{Counted(lifetimes), 1};
      const auto number_of = [](const CountedRow& counted_row) { return counted_row.number; };
      sum += co_await tasks.yield_task(number_of, toto::not_a_temporary(std::move(row)));
      auto work = [counted = Counted(lifetimes)] { return 1; };
      sum += co_await tasks.yield_task(toto::not_a_temporary(std::move(work)));
      auto change = [counted = Counted(lifetimes), number = 0]() mutable { return ++number; };
      sum += co_await tasks.yield_task(toto::not_a_temporary(std::move(change))).resume_on(tasks);
      auto with_token = [counted = Counted(lifetimes)](const toto::StopToken&, int number) { return number; };
      sum += co_await tasks.yield_task(toto::not_a_temporary(std::move(with_token)), 1);
      co_return sum;
    };
    CHECK(toto::sync_wait(await(queue, captures)) == 4);
  }
  CHECK(captures.made > 0);
  CHECK(captures.alive() == 0);
}

TEST_CASE("at every entry point what is named or stored first is destroyed once", "[await][G24]") {
  struct CountedService {
    Counted counted;
    int add(const Counted& /*copied into the task*/) { return ++sum; }
    int sum = 0;
  };
  struct CountedRow {
    Counted counted;
    int number;
  };
  Lifetimes captures;
  {
    toto::TaskQueue queue({.thread_count = 1, .name = "entry points", .max_queued = 10});
    toto::AwaitableInstance awaitable(CountedService{Counted(captures)}, queue);
    toto::InstancePool pool(std::make_unique<CountedService>(CountedService{Counted(captures)}));
    const auto await = [](toto::TaskQueue& tasks, toto::AwaitableInstance<CountedService>& instance,
                          toto::InstancePool<CountedService>& instances, Lifetimes& lifetimes) -> toto::Task<int> {
      int sum = 0;
      const Counted argument(lifetimes);
      const CountedRow row{Counted(lifetimes), 1};
      const auto number_of = [](const CountedRow& counted_row) { return counted_row.number; };
      const auto named = [counted = Counted(lifetimes)] { return 1; };
      const auto on_it = [counted = Counted(lifetimes)](CountedService&) { return 1; };
      const auto view = tasks.limited(1, "view");
      sum += co_await view.with({.priority = 1}).yield_task(named);
      sum += co_await view.with({.priority = 1}).yield_task(number_of, row);
      auto in_view = view.yield_task([counted = Counted(lifetimes)] { return 1; });
      sum += co_await in_view;

      auto room = co_await tasks.admission();
      sum += co_await room.yield_task(named);
      auto more_room = co_await tasks.admission();
      auto admitted = more_room.yield_task([counted = Counted(lifetimes)] { return 1; });
      sum += co_await admitted;

      sum += co_await tasks.call(named);
      sum += co_await tasks.call(number_of, row);
      auto call = tasks.call([counted = Counted(lifetimes)] { return 1; });
      sum += co_await call;
      auto call_with_row = tasks.call(number_of, CountedRow{Counted(lifetimes), 1});
      sum += co_await call_with_row;

      sum += co_await tasks.yield_task(named).timeout(std::chrono::minutes(1));
      auto limited = tasks.yield_task(number_of, CountedRow{Counted(lifetimes), 1}).timeout(std::chrono::minutes(1));
      sum += co_await limited;

      sum += co_await instance(on_it);
      sum += co_await instance.concurrent()(on_it);
      auto of_instance = instance([counted = Counted(lifetimes)](CountedService&) { return 1; });
      sum += co_await of_instance;
      sum += co_await instance(&CountedService::add, argument);

      sum += co_await instances.await_transaction(on_it, tasks);
      sum += co_await instances.await(tasks)(on_it);
      auto transaction =
          instances.await_transaction([counted = Counted(lifetimes)](CountedService&) { return 1; }, tasks);
      sum += co_await transaction;
      co_return sum;
    };
    CHECK(toto::sync_wait(await(queue, awaitable, pool, captures)) == 18);
  }
  CHECK(captures.made > 0);
  CHECK(captures.alive() == 0);
}

TEST_CASE("combinators and groups destroy once what is named or stored first", "[await][when_all][when_any][G24]") {
  Lifetimes captures;
  {
    toto::TaskQueue queue(2);
    const auto await = [](toto::TaskQueue& tasks, Lifetimes& lifetimes) -> toto::Task<int> {
      const auto named = [counted = Counted(lifetimes)] { return 1; };
      auto stored = tasks.yield_task([counted = Counted(lifetimes)] { return 1; });
      const auto [first, second] = co_await toto::when_all_or_cancel(stored, tasks.yield_task(named));
      auto settling = tasks.yield_task([counted = Counted(lifetimes)] { return 1; });
      const auto [third, fourth] = co_await toto::when_all_settled(settling, tasks.yield_task(named));
      const auto any = co_await toto::when_any(tasks.yield_task(named), tasks.yield_task(named));
      auto group =
          toto::with_task_group([counted = Counted(lifetimes)](toto::TaskGroup&) -> toto::Task<int> { co_return 1; });
      const int from_group = co_await group;
      co_await toto::with_task_group([&](toto::TaskGroup& scope) -> toto::Task<> {
        scope.add(tasks, [counted = Counted(lifetimes)] { static_cast<void>(counted); });
        co_return;
      });
      co_return first + second + third.value() + fourth.value() + any.result + from_group;
    };
    CHECK(toto::sync_wait(await(queue, captures)) == 6);
    CHECK(toto::sync_wait(toto::with_task_group(
              [counted = Counted(captures)](toto::TaskGroup&) -> toto::Task<int> { co_return 1; })) == 1);
  }
  CHECK(captures.made > 0);
  CHECK(captures.alive() == 0);
}

TEST_CASE("an argument that came through not_a_temporary lives until the coroutine that refers to it has ended",
          "[await][E11][G24]") {
  struct Argument {
    std::shared_ptr<int> owned = std::make_shared<int>(1);
  };
  toto::TaskQueue queue;
  Argument argument;
  const std::weak_ptr<int> watch = argument.owned;
  const auto refer = [](const Argument& /*in the task*/, const std::weak_ptr<int>& owned) -> toto::Task<bool> {
    co_await toto::TaskQueue::current()->schedule();
    co_return !owned.expired();
  };
  auto handle = queue.yield_task(refer, toto::not_a_temporary(std::move(argument)), watch);
  CHECK(handle.get());
  CHECK(watch.expired());
}

TEST_CASE("handles from any callable may be waited for at once, outside of coroutines", "[await][sync_wait][G24]") {
  toto::TaskQueue queue;
  toto::EventLoop loop;
  const auto text = kText;
  CHECK(queue.yield_task([text] { return text.size(); }).get() == kText.size());
  CHECK(toto::sync_wait(queue.yield_task([text] { return text.size(); })) == kText.size());
  CHECK(loop.run_sync(queue.yield_task([text] { return text.size(); })) == kText.size());
  CHECK(queue.yield_task(size_of, Row{kText, {1, 2}}).get() == kText.size() + 2);
}

#if !TOTO_TESTS_OLD_GCC
TEST_CASE("where the compiler is right, owning temporaries may be awaited in any spelling", "[await][G24]") {
  Lifetimes captures;
  {
    toto::TaskQueue queue;
    const auto await = [](toto::TaskQueue& tasks, Lifetimes& lifetimes) -> toto::Task<std::size_t> {
      std::size_t sum = 0;
      sum += co_await tasks.yield_task([counted = Counted(lifetimes), text = kText] { return text.size(); });
      sum += co_await tasks.yield_task(CountRow{kText});
      sum += co_await tasks.yield_task(size_of, Row{kText, {}});
      sum += co_await tasks.yield_task([counted = Counted(lifetimes), text = kText] { return text.size(); })
                 .resume_inline();
      auto work = [counted = Counted(lifetimes), text = kText] { return text.size(); };
      sum += co_await tasks.yield_task(std::move(work));
      const auto [a, b] = co_await toto::when_all(
          tasks.yield_task([counted = Counted(lifetimes), text = kText] { return text.size(); }),
          tasks.yield_task(CountRow{kText}));
      co_return sum + a + b;
    };
    CHECK(toto::sync_wait(await(queue, captures)) == 7 * kText.size());
  }
  CHECK(captures.made > 0);
  CHECK(captures.alive() == 0);
}
#endif
