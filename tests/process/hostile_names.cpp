// SPDX-License-Identifier: MIT
//
// covers: [R11]
//
// A program whose namespace has functions and operators of the names that the library calls, all deleted: callables,
// arguments, results, exceptions, instances, executors, awaitables and ranges from there go through the whole
// interface, with threads and in the simulator. toto/asio.hpp and toto/fmt.hpp: hostile_names_asio.cpp,
// hostile_names_fmt.cpp.
//
// nothing precompiled: the headers have to read what is defined before them

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/expect.hpp"
#include "support/hostile_names.hpp"
// All of them:
#include "public_headers.hpp"

namespace hostile {

// What a program hands to the library.

/// Cannot be copied or assigned.
struct Value {
  int number;

  explicit Value(int given) noexcept : number(given) {}
  Value(Value&& other) noexcept : number(other.number) {}
  Value& operator=(Value&&) = delete;
  template <class A>
  void operator=(A&&) = delete;
};

struct Failure : std::exception {};

struct Twice {
  int operator()(const Value& value) const { return 2 * value.number; }
  Value operator()(int number) const { return Value(2 * number); }
};
struct Fail {
  Value operator()() const { throw Failure(); }
};
/// Small and trivially copyable: stored in the queue itself.
struct Count {
  std::atomic<int>* count;
  void operator()() const { ++*count; }
};
/// Not trivially copyable, and takes a token.
template <class Token>
struct CountWithToken {
  std::atomic<int>* count;
  std::shared_ptr<Value> more;
  void operator()(Token) const { ++*count; }
};

class Instance {
 public:
  explicit Instance(int number = 0) : number_(number) {}
  int add(int more) { return number_ += more; }
  Value value() { return Value(number_); }
  toto::Task<Value> later() { co_return Value(number_); }
  int number() const { return number_; }

 private:
  int number_;
};
struct Delete {
  void operator()(const Instance* instance) const { delete instance; }
};
struct Make {
  std::unique_ptr<Instance> operator()() const { return std::make_unique<Instance>(); }
};
struct IsGood {
  bool operator()(Instance&) const { return true; }
};
struct Returned {
  void operator()(Instance&, bool) const {}
};
struct Hook {
  int* seen;
  void operator()(std::exception_ptr, const toto::TaskInfo&) const { ++*seen; }
};
struct Name {
  operator std::string_view() const { return "hostile"; }
};

struct Clock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = false;
  static time_point now() { return time_point(std::chrono::seconds(1)); }
};

/// Its iterators know what they must and no more.
template <class T>
class Range {
 public:
  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(T* at) : at_(at) {}
    T& operator*() const { return *at_; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    T* at_ = nullptr;
  };

  template <class... Given>
  explicit Range(Given... given) {
    (static_cast<void>(elements_.push_back(std::move(given))), ...);
  }
  Iterator begin() { return Iterator(elements_.data()); }
  Iterator end() { return Iterator(elements_.data() + elements_.size()); }

 private:
  std::vector<T> elements_;
};

/// Returns a Value; with a free operator, a member operator, or neither.
struct Ready {
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  Value await_resume() const noexcept { return Value(5); }
};
struct WithMember {
  Ready operator co_await() const noexcept { return {}; }
};
struct WithFree {};
inline Ready operator co_await(WithFree) noexcept {
  return {};
}

/// Runs at once what it is given.
struct Executor {
  int posted = 0;
  template <class F>
  void post(F&& function) noexcept {
    ++posted;
    function();
  }
};

struct Observer final : toto::QueueObserver {
  std::atomic<int> finished = 0;
  void task_finished(const toto::TaskEvent&, toto::TaskEnd) noexcept override { ++finished; }
};

// Lambdas belong to the namespace in which they are written.

inline auto length_of(const std::string& text) {
  return [text] { return Value(static_cast<int>(text.size())); };
}
inline auto add_length_of(const std::string& text, std::atomic<int>& sum) {
  return [text, &sum] { sum += static_cast<int>(text.size()); };
}
inline auto coroutine(std::atomic<int>& count) {
  return [&count]() -> toto::Task<> {
    ++count;
    co_return;
  };
}
inline auto coroutine_of(int number) {
  return [number]() -> toto::Task<Value> { co_return Value(number); };
}
inline toto::Task<Value> value() {
  co_return Value(6);
}
inline toto::Task<Value> failing() {
  co_await std::suspend_never();
  throw Failure();
}
inline auto take_value() {
  return [](Instance& instance) { return instance.value(); };
}
template <class Token>
auto take_value_with_token() {
  return [](Token, Instance& instance) { return instance.value(); };
}
inline auto take_later() {
  return [](Instance& instance) { return instance.later(); };
}
inline auto add_value() {
  return [](Instance& instance, Value value) { return instance.add(value.number); };
}
template <class Runtime>
auto group_body(toto::BasicTaskQueue<Runtime>& queue, std::atomic<int>& count) {
  return [&queue, &count](toto::BasicTaskGroup<Runtime>& group) -> toto::Task<Value> {
    group.add(queue, Count{std::addressof(count)});
    group.add(queue, Twice(), Value(1));
    group.spawn(coroutine(count)());
    co_return Value(3);
  };
}

}  // namespace hostile

using namespace toto_tests;

namespace {

using hostile::Count;
using hostile::CountWithToken;
using hostile::Executor;
using hostile::Fail;
using hostile::Instance;
using hostile::Range;
using hostile::Twice;
using hostile::Value;

template <class Runtime>
class Program {
 public:
  using Queue = toto::BasicTaskQueue<Runtime>;
  using Loop = toto::BasicEventLoop<Runtime>;
  using Token = typename Runtime::StopToken;
  using Source = typename Runtime::StopSource;

  explicit Program(void (*expected)(bool, std::string_view)) : expected_(expected) {}

  void run() {
    tasks();
    views();
    timers();
    loops();
    combinators();
    groups();
    instances();
    pools();
    stops();
  }

 private:
  void check_that(bool condition, std::string_view what) { expected_(condition, what); }

  void tasks() {
    Queue queue(1);
    int seen = 0;
    queue.on_error(hostile::Hook{&seen});
    const std::string text = "a job";
    queue.add_task(Count{&ran_});
    queue.add_task(hostile::add_length_of(text, ran_));
    queue.add_task(Twice(), Value(1));
    queue.add_task(hostile::coroutine(ran_));
    queue.add_task(CountWithToken<Token>{&ran_, nullptr});
    queue.add_task(Fail());
    queue.wait_idle();
    check_that(ran_ == 8 && seen == 1, "tasks are run");
    check_that(queue.try_add_task(Count{&ran_}) && queue.try_add_task_for(std::chrono::seconds(1), Count{&ran_}),
               "tasks are tried");
    check_that(queue.yield_task(Twice(), Value(2)).get() == 4, "an argument is passed");
    check_that(queue.yield_task(Twice(), 4).get().number == 8, "a result comes back");
    const auto shared = std::make_shared<Value>(3);
    check_that(queue.yield_task(&Value::number, shared).get() == 3, "a member is read");
    check_that(queue.yield_task(hostile::length_of(text)).get().number == 5, "a lambda");
    check_that(queue.yield_task(hostile::coroutine_of(3)).get().number == 3, "a coroutine is run to its end");
    Value kept(7);
    check_that(queue.yield_task([&kept]() -> Value& { return kept; }).get().number == 7, "a reference");
    bool failed = false;
    try {
      static_cast<void>(queue.yield_task(Fail()).get());
    } catch (const hostile::Failure&) {
      failed = true;
    }
    check_that(failed, "an exception comes back");
    auto handle = queue.yield_task(Twice(), 1);
    auto moved = std::move(handle);
    handle = std::move(moved);
    check_that(handle.wait_for(std::chrono::hours(1)) &&
                   handle.wait_until(hostile::Clock::now() + std::chrono::hours(1)) && handle.ready() &&
                   handle.valid() && !handle.cancel(),
               "a handle is asked");
    std::move(handle).detach();
    check_that(toto::sync_wait<Runtime>(awaits(queue)) == 4, "handles are awaited");
    queue.on_error(nullptr);
    static_cast<void>(queue.dump() + std::string(queue.name()));
    queue.close();
  }

  static toto::Task<int> awaits(Queue& queue) {
    auto first = queue.yield_task(Twice(), 1);
    const Value one = co_await first;
    auto limited = queue.yield_task(Twice(), 1).timeout(std::chrono::hours(1));
    const Value two = co_await limited;
    auto relocated = queue.yield_task(Twice(), 1).resume_on(queue);
    const Value three = co_await relocated;
    auto anywhere = queue.yield_task(Twice(), 1).resume_inline();
    const Value four = co_await anywhere;
    const Twice function;
    const Value five = co_await queue.call(function, 1);
    const Value six = co_await queue.call(toto::not_a_temporary(Twice()), 1);
    co_await queue.schedule();
    Executor executor;
    auto there = queue.yield_task(Twice(), 1).resume_on(executor);
    const Value seven = co_await there;
    co_await toto::resume_on<Runtime>(executor);
    co_await toto::resume_on<Runtime>(queue);
    bool failed = false;
    try {
      const Fail fail;
      static_cast<void>(co_await queue.call(fail));
    } catch (const hostile::Failure&) {
      failed = true;
    }
    const int sum = three.number + four.number + five.number + six.number + seven.number;
    co_return failed&& executor.posted == 1 && sum == 10 ? one.number + two.number : 0;
  }

  void views() {
    Queue queue(toto::QueueOptions{.thread_count = 2, .max_queued = 100});
    Source source;
    auto view = queue.limited(1, "one");
    view.add_task(Count{&ran_});
    check_that(view.try_add_task(Count{&ran_}) && view.try_add_task_for(std::chrono::seconds(1), Count{&ran_}),
               "a view");
    check_that(view.yield_task(Twice(), 4).get().number == 8, "a view gives results");
    check_that(queue.with({.priority = 1}).yield_task(Twice(), 4).get().number == 8, "and one with a priority");
    check_that(queue.with(source.get_token()).yield_task(Twice(), Value(4)).get() == 8, "and one with a token");
    check_that(queue.with({.start_by = std::chrono::hours(1)}).yield_task(Twice(), Value(4)).get() == 8, "a deadline");
    check_that(toto::sync_wait<Runtime>(admitted(queue)) == 8, "and room");
    queue.cancel_queued();
  }
  static toto::Task<int> admitted(Queue& queue) {
    auto room = co_await queue.admission();
    auto handle = room.yield_task(Twice(), 4);
    auto more = co_await queue.admission();
    more.add_task([] {});
    const Value result = co_await handle;
    co_return result.number;
  }

  void timers() {
    Queue queue;
    std::atomic<int> count = 0;
    auto once = queue.add_task_after(std::chrono::milliseconds(1), Count{&count});
    auto every = queue.add_task_every(std::chrono::milliseconds(1), CountWithToken<Token>{&count, nullptr});
    auto later = queue.limited(1, "one").add_task_after(std::chrono::hours(1), Count{&count});
    auto coroutine = queue.add_task_after(std::chrono::hours(1), hostile::coroutine(count));
    toto::sync_wait<Runtime>(until(count, 3));
    once.stop();
    every.stop();
    check_that(later.active() && count >= 3, "timers");
  }
  static toto::Task<> until(std::atomic<int>& count, int least) {
    while (count < least) {
      co_await toto::sleep_for<Runtime>(std::chrono::milliseconds(1));
    }
  }

  void loops() {
    Loop loop;
    std::atomic<int> count = 0;
    loop.post(Count{&count});
    loop.post(hostile::add_length_of("a", count));
    loop.call_later(std::chrono::milliseconds(1), Count{&count});
    auto timer = loop.post_after(std::chrono::milliseconds(1), Count{&count});
    auto every = loop.post_every(std::chrono::hours(1), Count{&count});
    loop.spawn(until(count, 4));
    check_that(loop.run_sync(hostile::value()).number == 6, "a loop runs a coroutine");
    check_that(loop.run_sync(hostile::Ready()).number == 5 && loop.run_sync(hostile::WithMember()).number == 5 &&
                   loop.run_sync(hostile::WithFree()).number == 5,
               "and awaits what is not the library's");
    every.stop();
    loop.run();
    check_that(count == 4, "a loop runs functions");
    Executor executor;
    const toto::BasicExecutorScope<Runtime> here(executor);
    check_that(toto::current_executor<Runtime>() == toto::BasicExecutorRef<Runtime>(executor), "an executor is known");
  }

  void combinators() {
    Queue queue(2);
    check_that(toto::sync_wait<Runtime>(gathers(queue)) == 8, "combinators");
  }
  static toto::Task<int> gathers(Queue& queue) {
    int good = 0;
    const auto handle = [&queue] { return queue.yield_task(Twice(), 2); };
    using Handle = decltype(handle());
    {
      auto all = toto::when_all(handle(), hostile::value(), queue.yield_task([] {}));
      const auto results = co_await all;
      good += std::get<0>(results).number == 4 && std::get<1>(results).number == 6 ? 1 : 0;
    }
    {
      auto all = toto::when_all(Range<Handle>(handle(), handle()));
      const auto results = co_await all;
      good += results[1].number == 4 ? 1 : 0;
    }
    {
      auto all = toto::when_all_settled(handle(), hostile::failing());
      auto results = co_await all;
      good += std::get<0>(results).value().number == 4 && std::get<1>(results).exception() != nullptr ? 1 : 0;
    }
    {
      auto all = toto::when_all_settled(Range<toto::Task<Value>>(hostile::value(), hostile::failing()));
      auto results = co_await all;
      good += results[0].value().number == 6 ? 1 : 0;
    }
    {
      auto all = toto::when_all_or_cancel(handle(), hostile::value());
      const auto results = co_await all;
      good += std::get<1>(results).number == 6 ? 1 : 0;
    }
    {
      auto all = toto::when_all_or_cancel(Range<Handle>(handle(), handle()));
      const auto results = co_await all;
      good += results[1].number == 4 ? 1 : 0;
    }
    {
      auto any = toto::when_any(hostile::value(), handle());
      const auto first = co_await any;
      good += first.result.number != 0 ? 1 : 0;
      auto other = toto::when_any(hostile::value(), queue.yield_task(Twice(), Value(1)));
      static_cast<void>(co_await other);
    }
    {
      auto any = toto::when_any(Range<toto::Task<Value>>(hostile::value(), hostile::value()));
      const auto first = co_await any;
      good += first.result.number == 6 ? 1 : 0;
    }
    co_return good;
  }

  void groups() {
    Queue queue(2);
    const auto body = hostile::group_body<Runtime>(queue, ran_);
    check_that(toto::sync_wait<Runtime>(toto::with_task_group<Runtime>(body)).number == 3, "a group");
  }

  void instances() {
    Queue queue;
    using Awaitable = toto::AwaitableInstance<Instance, Runtime>;
    Instance one(1);
    Awaitable referred(one, queue);
    Awaitable owned(Instance(2), queue);
    Awaitable shared(std::make_shared<Instance>(3), queue);
    Awaitable unique(std::unique_ptr<Instance, hostile::Delete>(new Instance(4)), queue);
    const auto observed_instance = std::make_shared<Instance>(5);
    Awaitable observed(std::weak_ptr<Instance>(observed_instance), queue);
    check_that(referred(&Instance::add, 1).get() == 2 && owned(&Instance::value).get().number == 2 &&
                   shared(&Instance::later).get().number == 3 && unique(&Instance::add, 0).get() == 4 &&
                   observed.concurrent()(&Instance::number).get() == 5,
               "instances are called");
    check_that(owned(hostile::add_value(), Value(1)).get() == 3, "also with a callable");
    check_that(owned(hostile::take_value_with_token<Token>()).get().number == 3, "and a token");
  }

  void pools() {
    Queue queue(2);
    using Pool = toto::InstancePool<Instance, Runtime>;
    {
      Pool pool(hostile::Make(), 2);
      pool.validate(hostile::IsGood());
      pool.on_return(hostile::Returned());
      check_that(pool(&Instance::add, 1) == 1 && pool(&Instance::value).number == 1, "a pool's instance is called");
      check_that(pool.transaction(hostile::take_value()).number == 1, "in a transaction");
      check_that(pool.await_transaction(hostile::take_value(), queue).get().number == 1, "in a queue");
      check_that(pool.await_transaction(hostile::take_later(), queue).get().number == 1, "as a coroutine");
      pool.async_transaction([](Instance& instance) { instance.add(1); }, queue);
      queue.wait_idle();
      check_that(pool.await(queue)(&Instance::add, 0).get() == 2, "as an awaitable");
      auto lease = pool.instance();
      check_that(lease->number() == 2 && (*lease).number() == 2, "by a lease");
      lease = *pool.try_instance();
      lease.release();
      check_that(pool.instance_for(std::chrono::seconds(1))->get() != nullptr, "in time");
      check_that(toto::sync_wait<Runtime>(leases(pool)) == 2, "in a coroutine");
      pool.instance().discard();
      static_cast<void>(pool.dump());
    }
    {
      std::vector<std::unique_ptr<Instance, hostile::Delete>> owners;
      owners.emplace_back(new Instance(1));
      Pool owning(std::move(owners));
      check_that(owning(&Instance::add, 1) == 2, "a pool of owners");
      Instance one(1);
      Instance other(2);
      Pool of_pointers({std::addressof(one), std::addressof(other)});
      check_that(of_pointers(&Instance::number) == 1, "of pointers");
      Pool of_values(std::vector<Instance>(2));
      check_that(of_values.size() == 2, "of values");
      Pool of_one(Instance(3));
      check_that(of_one(&Instance::number) == 3, "of one");
      Pool of_range(Range<std::shared_ptr<Instance>>(std::make_shared<Instance>(1), std::make_shared<Instance>(2)));
      check_that(of_range.size() == 2, "of a range");
      check_that(
          of_one.await_transaction([](Instance& instance) { return instance.number(); }, hostile::Name()).get() == 3,
          "in a queue of that name");
      static_cast<void>(Queue::shutdown_instances(std::chrono::seconds(10)));
    }
  }
  static toto::Task<int> leases(toto::InstancePool<Instance, Runtime>& pool) {
    auto lease = co_await pool.lease();
    auto other = co_await pool.lease_for(std::chrono::hours(1));
    co_return lease->number() + other->number();
  }

  void stops() {
    Source source;
    std::atomic<int> count = 0;
    const typename Runtime::template StopCallback<Count> callback(source.get_token(), Count{&count});
    source.request_stop();
    check_that(count == 1, "a stop callback");
  }

  void (*expected_)(bool, std::string_view);
  std::atomic<int> ran_ = 0;
};

}  // namespace

int main() {
  Program<toto::StdRuntime>(&expect).run();

  const auto result =
      toto::testing::simulate({.name = "hostile names", .strategy = toto::testing::Random(), .schedules = 2},
                              [](toto::testing::Simulation& simulation) {
                                Program<toto::testing::SimRuntime>(&toto::testing::require).run();
                                simulation.spawn("thread", [call = hostile::Twice()] { static_cast<void>(call(1)); });
                                simulation.join_all();
                              });
  expect(!result.failed, "the simulator runs it all");
  std::printf("%s\n", result.failure.c_str());

  hostile::Observer observer;
  std::ostringstream text;
  {
    toto::TraceWriter trace(text);
    toto::TaskQueue observed({.observer = std::addressof(observer)});
    toto::TaskQueue traced({.observer = &trace});
    observed.yield_task(hostile::Twice(), hostile::Value(1)).get();
    traced.yield_task(hostile::Twice(), hostile::Value(1)).get();
  }
  expect(observer.finished == 1, "an observer sees it");
  expect(text.str().find("hostile::Twice") != std::string::npos, "and a trace names it");
  return failures == 0 ? 0 : 1;
}
