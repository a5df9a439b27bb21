// SPDX-License-Identifier: MIT
//
// Callables, arguments, results and exceptions that throw when copied, moved or destroyed, at each step at which the
// library copies, moves or destroys them. In the caller: nothing was queued. On the worker: it is the task's failure.
// Objects made equal objects destroyed, always.

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <toto/tasks.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include "faults/injection.hpp"
#include "support/catch.hpp"
#include "support/gate.hpp"

using namespace toto_tests;

namespace {

struct Thrown : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Counts the copies and moves of all Throwers, and makes one of them throw. Thread-safe.
struct Steps {
  std::atomic<int> steps{0};
  std::atomic<int> fails_at{0};  // 0: never
  std::atomic<int> alive{0};

  void take(const char* what) {
    if (++steps == fails_at) {
      throw Thrown(what);
    }
  }
};

/// Throws when its Steps say so. Refers to them; they outlive it.
class Thrower {
 public:
  explicit Thrower(Steps& steps) noexcept : steps_(&steps) { ++steps_->alive; }
  Thrower(const Thrower& other) : steps_(other.steps_) {
    steps_->take("copying failed");
    ++steps_->alive;
  }
  Thrower(Thrower&& other) : steps_(other.steps_) {  // NOLINT(performance-noexcept-move-constructor)
    steps_->take("moving failed");
    ++steps_->alive;
  }
  Thrower& operator=(const Thrower&) = delete;
  ~Thrower() { --steps_->alive; }

  int operator()() const { return 1; }
  Steps& steps() const noexcept { return *steps_; }

 private:
  Steps* steps_;
};

/// Lets the 1st, 2nd, 3rd ... copy or move of `call(queue, thrower)` throw, until it is through. Wherever the exception
/// comes out, no object may be left, and the queue has to work.
template <class Call>
std::string try_each_step(Call call, int& points) {
  for (int nth = 1; nth < 200; ++nth) {
    Steps steps;
    bool threw = false;
    bool failed = false;
    std::string wrong;
    {
      toto::TaskQueue queue;
      const Thrower original(steps);
      steps.fails_at = nth;
      steps.steps = 0;
      try {
        call(queue, original);
      } catch (const Thrown&) {
        threw = true;
      } catch (const std::exception& error) {
        wrong = error.what();
      }
      queue.wait_idle();
      failed = steps.steps >= nth;
      steps.fails_at = 0;
      const toto::QueueStats stats = queue.stats();
      if (stats.submitted != stats.completed + stats.failed) {
        wrong = "a task was lost";
      }
      if (queue.yield_task([] { return 1; }).get() != 1) {
        wrong = "the queue does not work";
      }
    }
    if (wrong.empty() && steps.alive != 0) {
      wrong = std::to_string(steps.alive) + " objects are left";
    }
    if (wrong.empty() && threw != failed) {
      wrong = threw ? "threw although nothing failed" : "swallowed the exception";
    }
    if (!wrong.empty()) {
      return "step " + std::to_string(nth) + ": " + wrong;
    }
    if (!failed) {
      return "";
    }
    ++points;
    note_fault("exception");
  }
  return "does not come to an end";
}

}  // namespace

#define REQUIRE_EACH_STEP_HANDLED(...)                                \
  do {                                                                \
    int points = 0;                                                   \
    const std::string complaint = try_each_step(__VA_ARGS__, points); \
    REQUIRE(complaint.empty());                                       \
    REQUIRE(points > 0);                                              \
  } while (false)

TEST_CASE("a callable whose copy or move throws is not queued, or fails as a task", "[task_queue][faults][S12][E8]") {
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& callable) { queue.add_task(callable); });
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& callable) {
    toto::TaskHandle<int> handle = queue.yield_task(callable);
    handle.get();
  });
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& callable) {
    toto::TaskHandle<int> handle = queue.yield_task(Thrower(callable));
    handle.get();
  });
}

TEST_CASE("an argument whose copy or move throws, in whatever position, is not queued, or fails the task",
          "[task_queue][faults][S12][E8]") {
  const auto by_reference = [](const Thrower&, const Thrower&, const Thrower&) {};
  const auto by_value = [](Thrower, int, Thrower) {};
  REQUIRE_EACH_STEP_HANDLED([&](toto::TaskQueue& queue, const Thrower& argument) {
    queue.add_task(by_reference, argument, argument, argument);
  });
  REQUIRE_EACH_STEP_HANDLED([&](toto::TaskQueue& queue, const Thrower& argument) {
    toto::TaskHandle<> handle = queue.yield_task(by_value, argument, 1, Thrower(argument));
    handle.get();
  });
  REQUIRE_EACH_STEP_HANDLED([&](toto::TaskQueue& queue, const Thrower& argument) {
    toto::TaskHandle<> handle = queue.yield_task([](toto::StopToken, Thrower) {}, argument);
    handle.get();
  });
}

TEST_CASE("a throwing copy in the caller leaves the queue as it was", "[task_queue][faults][E8]") {
  toto::TaskQueue queue;
  Steps steps;
  const Thrower argument(steps);
  steps.fails_at = 1;
  REQUIRE_THROWS_AS(queue.add_task([](const Thrower&) {}, argument), Thrown);
  REQUIRE(queue.size() == 0);
  REQUIRE(queue.stats() == toto::QueueStats{});
  REQUIRE(steps.alive == 1);
}

TEST_CASE("a call through a wrapper whose arguments throw does not take place, or fails, and the turn goes on",
          "[awaitable_instance][faults][S12]") {
  struct Object {
    int take(const Thrower&, Thrower) { return 1; }
    int plain() { return 2; }
  };
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& argument) {
    toto::AwaitableInstance object(Object{}, queue);
    toto::TaskHandle<int> next;
    try {
      toto::TaskHandle<int> call = object(&Object::take, argument, Thrower(argument));
      next = object(&Object::plain);
      call.get();
    } catch (const Thrown&) {
      next = object(&Object::plain);
      if (!next.wait_for(kPatience)) {
        throw std::runtime_error("the next call never has its turn");
      }
      throw;
    }
    next.get();
  });
}

TEST_CASE("an object that a wrapper cannot move is not wrapped, and leaves nothing behind",
          "[awaitable_instance][faults][S12]") {
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& original) {
    Thrower object(original);
    toto::AwaitableInstance wrapper(std::move(object), queue);
    toto::TaskHandle<int> call = wrapper([](Thrower& thrower) { return thrower(); });
    call.get();
  });
}

TEST_CASE("a result whose copy or move throws is the task's failure, or its taker's", "[task_queue][faults][G14]") {
  // Returned by value: made in place. By reference: kept as one. As an rvalue reference: moved.
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& original) {
    toto::TaskHandle<Thrower> handle = queue.yield_task([&original] { return original; });
    handle.get();
  });
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& original) {
    Thrower local(original);
    toto::TaskHandle<Thrower> handle = queue.yield_task([&local]() -> Thrower&& { return std::move(local); });
    handle.wait();
    handle.get();
  });
}

TEST_CASE("a coroutine's result whose copy or move throws is its failure, or its taker's", "[task][faults][G14]") {
  struct Coroutines {
    static toto::Task<Thrower> give(const Thrower& original) { co_return original; }
    static toto::Task<Thrower> pass_on(const Thrower& original) { co_return co_await give(original); }
    static toto::Task<> await_from(toto::TaskQueue& queue, const Thrower& original) {
      toto::TaskHandle<Thrower> handle = queue.yield_task([&original] { return original; });
      const Thrower result = co_await handle;
      static_cast<void>(result);
    }
    static toto::Task<> join(toto::TaskQueue& queue, const Thrower& original) {
      std::vector<toto::TaskHandle<Thrower>> handles;
      for (int i = 0; i < 3; ++i) {
        handles.push_back(queue.yield_task([&original] { return original; }));
      }
      const std::vector<Thrower> results = co_await toto::when_all(std::move(handles));
    }
    static toto::Task<> join_two(toto::TaskQueue& queue, const Thrower& original) {
      toto::TaskHandle<Thrower> first = queue.yield_task([&original] { return original; });
      toto::TaskHandle<Thrower> second = queue.yield_task([&original] { return original; });
      const auto results = co_await toto::when_all(std::move(first), std::move(second));
      static_cast<void>(results);
    }
  };
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& original) {
    toto::TaskHandle<Thrower> handle = queue.yield_task(&Coroutines::give, std::cref(original));
    handle.get();
  });
  REQUIRE_EACH_STEP_HANDLED(
      [](toto::TaskQueue&, const Thrower& original) { toto::sync_wait(Coroutines::pass_on(original)); });
  REQUIRE_EACH_STEP_HANDLED([](toto::TaskQueue& queue, const Thrower& original) {
    toto::sync_wait(Coroutines::await_from(queue, original));
  });
  REQUIRE_EACH_STEP_HANDLED(
      [](toto::TaskQueue& queue, const Thrower& original) { toto::sync_wait(Coroutines::join(queue, original)); });
  REQUIRE_EACH_STEP_HANDLED(
      [](toto::TaskQueue& queue, const Thrower& original) { toto::sync_wait(Coroutines::join_two(queue, original)); });
}
