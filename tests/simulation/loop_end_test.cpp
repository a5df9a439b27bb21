// SPDX-License-Identifier: MIT
//
// Models of the end of a loop whose coroutines come and go, of a loop that is destroyed while it runs, and of the end
// of a user's own executor while the timer thread is in its post().

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "support/coroutines.hpp"
#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

using SimResumption = toto::BasicResumption<SimRuntime>;

/// A user's own executor: uses its own memory for the last time after unlocking, like Asio's.
class SimExecutor {
 public:
  ~SimExecutor() { require(inside_ == 0, "nobody is in post() of an executor that is destroyed"); }

  void post(SimResumption resumption) noexcept {
    ++inside_;
    {
      const toto::detail::Lock lock(mutex_);
      posted_.push_back(std::move(resumption));
      waiting_.notify_all();
    }
    SimRuntime::point("published, and still in post()");
    --inside_;
  }
  /// Runs one.
  void run() {
    std::optional<SimResumption> next;
    {
      const toto::detail::Lock lock(mutex_);
      waiting_.wait(mutex_, [this] { return !posted_.empty(); });
      next = posted_.back();
      posted_.pop_back();
    }
    (*next)();
  }

 private:
  SimRuntime::Mutex mutex_;
  toto::detail::WaitList<SimRuntime> waiting_;
  std::vector<SimResumption> posted_;
  int inside_ = 0;
};

/// A coroutine that has lost its loop may still be on the timer thread.
void wait_for_the_end_of_all(Simulation& sim, const Tally& living) {
  while (living != 0) {
    sim.sleep_for(1ms);
  }
}

}  // namespace

TEST_CASE("a loop ends while a coroutine of its goes to a queue and comes back", "[simulation][home]") {
  explore("the end of a loop against a coroutine that roams", {}, [](Simulation& sim) {
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      {
        SimLoop loop;
        loop.spawn([](SimQueue& away, SimLoop& home, Counted kept) -> toto::Task<> {
          const auto back = home.executor();
          co_await away.schedule();
          SimRuntime::point("away");
          co_await toto::resume_on<SimRuntime>(back);
          SimRuntime::point("back, or gone on elsewhere");
          static_cast<void>(kept);
        }(queue, loop, Counted(living)));
        loop.post([&] { loop.stop(); });
        loop.run();
        SimRuntime::point("before the end");
      }
      queue.wait_idle();
    }
    wait_for_the_end_of_all(sim, living);
  });
}

TEST_CASE("a loop ends while a coroutine of its ends on a queue", "[simulation][home]") {
  explore("the end of a loop against a coroutine that ends elsewhere", {}, [](Simulation& sim) {
    Tally living;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    {
      SimLoop loop;
      loop.spawn([](SimQueue& away, Counted kept) -> toto::Task<> {
        co_await away.schedule();
        static_cast<void>(kept);
      }(queue, Counted(living)));
      loop.post([&] { loop.stop(); });
      loop.run();
      SimRuntime::point("before the end");
    }
    queue.wait_idle();
    require(living == 0, "it has ended, and was freed, by whichever came last");
  });
}

TEST_CASE("a loop ends while a coroutine of its waits for others, which end on a queue", "[simulation][home]") {
  explore("the end of a loop against children that are away", kOnlyOrder, [](Simulation& sim) {
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      {
        SimLoop loop;
        loop.spawn([](SimQueue& away, Tally& alive, Counted kept) -> toto::Task<> {
          const auto go = [](SimQueue& to, Counted mine) -> toto::Task<> {
            co_await to.schedule();
            static_cast<void>(mine);
          };
          auto handle = away.yield_task([] {});
          co_await toto::when_all(std::move(handle), go(away, Counted(alive)));
          static_cast<void>(kept);
        }(queue, living, Counted(living)));
        loop.post([&] { loop.stop(); });
        loop.run();
        SimRuntime::point("before the end");
      }
      queue.wait_idle();
    }
    wait_for_the_end_of_all(sim, living);
  });
}

TEST_CASE("a loop is destroyed by a task while it runs", "[simulation][L9]") {
  explore("the end of a loop against its run", {}, [](Simulation& sim) {
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      auto loop = std::make_unique<SimLoop>();
      SimLoop& running = *loop;
      running.spawn([](Counted kept) -> toto::Task<> {
        co_await toto::sleep_for<SimRuntime>(1h);
        static_cast<void>(kept);
      }(Counted(living)));
      running.post([&queue, &loop, &living] {
        queue.add_task([&loop, &living] {
          loop.reset();
          require(living == 0, "what waited there is gone when the destructor returns");
        });
      });
      running.run();
      queue.wait_idle();
    }
    require(living == 0, "nothing is left");
  });
}

TEST_CASE("a coroutine that is away destroys its loop while that runs", "[simulation][L9]") {
  explore("the end of a loop by a coroutine that is away", {}, [](Simulation& sim) {
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      auto loop = std::make_unique<SimLoop>();
      SimLoop& running = *loop;
      running.spawn([](SimQueue& away, std::unique_ptr<SimLoop>& mine, Counted kept) -> toto::Task<> {
        co_await away.schedule();
        mine.reset();
        SimRuntime::point("it goes on");
        static_cast<void>(kept);
      }(queue, loop, Counted(living)));
      running.run();
      queue.wait_idle();
    }
    require(living == 0, "it has ended, and freed itself");
  });
}

TEST_CASE("a program's own executor ends after its queue, which has waited for the thread of the timers",
          "[simulation][executor][timers]") {
  explore("the end of an executor against post() after a sleep", {.deviations = 2, .spurious_wakeups = 0},
          [](Simulation& sim) {
            bool over = false;
            {
              SimExecutor executor;
              SimQueue queue(1, 5ms);
              const auto checks = watch(sim, queue);
              [](SimExecutor& mine, bool& done) -> FireAndForget {
                co_await toto::resume_on<SimRuntime>(mine);
                co_await toto::sleep_for<SimRuntime>(1ms);
                done = true;
              }(executor, over);
              while (!over) {
                executor.run();
              }
            }  // the queue, and then the executor
            require(over, "it went on");
          });
}

TEST_CASE("a program's own executor ends after wait_idle(), or a loop, or a scope", "[simulation][executor][timers]") {
  explore("the end of an executor after other ends", {.deviations = 1, .spurious_wakeups = 0}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    for (int way = 0; way < 3; ++way) {
      SimExecutor executor;
      bool over = false;
      std::optional<toto::BasicExecutorScope<SimRuntime>> scope;
      if (way == 0) {
        scope.emplace(executor);
      }
      [](SimExecutor& mine, bool& done) -> FireAndForget {
        co_await toto::resume_on<SimRuntime>(mine);
        co_await toto::sleep_for<SimRuntime>(1ms);
        done = true;
      }(executor, over);
      while (!over) {
        executor.run();
      }
      if (way == 1) {
        queue.wait_idle();
      } else if (way == 2) {
        SimLoop().run();
      }
    }
  });
}

TEST_CASE("an executor ends after its scope, while another thread returns an instance to a waiter there",
          "[simulation][executor][pool]") {
  explore("the end of an executor against a thread that returns an instance", {.deviations = 2, .spurious_wakeups = 0},
          [](Simulation& sim) {
            SimQueue queue(1, 5ms);
            const auto checks = watch(sim, queue);
            toto::InstancePool<int, SimRuntime> pool([] { return 1; }, 1);
            std::optional<toto::Lease<int, SimRuntime>> lease(pool.instance());
            bool over = false;
            sim.run_threads({{"returns", [&] { lease.reset(); }},
                             {"executor", [&] {
                                SimExecutor executor;
                                const toto::BasicExecutorScope<SimRuntime> scope(executor);
                                [](toto::InstancePool<int, SimRuntime>& from, bool& done) -> FireAndForget {
                                  const auto mine = co_await from.lease();
                                  done = true;
                                }(pool, over);
                                while (!over) {
                                  executor.run();
                                }
                              }}});
          });
}

TEST_CASE("a coroutine is destroyed while another thread is about to post it, and its executor after it",
          "[simulation][executor][pool][bounds]") {
  // One thread lets the coroutine continue, the other one has its executor, and ends both.
  const auto against = [](Simulation& sim, const std::function<void()>& notify, const auto& start) {
    sim.run_threads({{"notifies", notify}, {"executor", [&] {
                                              SimExecutor executor;
                                              const toto::BasicExecutorScope<SimRuntime> scope(executor);
                                              Owned waiter = start();
                                              waiter.destroy();
                                            }}});
  };
  constexpr Exploration kModel{.deviations = 2, .spurious_wakeups = 0};
  explore("the end of a waiter and its executor against a lease that ends", kModel, [&](Simulation& sim) {
    toto::InstancePool<int, SimRuntime> pool([] { return 1; }, 1);
    std::optional<toto::Lease<int, SimRuntime>> lease(pool.instance());
    against(
        sim, [&] { lease.reset(); },
        [&] { return [](auto& from) -> Owned { const auto mine = co_await from.lease(); }(pool); });
  });
  explore("the end of a waiter and its executor against room that is made", kModel, [&](Simulation& sim) {
    SimGate gate;
    SimQueue queue(toto::QueueOptions{.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1});
    const auto checks = watch(sim, queue);
    queue.add_task([&] { gate.wait(); });
    while (queue.stats().queued != 0) {
      sim.sleep_for(1us);
    }
    auto queued = queue.yield_task([] {});
    against(
        sim, [&] { queued.cancel(); },
        [&] { return [](SimQueue& to) -> Owned { const auto room = co_await to.admission(); }(queue); });
    gate.open();
  });
  explore("the end of a waiter and its executor against a task that is cancelled", kModel, [&](Simulation& sim) {
    SimGate gate;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    queue.add_task([&] { gate.wait(); });
    auto queued = queue.yield_task([] {});
    against(
        sim, [&] { queue.cancel_queued(); },
        [&] {
          return [](SimHandle<void> handle) -> Owned {
            try {
              co_await handle;
            } catch (const toto::TaskCancelled&) {
            }
          }(std::move(queued));
        });
    gate.open();
  });
  explore("the end of a waiter and its executor against a task that ends", kModel, [&](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    against(
        sim, [] {}, [&] { return [](SimHandle<void> handle) -> Owned { co_await handle; }(queue.yield_task([] {})); });
  });
  explore("the end of a waiter and its executor against the end of its time", kModel, [&](Simulation& sim) {
    toto::InstancePool<int, SimRuntime> pool([] { return 1; }, 1);
    const auto lease = pool.instance();
    against(
        sim, [&] { sim.sleep_for(1ms); },
        [&] {
          Owned waiter = [](auto& from) -> Owned {
            try {
              const auto mine = co_await from.lease_for(1ms);
            } catch (const toto::TimedOut&) {
            }
          }(pool);
          sim.sleep_for(1ms);
          return waiter;
        });
  });
}

TEST_CASE("a coroutine is destroyed while the thread of the timers is about to post it, and its executor after it",
          "[simulation][executor][timers]") {
  explore("the end of an executor against a sleeper that dies", {.deviations = 2, .spurious_wakeups = 0},
          [](Simulation& sim) {
            SimExecutor executor;
            SimQueue queue(1, 5ms);
            const auto checks = watch(sim, queue);
            std::optional<toto::BasicExecutorScope<SimRuntime>> scope(executor);
            Owned sleeper = []() -> Owned { co_await toto::sleep_for<SimRuntime>(1ms); }();
            scope.reset();
            sim.sleep_for(1ms);
            sleeper.destroy();
          });
}

TEST_CASE("simulated threads that are switched in the middle of Tasks do not mix up what each has suspended",
          "[simulation][G20]") {
  explore("Tasks on two threads", {.deviations = 2, .spurious_wakeups = 0}, [](Simulation& sim) {
    const auto leaf = [](int value) -> toto::Task<int> {
      SimRuntime::point("in the leaf");
      co_return value;
    };
    const auto middle = [leaf](int value) -> toto::Task<int> {
      int sum = co_await leaf(value);
      SimRuntime::point("in the middle");
      sum += co_await leaf(value);
      co_return sum;
    };
    int first = 0;
    int second = 0;
    const auto run = [middle](int value, int& result) {
      const auto all = [middle](int each) -> toto::Task<int> {
        co_return co_await middle(each) + co_await middle(each);
      };
      result = toto::sync_wait<SimRuntime>(all(value));
    };
    sim.run_threads({{"first", [&] { run(1, first); }}, {"second", [&] { run(10, second); }}});
    require(first == 4 && second == 40, "each gets its own");
  });
}
