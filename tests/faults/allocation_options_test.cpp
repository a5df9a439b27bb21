// SPDX-License-Identifier: MIT
//
// Queues with the options that cost something, when memory runs out: ageing, tracked tasks, a watchdog, a bound that
// lets adders wait. And what they are asked for: dump(), an executor, the limit at exit.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "faults/injection.hpp"
#include "faults/queue_in_state.hpp"
#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

using Token = std::shared_ptr<Probe>;
using Add = void (*)(toto::TaskQueue& queue, const Token& probe);

toto::Task<> count_twice(toto::TaskQueue& queue, Token probe) {
  auto second = queue.yield_task([probe] { return probe; });
  static_cast<void>(co_await second);
  ++probe->runs;
}

/// The ways into a queue: the simplest, one that waits to be taken, one with its own state, a coroutine.
constexpr std::array<Add, 4> kAdds{
    [](toto::TaskQueue& queue, const Token& probe) { queue.add_task([plain = probe.get()] { ++plain->runs; }); },
    [](toto::TaskQueue& queue, const Token& probe) { queue.add_task([probe] { ++probe->runs; }); },
    [](toto::TaskQueue& queue, const Token& probe) { queue.yield_task([probe] { ++probe->runs; }).detach(); },
    [](toto::TaskQueue& queue, const Token& probe) {
      queue.add_task([probe](std::string) { ++probe->runs; }, std::string(100, 'x'));
    },
};

std::size_t lines_of_tasks(const std::string& dump) {
  std::size_t lines = 0;
  for (std::size_t at = dump.find("\n  task "); at != std::string::npos; at = dump.find("\n  task ", at + 1)) {
    ++lines;
  }
  return lines;
}

/// Every allocation of every way into a queue with these options fails in turn, in each of its states.
std::size_t sweep_adding(const toto::QueueOptions& options) {
  struct Fixture : QueueInState {
    using QueueInState::QueueInState;
    std::size_t listed_before = lines_of_tasks(queue.dump());
  };
  std::size_t points = 0;
  for (const State state : kStates) {
    for (const Add add : kAdds) {
      const Sweep swept = sweep([&] { return std::make_unique<Fixture>(state, options); },
                                [&](std::unique_ptr<Fixture>& fixture) { add(fixture->queue, fixture->probe); },
                                [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
                                  if (threw && lines_of_tasks(fixture->queue.dump()) != fixture->listed_before) {
                                    return "a task that was refused is listed";
                                  }
                                  if (std::string wrong = fixture->check(threw); !wrong.empty()) {
                                    return wrong;
                                  }
                                  return eventually([&] { return lines_of_tasks(fixture->queue.dump()) == 0; })
                                             ? ""
                                             : "a task that is over is listed";
                                },
                                kMaybeNone);
      CAPTURE(name_of(state));
      REQUIRE(swept.complaint == "");
      points += swept.points;
    }
  }
  return points;
}

/// A busy queue is given tasks of every kind, and from then on its workers have no memory.
void run_without_memory(const toto::QueueOptions& options) {
  const Token probe = std::make_shared<Probe>();
  std::vector<toto::TaskHandle<>> coroutines;
  int added = 0;
  QueueInState fixture(State::busy, options);
  for (int i = 0; i < 20; ++i) {
    for (const Add add : kAdds) {
      add(fixture.queue, probe);
      ++added;
    }
    coroutines.push_back(fixture.queue.yield_task(&count_twice, std::ref(fixture.queue), probe));
  }
  {
    const NoMemoryElsewhere none;
    fixture.open();
    fixture.queue.wait_idle();
  }
  note_fault("allocation");
  int failed = 0;
  for (toto::TaskHandle<>& coroutine : coroutines) {
    try {
      coroutine.get();
      ++added;
    } catch (const std::bad_alloc&) {
      ++failed;
    }
  }
  REQUIRE(failed > 0);  // there was no memory for its frame
  REQUIRE(probe->runs == added);
  REQUIRE(eventually([&] { return probe.use_count() == 1; }));
  REQUIRE(lines_of_tasks(fixture.queue.dump()) == 0);
  const toto::QueueStats stats = fixture.queue.stats();
  REQUIRE(stats.submitted == stats.completed + stats.failed + stats.cancelled);
}

/// Every allocation of `call(fixture)` fails in turn; nothing visible changes.
template <class Call>
std::size_t sweep_observing(Call call) {
  const Sweep swept =
      sweep([] { return std::make_unique<QueueInState>(State::busy, toto::QueueOptions{.track_tasks = true}); },
            [&](std::unique_ptr<QueueInState>& fixture) { call(fixture->queue); },
            [](std::unique_ptr<QueueInState>& fixture, bool) -> std::string {
              if (std::string wrong = fixture->changed(); !wrong.empty()) {
                return wrong;
              }
              fixture->queue.add_task([probe = fixture->probe] { ++probe->runs; });
              return fixture->check(false);
            });
  REQUIRE(swept.complaint == "");
  return swept.points;
}

}  // namespace

TEST_CASE("adding to a queue with ageing changes nothing when an allocation fails", "[task_queue][faults][S7]") {
  REQUIRE(sweep_adding({.ageing = 1ms}) >= 10);
  run_without_memory({.ageing = 1ms});
}

TEST_CASE("adding to a queue that tracks its tasks changes nothing when an allocation fails",
          "[task_queue][faults][S7]") {
  REQUIRE(sweep_adding({.track_tasks = true}) >= 10);
  run_without_memory({.track_tasks = true});
}

TEST_CASE("adding to a queue with a watchdog changes nothing when an allocation fails, and it goes on watching",
          "[task_queue][faults][S7]") {
  struct Watching final : toto::QueueObserver {
    std::atomic<int> reports{0};
    void queue_starving(std::string_view, std::size_t, toto::Duration) noexcept override { ++reports; }
  };
  Watching watching;
  REQUIRE(sweep_adding({.observer = &watching, .watchdog = 1ms}) >= 5);
  run_without_memory({.observer = &watching, .watchdog = 1ms});

  QueueInState fixture(State::busy, {.observer = &watching, .watchdog = 1ms});
  fixture.queue.add_task([] {});
  {
    const NoMemoryElsewhere none;
    const int before = watching.reports;
    REQUIRE(eventually([&] { return watching.reports >= before + 3; }));
  }
  note_fault("allocation");
}

TEST_CASE("a queue with a watchdog is made, or nothing is left of it, when an allocation fails",
          "[task_queue][faults][S8]") {
  const Sweep swept = sweep([] { return std::unique_ptr<toto::TaskQueue>(); },
                            [](std::unique_ptr<toto::TaskQueue>& queue) {
                              queue = std::make_unique<toto::TaskQueue>(toto::QueueOptions{
                                  .name = "a name that is too long to be kept without an allocation", .watchdog = 1h});
                            },
                            [](std::unique_ptr<toto::TaskQueue>& queue, bool threw) -> std::string {
                              if (threw) {
                                return queue == nullptr ? "" : "there is a queue";
                              }
                              return queue->yield_task([] { return 1; }).get() == 1 ? "" : "it does not work";
                            },
                            3);
  REQUIRE(swept.complaint == "");
}

TEST_CASE("an adder that may have to wait for room adds its task or nothing when an allocation fails",
          "[task_queue][faults][S7]") {
  // There is none before the queue continues, which happens as the task is being added.
  struct Fixture {
    Gate begun;
    Gate gate;
    Gate adding;
    Token probe = std::make_shared<Probe>();
    toto::TaskQueue queue{{.thread_count = 1, .name = "bounded", .max_queued = 1}};
    std::thread opener;

    Fixture() {
      queue.add_task([this] {
        begun.open();
        gate.wait();
      });
      begun.wait();
      queue.add_task([] {});
      opener = std::thread([this] {
        adding.wait();
        gate.open();
      });
    }
    ~Fixture() {
      adding.open();
      opener.join();
    }
  };
  std::size_t points = 0;
  for (const Add add : kAdds) {
    const Sweep swept = sweep([] { return std::make_unique<Fixture>(); },
                              [&](std::unique_ptr<Fixture>& fixture) {
                                fixture->adding.open();
                                add(fixture->queue, fixture->probe);
                              },
                              [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
                                fixture->queue.wait_idle();
                                if (fixture->probe->runs != (threw ? 0 : 1) || fixture->probe.use_count() != 1) {
                                  return "ran, or did not, or is still alive";
                                }
                                const toto::QueueStats stats = fixture->queue.stats();
                                if (stats.submitted != (threw ? 2U : 3U) || stats.completed != stats.submitted) {
                                  return "the counts are wrong";
                                }
                                return fixture->queue.try_add_task([] {}) ? "" : "its room is lost";
                              },
                              kMaybeNone);
    REQUIRE(swept.complaint == "");
    points += swept.points;
  }
  REQUIRE(points >= 1);
}

TEST_CASE("a dump tells everything or throws, and changes nothing, when an allocation fails",
          "[task_queue][faults][S8]") {
  REQUIRE(sweep_observing([](toto::TaskQueue& queue) { static_cast<void>(queue.dump()); }) >= 3);
}

TEST_CASE("a dump of a pool tells everything or throws, and changes nothing, when an allocation fails",
          "[instance_pool][faults][S8]") {
  struct Fixture {
    toto::TaskQueue queue;
    Token probe = std::make_shared<Probe>();
    toto::InstancePool<Token> pool{std::vector<Token>(2, probe)};
    std::optional<toto::Lease<Token>> first = pool.instance();
    std::optional<toto::Lease<Token>> second = pool.instance();
    toto::TaskHandle<> waiting = pool.await_transaction([](Token& token) { ++token->runs; }, queue);
  };
  const Sweep swept =
      sweep([] { return std::make_unique<Fixture>(); },
            [](std::unique_ptr<Fixture>& fixture) { static_cast<void>(fixture->pool.dump()); },
            [](std::unique_ptr<Fixture>& fixture, bool) -> std::string {
              const toto::PoolStats stats = fixture->pool.stats();
              if (stats.leased != 2 || stats.waiting != 1) {
                return "the counts have changed";
              }
              fixture->first.reset();
              fixture->waiting.get();
              fixture->second.reset();
              fixture->queue.wait_idle();
              return fixture->pool.stats().free == 2 && fixture->probe->runs == 1 ? "" : "does not work";
            },
            3);
  REQUIRE(swept.complaint == "");
}

TEST_CASE("calls that may overlap take place or change nothing when an allocation fails",
          "[awaitable_instance][faults][S8]") {
  struct Counter {
    Token probe;
    void count() { ++probe->runs; }
  };
  std::size_t points = 0;
  for (const State state : kStates) {
    struct Fixture : QueueInState {
      using QueueInState::QueueInState;
      toto::AwaitableInstance<Counter> wrapper{Counter{std::make_shared<Probe>()}, queue};
    };
    const Sweep swept = sweep([&] { return std::make_unique<Fixture>(state); },
                              [](std::unique_ptr<Fixture>& fixture) {
                                const auto overlapping = fixture->wrapper.concurrent();
                                overlapping([probe = fixture->probe](Counter&) { ++probe->runs; }).detach();
                              },
                              [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
                                if (std::string wrong = fixture->check(threw); !wrong.empty()) {
                                  return wrong;
                                }
                                fixture->wrapper.concurrent()(&Counter::count).get();
                                return "";
                              },
                              kMaybeNone);
    CAPTURE(name_of(state));
    REQUIRE(swept.complaint == "");
    points += swept.points;
  }
  REQUIRE(points >= 4);
}

TEST_CASE("the calls of a pool lose no instance when an allocation fails, waiting or not",
          "[instance_pool][faults][S8]") {
  for (const bool held : {false, true}) {
    struct Fixture {
      toto::TaskQueue queue;
      Token probe = std::make_shared<Probe>();
      toto::InstancePool<int> pool{1};
      std::optional<toto::TaskHandle<>> handle;
    };
    const Sweep swept = sweep([] { return std::make_unique<Fixture>(); },
                              [held](std::unique_ptr<Fixture>& fixture) {
                                std::optional<toto::Lease<int>> lease;
                                if (held) {
                                  lease.emplace(fixture->pool.instance());
                                }
                                const auto calls = fixture->pool.await(fixture->queue);
                                fixture->handle = calls([probe = fixture->probe](int&) { ++probe->runs; });
                                // Here the lease ends, and the call that waited for it joins its queue.
                              },
                              [](std::unique_ptr<Fixture>& fixture, bool threw) -> std::string {
                                bool ran = false;
                                try {
                                  if (fixture->handle) {
                                    fixture->handle->get();
                                    ran = true;
                                  }
                                } catch (const std::bad_alloc&) {  // for the thread of its queue
                                }
                                if ((threw && ran) || fixture->probe->runs != (ran ? 1 : 0)) {
                                  return "ran, or did not";
                                }
                                if (!eventually([&] { return fixture->probe.use_count() == 1; })) {
                                  return "captures are still alive";
                                }
                                return fixture->pool.instance_for(kPatience) ? "" : "the instance is lost";
                              });
    CAPTURE(held);
    REQUIRE(swept.complaint == "");
  }
}

TEST_CASE("a reference to an executor of one's own is had or not when an allocation fails", "[executor][faults][S8]") {
  struct OwnExecutor {
    void post(toto::Resumption resumption) noexcept { resumption(); }
  };
  OwnExecutor own;
  const Sweep swept = sweep([] { return toto::ExecutorRef(); },
                            [&own](toto::ExecutorRef& executor) { executor = toto::ExecutorRef(own); },
                            [](toto::ExecutorRef& executor, bool threw) -> std::string {
                              return static_cast<bool>(executor) == !threw ? "" : "half-made";
                            });
  REQUIRE(swept.complaint == "");
}

TEST_CASE("asking where a coroutine runs, and setting the limit at exit, allocates nothing", "[executor][faults][S8]") {
  toto::TaskQueue queue;
  static_cast<void>(toto::TaskQueue::instance("with a registry"));
  std::size_t of_the_worker = 1;
  bool found = false;
  queue
      .yield_task([&] {
        const CountedAllocations counted;
        found = static_cast<bool>(toto::current_executor()) && toto::TaskQueue::current() == &queue;
        of_the_worker = counted.here();
      })
      .get();
  REQUIRE(found);
  REQUIRE(of_the_worker == 0);
  const CountedAllocations counted;
  const bool none = !toto::current_executor();
  const bool the_same = queue.executor() == queue.executor();
  toto::TaskQueue::set_exit_limit(10s);
  const std::size_t here = counted.here();
  REQUIRE(none);
  REQUIRE(the_same);
  REQUIRE(here == 0);
}

TEST_CASE("setting the limit at exit first of all sets it or throws when an allocation fails",
          "[task_queue][faults][S8]") {
  // It makes the registry, once a process: see allocation_first_use_test.cpp.
  const Sweep swept = sweep([] { return 0; }, [](int) { toto::TaskQueue::set_exit_limit(10s); },
                            [](int, bool) -> std::string { return ""; }, kMaybeNone);
  REQUIRE(swept.complaint == "");
  REQUIRE(toto::TaskQueue::instance("after that").yield_task([] { return 1; }).get() == 1);
}
