// SPDX-License-Identifier: MIT
//
// Models of what the memory orders of the library promise to its users, each with as little other synchronisation as
// possible: what one thread has written to plain data, another one reads when the library has told it that it may.
// tests/mutants/orders.py weakens the orders one at a time; these are the models that have to notice.

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "support/coroutines.hpp"
#include "support/explore.hpp"
#include "toto/instance_pool.hpp"
#include "toto/task_scope.hpp"

#if __has_include("toto_simulated_futex.hpp")  // tests/mutants/orders.py makes it
#include "toto_simulated_futex.hpp"
#endif

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

struct RecyclingRuntime;

}  // namespace

// So few that two threads use all of them.
template <>
inline constexpr std::size_t toto::detail::kBlocksOfChain<RecyclingRuntime> = 2;
template <>
inline constexpr std::uint32_t toto::detail::kClosuresOfChunk<RecyclingRuntime> = 2;

namespace {

/// As on a machine with several processors: looks before it sleeps, and uses memory again.
struct RecyclingRuntime : SimRuntime {
  static constexpr bool spins = true;
  static constexpr bool recycles_memory = true;
};
using RecyclingQueue = toto::BasicTaskQueue<RecyclingRuntime>;

constexpr Exploration kSmall{.deviations = 1, .spurious_wakeups = 0, .random_schedules = 1'000};

/// A result with memory of its own.
struct Boxed {
  explicit Boxed(int number) : value(std::make_unique<int>(number)) {}
  std::unique_ptr<int> value;
};

using SimThread = SimRuntime::Thread;
using Timers = toto::detail::TimerService<SimRuntime>;

}  // namespace

TEST_CASE("orders: who polls a handle sees what the task has written", "[simulation][orders][J4]") {
  explore("orders: ready", kSmall, [](Simulation& sim) {
    int written = 0;
    SimQueue queue(1, 5ms);
    auto handle = queue.yield_task([&] {
      written = 1;
      return Boxed(7);
    });
    while (!handle.ready()) {
      sim.sleep_for(1us);
    }
    require(written == 1, "it is over");
    require(*handle.get().value == 7, "and its result is there");
  });
}

TEST_CASE("orders: who polls a handle for which others wait sees what the task has written",
          "[simulation][orders][J4][J6]") {
  explore("orders: ready and blocked", kSmall, [](Simulation& sim) {
    int written = 0;
    SimQueue queue(1, 5ms);
    const auto handle = queue.yield_task([&] { written = 1; });
    const auto look = [&] { require(written == 1, "it is over"); };
    sim.run_threads({{"waiter",
                      [&] {
                        handle.wait();
                        look();
                      }},
                     {"poller", [&] {
                        while (!handle.ready()) {
                          SimRuntime::relax();
                        }
                        look();
                      }}});
  });
}

TEST_CASE("orders: a coroutine that awaits sees what the task has written, at home and on the worker",
          "[simulation][orders][G1][H1]") {
  const auto follow = [](SimHandle<Boxed> handle, int& written, int& after) -> toto::Task<> {
    const Boxed result = co_await handle;
    require(written == 1 && *result.value == 7, "it is over");
    after = 1;
  };
  explore("orders: awaiting on a loop", kSmall, [&](Simulation&) {
    int written = 0;
    int after = 0;
    SimQueue queue(1, 5ms);
    SimLoop loop;
    loop.run_sync(follow(queue.yield_task([&] {
      written = 1;
      return Boxed(7);
    }),
                         written, after));
    require(after == 1, "it went on");
  });
  explore("orders: awaiting on a queue", kSmall, [&](Simulation&) {
    int written = 0;
    int after = 0;
    SimQueue queue(2, 5ms);
    auto outer = queue.yield_task(follow, queue.yield_task([&] {
      written = 1;
      return Boxed(7);
    }),
                                  std::ref(written), std::ref(after));
    outer.get();
    require(after == 1, "it went on");
  });
}

TEST_CASE("orders: a handle that is dropped, at any moment, destroys what the task has left",
          "[simulation][orders][G4][G5]") {
  explore("orders: drop", kSmall, [](Simulation&) {
    SimQueue queue(1, 5ms);
    auto handle = queue.yield_task([] { return Boxed(7); });
    static_cast<void>(handle.ready());
    SimRuntime::point("before the drop");
    handle = SimHandle<Boxed>();
  });
}

TEST_CASE("orders: a handle that is dropped after a wait that gave up", "[simulation][orders][G4][J3]") {
  explore("orders: drop after a wait", kSmall, [](Simulation&) {
    SimQueue queue(1, 5ms);
    auto handle = queue.yield_task([] { return Boxed(7); });
    static_cast<void>(handle.wait_for(1us));
    handle = SimHandle<Boxed>();
  });
}

TEST_CASE("orders: a handle that is awaited after a wait that gave up", "[simulation][orders][G1][J3]") {
  explore("orders: await after a wait", kSmall, [](Simulation&) {
    SimQueue queue(1, 5ms);
    SimLoop loop;
    auto handle = queue.yield_task([] { return Boxed(7); });
    static_cast<void>(handle.wait_for(1us));
    loop.run_sync([](SimHandle<Boxed> mine) -> toto::Task<> {
      require(*(co_await mine).value == 7, "its result is there");
    }(std::move(handle)));
  });
}

TEST_CASE("orders: a coroutine that is destroyed while its task runs or its continuation is on its way",
          "[simulation][orders][G8]") {
  explore("orders: destroyed while awaiting", kSmall, [](Simulation&) {
    SimQueue queue(1, 5ms);
    {
      SimLoop loop;
      loop.spawn(
          [](SimHandle<Boxed> handle) -> toto::Task<> { co_await handle; }(queue.yield_task([] { return Boxed(7); })));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    queue.wait_idle();
  });
}

TEST_CASE("orders: a coroutine that is destroyed while its call runs or its continuation is on its way",
          "[simulation][orders][G8]") {
  explore("orders: destroyed while calling", kSmall, [](Simulation&) {
    SimQueue queue(1, 5ms);
    {
      SimLoop loop;
      loop.spawn([](SimQueue& on) -> toto::Task<> { co_await on.call([] { return Boxed(7); }); }(queue));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    queue.wait_idle();
  });
}

TEST_CASE("orders: a coroutine that waits for several sees what each has written", "[simulation][orders][I2]") {
  explore("orders: when_all", kSmall, [](Simulation&) {
    int written[2] = {};
    SimQueue queue(2, 5ms);
    SimLoop loop;
    loop.run_sync([](SimQueue& on, int* into) -> toto::Task<> {
      auto first = on.yield_task([into] {
        into[0] = 1;
        return Boxed(1);
      });
      auto second = on.yield_task([into] {
        into[1] = 1;
        return Boxed(2);
      });
      const auto [one, two] = co_await toto::when_all(first, second);
      require(into[0] == 1 && into[1] == 1 && *one.value == 1 && *two.value == 2, "all are over");
    }(queue, written));
  });
}

TEST_CASE("orders: a coroutine that takes the first sees what that one has written, and drops the other",
          "[simulation][orders][I7]") {
  explore("orders: when_any", kSmall, [](Simulation&) {
    int written[2] = {};
    SimQueue queue(2, 5ms);
    SimLoop loop;
    loop.run_sync([](SimQueue& on, int* into) -> toto::Task<> {
      auto first = on.yield_task([into] {
        into[0] = 1;
        return Boxed(0);
      });
      auto second = on.yield_task([into] {
        into[1] = 1;
        return Boxed(1);
      });
      const auto any = co_await toto::when_any(first, second);
      require(into[any.index] == 1 && *any.result.value == static_cast<int>(any.index), "it is over");
    }(queue, written));
  });
}

TEST_CASE("orders: a Task that lost, and one that won, go with all that they have written",
          "[simulation][orders][I7]") {
  explore("orders: when_any of a task", kSmall, [](Simulation&) {
    int written = 0;
    SimQueue queue(2, 5ms);
    const auto follow = [](SimHandle<Boxed> handle, int& into) -> toto::Task<Boxed> {
      Boxed result = co_await handle;
      into = *result.value;
      co_return result;
    };
    queue
        .yield_task(
            [&](SimQueue& on, int& into) -> toto::Task<> {
              auto plain = on.yield_task([] { return Boxed(1); });
              auto task = follow(on.yield_task([] { return Boxed(2); }), into);
              const auto any = co_await toto::when_any(plain, task);
              require(*any.result.value == static_cast<int>(any.index) + 1, "the winner's");
              if (any.index == 1) {
                require(into == 2, "and all that it wrote");
              }
            },
            std::ref(queue), std::ref(written))
        .get();
    queue.wait_idle();
  });
}

TEST_CASE("orders: a race that is destroyed with its loop", "[simulation][orders][I10][G8]") {
  explore("orders: when_any destroyed", kSmall, [](Simulation&) {
    SimQueue queue(2, 5ms);
    {
      SimLoop loop;
      loop.spawn([](SimQueue& on) -> toto::Task<> {
        const auto follow = [](SimHandle<Boxed> handle) -> toto::Task<Boxed> { co_return co_await handle; };
        auto first = on.yield_task([] { return Boxed(1); });
        auto second = follow(on.yield_task([] { return Boxed(2); }));
        co_await toto::when_any(first, second);
      }(queue));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    queue.wait_idle();
  });
}

TEST_CASE("orders: several that are waited for, and are destroyed with their loop", "[simulation][orders][G8]") {
  explore("orders: when_all destroyed", kSmall, [](Simulation&) {
    SimQueue queue(2, 5ms);
    {
      SimLoop loop;
      loop.spawn([](SimQueue& on) -> toto::Task<> {
        auto first = on.yield_task([] { return Boxed(1); });
        auto second = on.yield_task([] { return Boxed(2); });
        co_await toto::when_all(first, second);
      }(queue));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    queue.wait_idle();
  });
}

TEST_CASE("orders: a group that is left, and one that is destroyed while a Task of it ends on another thread",
          "[simulation][orders][G8][I6]") {
  using Group = toto::BasicTaskGroup<SimRuntime>;
  const auto body = [](SimQueue& on, int& written) -> toto::Task<> {
    const auto add = [&on, &written](Group& group) -> toto::Task<> {
      group.add(on, [&written] { written = 1; });
      group.add(on, [](SimQueue& queue) -> toto::Task<> { co_await queue.yield_task([] {}); }, std::ref(on));
      co_await on.yield_task([] {});
    };
    co_await toto::with_task_group<SimRuntime>(add);
    require(written == 1, "all are over");
  };
  explore("orders: group", kSmall, [&](Simulation&) {
    int written = 0;
    SimQueue queue(2, 5ms);
    SimLoop loop;
    loop.run_sync(body(queue, written));
  });
  explore("orders: group destroyed", kSmall, [&](Simulation&) {
    int written = 0;
    SimQueue queue(2, 5ms);
    {
      SimLoop loop;
      loop.spawn(body(queue, written));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    require(written <= 1, "nothing of it runs any more");
  });
}

TEST_CASE("orders: a small group that is destroyed with its loop while its task runs", "[simulation][orders][G8]") {
  // Two threads have to be stopped, each at one place.
  explore("orders: small group destroyed",
          {.deviations = 1, .spurious_wakeups = 0, .random_schedules = 1'000, .weak = 20}, [](Simulation&) {
            int written = 0;
            SimQueue queue(1, 5ms);
            {
              SimLoop loop;
              loop.spawn([](SimQueue& on, int& into) -> toto::Task<> {
                const auto add = [&on, &into](toto::BasicTaskGroup<SimRuntime>& group) -> toto::Task<> {
                  group.add(on, [&into] { into = 1; });
                  co_return;
                };
                co_await toto::with_task_group<SimRuntime>(add);
              }(queue, written));
              loop.post([&] { loop.stop(); });
              loop.run();
            }
            require(written <= 1, "it does not run any more");
          });
}

TEST_CASE("orders: a small group that is destroyed with its loop while its task fails",
          "[simulation][orders][G8][inv.S1]") {
  explore("orders: small group failed and destroyed",
          {.deviations = 1, .spurious_wakeups = 0, .random_schedules = 1'000, .weak = 4}, [](Simulation&) {
            SimQueue queue(1, 5ms);
            queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {});
            SimLoop loop;
            loop.spawn([](SimQueue& on) -> toto::Task<> {
              const auto add = [&on](toto::BasicTaskGroup<SimRuntime>& group) -> toto::Task<> {
                group.add(on, [] { throw 1; });
                co_return;
              };
              co_await toto::with_task_group<SimRuntime>(add);
            }(queue));
            loop.post([&] { loop.stop(); });
            try {
              loop.run();
            } catch (int) {
            }
          });
}

TEST_CASE("orders: a loop or a scope ends, and whoever comes last destroys what a child has written elsewhere",
          "[simulation][orders][task_scope][L19][inv.W1]") {
  const auto roam = [](SimQueue& on, Counted kept) -> toto::Task<> {
    struct Reader {
      const int& written;
      ~Reader() { require(written <= 1, "nobody writes it any more"); }
    };
    const auto write = [](SimQueue& queue, int& into) -> toto::Task<> {
      co_await queue.schedule();
      into = 1;
    };
    int written = 0;
    auto plain = on.yield_task([] {});
    auto all = toto::when_all(plain, write(on, written)).operator co_await();
    const Reader reader{written};  // destroyed before the children, whose ends are ordered by themselves
    co_await all;
    static_cast<void>(kept);
  };
  explore("orders: the end of a loop", kSmall, [&](Simulation& sim) {
    Tally living;
    SimQueue queue(2, 5ms);
    {
      SimLoop loop;
      loop.spawn(roam(queue, Counted(living)));
      loop.post([&] { loop.stop(); });
      loop.run();
    }
    while (living != 0) {
      sim.sleep_for(1ms);
    }
  });
  explore("orders: the end of a scope", kSmall, [&](Simulation&) {
    Tally living;
    SimQueue queue(2, 5ms);
    SimLoop loop;
    std::optional<toto::BasicTaskScope<SimRuntime>> scope(std::in_place, loop.executor());
    scope->spawn(roam(queue, Counted(living)));
    loop.post([&] {
      scope.reset();
      loop.stop();
    });
    loop.run();
    queue.wait_idle();
    require(living == 0, "the last has destroyed it");
  });
}

TEST_CASE("orders: who asks whether a stop is requested sees what was written before it",
          "[simulation][orders][inv.T1]") {
  explore("orders: stop_requested", kSmall, [](Simulation& sim) {
    int written = 0;
    SimRuntime::StopSource source;
    sim.run_threads({{"requester",
                      [&] {
                        written = 1;
                        source.request_stop();
                      }},
                     {"looker", [&, token = source.get_token()] {
                        if (token.stop_requested()) {
                          require(written == 1, "before the request");
                        }
                      }}});
  });
}

TEST_CASE("orders: who asks whether a stop is still possible sees what was written before the last source went",
          "[simulation][orders][inv.T1]") {
  explore("orders: stop_possible", kSmall, [](Simulation& sim) {
    int written = 0;
    bool asks = false;
    std::optional<SimRuntime::StopSource> source;
    source.emplace();
    const auto token = source->get_token();
    sim.run_threads({{"owner",
                      [&] {
                        written = 1;
                        source.reset();
                      }},
                     {"looker", [&] {
                        if (!token.stop_possible()) {
                          asks = true;
                          require(written == 1, "before it went");
                        }
                      }}});
    static_cast<void>(asks);
  });
  explore("orders: the last request", kSmall, [](Simulation& sim) {
    std::optional<SimRuntime::StopSource> source;
    source.emplace();
    const auto token = source->get_token();
    sim.run_threads({{"owner",
                      [&] {
                        source->request_stop();
                        source.reset();
                      }},
                     {"looker", [&] { require(token.stop_possible(), "it has been, or will be"); }}});
  });
}

TEST_CASE("orders: the last of those who share a stop state destroys it", "[simulation][orders]") {
  explore("orders: stop references", kSmall, [](Simulation& sim) {
    auto source = std::make_unique<SimRuntime::StopSource>();
    auto token = std::make_unique<SimRuntime::StopToken>(source->get_token());
    sim.run_threads({{"source",
                      [&] {
                        source->request_stop();
                        source.reset();
                      }},
                     {"token", [&] {
                        static_cast<void>(token->stop_requested());
                        token.reset();
                      }}});
  });
}

TEST_CASE("orders: a timer of a loop whose call before ended on another thread", "[simulation][orders][timers]") {
  explore("orders: timer of a loop", {.deviations = 1, .spurious_wakeups = 0, .random_schedules = 1'000},
          [](Simulation&) {
            int calls = 0;
            SimQueue queue(1, 5ms);
            SimLoop loop;
            auto timer = loop.post_every(1ms, [&]() -> toto::Task<> {
              ++calls;  // on the loop
              co_await toto::resume_on<SimRuntime>(queue);
              ++calls;  // on the queue; the next call may not begin before
            });
            const auto stop = loop.post_after(3ms, [&] { loop.stop(); });
            loop.run();
            timer.stop();
            queue.wait_idle();
          });
}

TEST_CASE("orders: a call of a timer sees what the one before has written, on whatever thread",
          "[simulation][orders][timers]") {
  explore("orders: calls of a timer", {.deviations = 1, .random_schedules = 1'000, .weak = 4}, [](Simulation& sim) {
    int calls = 0;
    SimQueue queue(2, 5ms);
    auto timer = queue.add_task_every(1ms, [&] {
      ++calls;
      SimRuntime::point("in the call");
      ++calls;
    });
    sim.sleep_for(2500us);
    queue.wait_idle();
    timer.stop();
    queue.wait_idle();
  });
}

TEST_CASE("orders: who joins a scope sees what its coroutines have written", "[simulation][orders][inv.W3]") {
  explore("orders: join of a scope", kSmall, [](Simulation& sim) {
    int written = 0;
    SimLoop loop;
    toto::BasicTaskScope<SimRuntime> scope(loop);
    scope.spawn([](int& into) -> toto::Task<> {
      into = 1;
      co_return;
    }(written));
    sim.run_threads({{"loop", [&] { loop.run(); }}, {"joiner", [&] {
                                                       toto::sync_wait<SimRuntime>(scope.join());
                                                       require(written == 1, "it has ended");
                                                     }}});
  });
}

TEST_CASE("orders: an instance that is validated for a coroutine that is destroyed",
          "[simulation][orders][pool][Q19]") {
  explore("orders: validated for nobody", kSmall, [](Simulation& sim) {
    SimQueue::set_exit_limit(toto::Duration::never());
    toto::InstancePool<int, SimRuntime> pool{0};
    pool.validate([](int& one) { return ++one > 0; });
    sim.run_threads({{"coroutine",
                      [&] {
                        SimLoop loop;
                        loop.spawn([](toto::InstancePool<int, SimRuntime>& from) -> toto::Task<> {
                          const auto mine = co_await from.lease();
                        }(pool));
                        loop.post([&] { loop.stop(); });
                        loop.run();
                      }},
                     {"thread", [&] { require(pool([](const int& one) { return one; }) > 0, "valid"); }}});
  });
}

TEST_CASE("orders: a task with a token is asked to stop, or has not begun", "[simulation][orders][K4][K5]") {
  explore("orders: asked and added", kSmall, [](Simulation& sim) {
    Tally ran;
    SimRuntime::StopSource source;
    SimQueue queue(1, 5ms);
    SimHandle<int> handle;
    SimGate begun;
    SimGate gate;
    queue.add_task([&] {
      begun.open();
      gate.wait();
    });
    begun.wait();  // so the task cannot begin
    sim.run_threads({{"stopper", [&] { source.request_stop(); }},
                     {"adder", [&] { handle = queue.with(source.get_token()).yield_task([&] { return ++ran; }); }}});
    require(queue.stats().queued == 0, "it is cancelled by one or the other");
    gate.open();
    queue.wait_idle();
    require(ran == 0, "it has not run");
  });
}

TEST_CASE("orders: a task that is not begun for a stop sees what was written before that", "[simulation][orders][K5]") {
  explore("orders: asked before the beginning", kSmall, [](Simulation& sim) {
    int written = 0;
    bool ran = false;
    SimRuntime::StopSource source;
    SimQueue queue(1, 5ms);
    const auto handle = queue.with(source.get_token()).yield_task([&] { ran = true; });
    sim.run_threads({{"stopper",
                      [&] {
                        written = 1;
                        source.request_stop();
                      }},
                     {"waiter", [&] {
                        handle.wait();
                        require(ran || written == 1, "it ran, or the request came before");
                      }}});
  });
}

TEST_CASE("orders: a task that is added as its deadline passes is cancelled then", "[simulation][orders][K4]") {
  explore("orders: added and expired", kSmall, [](Simulation&) {
    SimGate begun;
    SimGate gate;
    SimQueue queue(1, 5ms);
    queue.add_task([&] {
      begun.open();
      gate.wait();
    });
    begun.wait();
    auto handle = queue.with({.start_by = 1ms}).yield_task([] {});
    handle.wait();  // the gate is closed until then
    gate.open();
  });
}

TEST_CASE("orders: a first timer while the process ends", "[simulation][orders][timers]") {
  explore("orders: timers at exit", kSmall, [](Simulation&) {
    static_cast<void>(Timers::instance());
    SimThread("late", [] {
      struct Late : toto::detail::TimerNode<SimRuntime> {};
      Late late;
      late.run = [](toto::detail::Continuation&, toto::detail::Turn) noexcept {};
      late.deadline = SimRuntime::Clock::now() + 1h;
      auto& timers = Timers::instance();
      timers.add(late, nullptr);
      timers.remove(late, nullptr);
    }).detach();
  });
}

TEST_CASE("orders: blocks that one thread frees and another one uses again", "[simulation][orders]") {
  explore("orders: recycled blocks",
          {.deviations = 0, .spurious_wakeups = 0, .random_schedules = 1'000, .eager = false}, [](Simulation& sim) {
            RecyclingQueue queue(2, 5ms);
            const auto use = [&] {
              for (int i = 0; i < 3; ++i) {
                auto first = queue.yield_task([i] { return Boxed(i); });
                auto second = queue.yield_task([i] { return Boxed(i); });
                first = toto::TaskHandle<Boxed, RecyclingRuntime>();  // whoever comes second frees the block
                require(*second.get().value == i, "its own result");
              }
            };
            sim.run_threads({{"one", use}, {"other", use}});
          });
}

TEST_CASE("orders: closures in memory that was used before, by producers and workers that look before they sleep",
          "[simulation][orders]") {
  explore("orders: recycled closures",
          {.deviations = 0, .spurious_wakeups = 0, .random_schedules = 1'000, .eager = false}, [](Simulation& sim) {
            Tally sum;
            {
              RecyclingQueue queue(2, 5ms);
              const auto add = [&] {
                for (int i = 1; i <= 5; ++i) {
                  queue.add_task([&sum, i] { sum += i; });
                }
              };
              sim.run_threads({{"one", add}, {"other", add}});
              queue.wait_idle();
              sim.run_threads({{"third", add}});
            }
            require(sum == 45, "each ran once");
          });
}

#if __has_include("toto_simulated_futex.hpp")
TEST_CASE("orders: who gets the futex mutex sees what was written under it", "[simulation][orders]") {
  explore("orders: futex mutex", kSmall, [](Simulation& sim) {
    int written = 0;
    toto_tests::futex::SimulatedFutexMutex mutex;
    const auto add = [&] {
      for (int i = 0; i < 2; ++i) {
        mutex.lock();
        ++written;
        mutex.unlock();
      }
    };
    const auto try_to_add = [&] {
      if (mutex.try_lock()) {
        ++written;
        mutex.unlock();
      }
    };
    sim.run_threads({{"one", add}, {"other", add}, {"third", try_to_add}});
    require(written == 4 || written == 5, "one after the other");
  });
}

TEST_CASE("orders: who takes a futex parker's token sees what was written before it was left", "[simulation][orders]") {
  explore("orders: futex parker", kSmall, [](Simulation& sim) {
    int written = 0;
    toto_tests::futex::SimulatedFutexParker parker;
    sim.run_threads({{"writer",
                      [&] {
                        written = 1;
                        parker.unpark();
                      }},
                     {"reader", [&] {
                        while (!parker.park_until(SimRuntime::Clock::time_point::max())) {
                        }
                        require(written == 1, "the token says so");
                      }}});
  });
}
#endif
