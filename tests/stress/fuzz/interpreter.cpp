// SPDX-License-Identifier: MIT
//
// The interpreter. An input is: one byte for the queue, one for its bound, one for the environment, one for the number
// of operations; two bytes for each operation, the first says which one and on which of three threads, the second how;
// all that follows is the schedule (toto::testing::Bytes).

#include "interpreter.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>
#include <toto/tasks.hpp>
#include <toto/testing/simulation.hpp>
#include <utility>
#include <vector>

namespace toto_fuzz {
namespace {

using namespace std::chrono_literals;
using toto::testing::require;
using toto::testing::SimRuntime;
using toto::testing::Simulation;
using Queue = toto::BasicTaskQueue<SimRuntime>;
using Loop = toto::BasicEventLoop<SimRuntime>;
using Handle = toto::TaskHandle<int, SimRuntime>;
using Timer = toto::BasicTimer<SimRuntime>;
using Group = toto::BasicTaskGroup<SimRuntime>;
using StopSource = SimRuntime::StopSource;

constexpr std::size_t kThreads = 3;
constexpr std::size_t kMostOperations = 20;

/// What a task of an input throws on purpose.
struct Planned {};

/// The totals of all tasks. Simulated threads only: one runs at a time.
struct Tally {
  std::uint64_t accepted = 0;
  std::uint64_t maybe = 0;  // adds whose end no one learns
  std::uint64_t ran = 0;
  std::int64_t tickets = 0;
  std::int64_t results = 0;
  bool timers = false;
};

/// Part of a task: it runs once, or is destroyed without.
class Ticket {
 public:
  explicit Ticket(Tally& tally) noexcept : tally_(&tally) { ++tally.tickets; }
  Ticket(Ticket&& other) noexcept : tally_(std::exchange(other.tally_, nullptr)), ran_(other.ran_) {}
  Ticket& operator=(Ticket&&) = delete;
  ~Ticket() {
    if (tally_ != nullptr) {
      toto::testing::assert_no_lock_held();
      --tally_->tickets;
    }
  }
  void run() {
    toto::testing::assert_no_lock_held();
    require(tally_ != nullptr, "a task runs with its captures");
    require(!std::exchange(ran_, true), "a task runs once");
    ++tally_->ran;
  }

 private:
  Tally* tally_;
  bool ran_ = false;
};

class Work {
 public:
  Work(Tally& tally, std::uint8_t how) noexcept : ticket_(tally), how_(how) {}
  int operator()() {
    ticket_.run();
    SimRuntime::point("in a task");
    if (how_ % 8 == 7) {
      throw Planned();
    }
    return how_;
  }

 private:
  Ticket ticket_;
  std::uint8_t how_;
};

toto::Task<int> slow_work(Ticket ticket, std::uint8_t how) {
  ticket.run();
  if (Queue::current() != nullptr || Loop::current() != nullptr) {  // or else an adder's own thread runs it
    co_await toto::sleep_for<SimRuntime>(std::chrono::milliseconds(how % 4));
  }
  if (how % 8 == 7) {
    throw Planned();
  }
  co_return how;
}

/// What may come out of an operation.
template <class Function>
bool as_planned(Function function) {
  try {
    function();
    return true;
  } catch (const Planned&) {
  } catch (const toto::TaskCancelled&) {
  } catch (const toto::TimedOut&) {
  } catch (const toto::QueueClosed&) {
  } catch (const toto::QueueFull&) {
  } catch (const std::system_error&) {  // a thread that does not start; only if the environment may refuse one
  }
  return false;
}

struct Operation {
  std::uint8_t what;
  std::uint8_t how;
};

struct Input {
  toto::QueueOptions queue;
  toto::testing::Time time = toto::testing::Time::strict;
  unsigned failing_starts = 0;
  unsigned spurious_wakeups = 0;
  std::array<std::vector<Operation>, kThreads> programs;
  std::string_view schedule;
};

Input read(std::string_view bytes) {
  const auto next = [&bytes]() -> std::uint8_t {
    if (bytes.empty()) {
      return 0;
    }
    const auto byte = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    return byte;
  };
  Input input;
  const std::uint8_t queue = next();
  input.queue.name = "q";
  input.queue.thread_count = 1 + queue % 2U;
  input.queue.idle_timeout = std::chrono::milliseconds(queue / 2 % 4);
  input.queue.ageing = queue / 8 % 2 == 0 ? toto::Duration::never() : toto::Duration(2ms);
  const std::uint8_t bound = next();
  if (bound % 2 != 0) {
    input.queue.max_queued = 1 + bound / 2 % 3U;
    input.queue.overflow = static_cast<toto::Overflow>(bound / 8 % 3);
  }
  const std::uint8_t environment = next();
  input.time = environment % 2 == 0 ? toto::testing::Time::strict : toto::testing::Time::eager;
  input.failing_starts = environment / 2 % 4 == 3 ? 1 : 0;
  input.spurious_wakeups = environment / 8 % 2;
  for (std::size_t left = next() % (kMostOperations + 1); left > 0; --left) {
    const std::uint8_t what = next();
    input.programs[what % kThreads].push_back({static_cast<std::uint8_t>(what / kThreads), next()});
  }
  input.schedule = bytes;
  return input;
}

/// One simulated thread's program.
class Machine {
 public:
  Machine(Simulation& simulation, Queue& queue, Tally& tally) : simulation_(simulation), queue_(queue), tally_(tally) {}

  void run(const std::vector<Operation>& program) {
    for (const Operation& operation : program) {
      as_planned([&] { step(operation.what % 24, operation.how); });
    }
    handles_.clear();
    timers_.clear();
  }

 private:
  // NOLINTNEXTLINE(readability-function-cognitive-complexity): a table
  void step(int what, std::uint8_t how) {
    switch (what) {
      case 0:
        give([&] { queue_.add_task([tally = &tally_] { ++tally->ran; }); });
        break;
      case 1:
        give([&] { queue_.add_task(Work(tally_, 0)); });
        break;
      case 2:
      case 3:
        keep(plain(how));
        break;
      case 4:
        keep(coroutine(how));
        break;
      case 5:
        if (!handles_.empty() && handles_.back().wait_for(std::chrono::milliseconds(how % 4))) {
          Handle handle = take();
          handle.get();
        }
        break;
      case 6:
        if (!handles_.empty()) {
          static_cast<void>(handles_.back().cancel());
        }
        break;
      case 7:
        handles_.clear();
        break;
      case 8:
        tally_.accepted += queue_.try_add_task(Work(tally_, 0)) ? 1U : 0U;
        break;
      case 9:
        tally_.accepted += queue_.try_add_task_for(std::chrono::milliseconds(how % 4), Work(tally_, 0)) ? 1U : 0U;
        break;
      case 10:
        in_a_loop(how, [&](Loop&) { return await_one(how); });
        break;
      case 11:
        in_a_loop(how, [&](Loop&) { return await_call(how); });
        break;
      case 12:
        in_a_loop(how, [&](Loop&) { return await_room(how); });
        break;
      case 13:
        in_a_loop(how, [&](Loop&) { return await_with_limit(how); });
        break;
      case 14:
        in_a_loop(how, [&](Loop&) { return await_any(how); });
        break;
      case 15:
        in_a_loop(how, [&](Loop&) { return await_all_or_cancel(how); });
        break;
      case 16:
        in_a_loop(how, [&](Loop&) { return await_group(how); });
        break;
      case 17:
        queue_.cancel_queued();
        break;
      case 18:
        queue_.close(how % 2 == 0 ? toto::Pending::run : toto::Pending::cancel);
        break;
      case 19:
        simulation_.sleep_for(std::chrono::milliseconds(how % 8));
        break;
      case 20:
        start_timer(how);
        break;
      case 21:
        timers_.clear();
        break;
      case 22:
        give([&] { queue_.with({.priority = how % 16 - 8}).add_task(Work(tally_, 0)); });
        break;
      default: {
        StopSource source;
        give([&] { handles_.push_back(queue_.with(source.get_token()).yield_task(Work(tally_, how))); });
        source.request_stop();
      }
    }
  }

  template <class Add>
  void give(Add add) {
    add();
    ++tally_.accepted;
  }
  Handle plain(std::uint8_t how) {
    Handle handle = how % 16 < 4 && queue_.name() == "q" && serial() ? serial()->yield_task(Work(tally_, how))
                                                                     : queue_.yield_task(Work(tally_, how));
    ++tally_.accepted;
    return handle;
  }
  Handle coroutine(std::uint8_t how) {
    Handle handle = queue_.yield_task(&slow_work, Ticket(tally_), how);
    ++tally_.accepted;
    return handle;
  }
  void keep(Handle handle) { handles_.push_back(std::move(handle)); }
  Handle take() {
    Handle handle = std::move(handles_.back());
    handles_.pop_back();
    return handle;
  }
  Handle take_or_start(std::uint8_t how) { return handles_.empty() ? plain(how) : take(); }

  /// A view of one, where the queue can have one.
  std::optional<toto::QueueView<SimRuntime>>& serial() {
    if (!serial_) {
      try {
        serial_ = queue_.limited(1, "one");
      } catch (const std::invalid_argument&) {
      }
    }
    return serial_;
  }

  /// Runs the coroutine on a loop, to its end, or until the loop is destroyed with it.
  template <class Make>
  void in_a_loop(std::uint8_t how, Make make) {
    Loop loop;
    loop.spawn(make(loop));
    if (how % 4 == 3) {
      loop.call_later(std::chrono::milliseconds(how / 4 % 4), [&loop] { loop.stop(); });
    }
    loop.run();
  }

  toto::Task<> await_one(std::uint8_t how) {
    Handle handle = take_or_start(how);
    static_cast<void>(co_await handle);
  }
  toto::Task<> await_call(std::uint8_t how) {
    Work work(tally_, how);
    ++tally_.maybe;
    auto call = queue_.call(std::move(work));
    static_cast<void>(co_await call);
  }
  toto::Task<> await_room(std::uint8_t how) {
    auto room = co_await queue_.admission();
    SimRuntime::point("admitted");
    if (how % 8 != 0) {
      give([&] { room.add_task(Work(tally_, 0)); });
    }
  }
  toto::Task<> await_with_limit(std::uint8_t how) {
    Handle handle = take_or_start(how);
    auto limited = std::move(handle).timeout(std::chrono::milliseconds(how / 16 % 4));
    static_cast<void>(co_await limited);
  }
  toto::Task<> await_any(std::uint8_t how) {
    Handle first = take_or_start(how);
    Handle second = take_or_start(static_cast<std::uint8_t>(how / 2));
    auto any = toto::when_any(std::move(first), std::move(second));
    static_cast<void>(co_await any);
  }
  toto::Task<> await_all_or_cancel(std::uint8_t how) {
    Handle first = take_or_start(how);
    Handle second = coroutine(static_cast<std::uint8_t>(how / 2));
    auto all = toto::when_all_or_cancel(std::move(first), std::move(second));
    static_cast<void>(co_await all);
  }
  toto::Task<> await_group(std::uint8_t how) {
    auto body = [this, how](Group& group) -> toto::Task<> { return fill(group, how); };
    auto all = toto::with_task_group<SimRuntime>(std::ref(body));
    co_await all;
  }
  toto::Task<> fill(Group& group, std::uint8_t how) {
    for (int i = 0; i < 2; ++i) {
      ++tally_.maybe;
      group.add(queue_, Work(tally_, how));
    }
    if (how % 16 == 1) {
      group.cancel();
    }
    co_return;
  }

  void start_timer(std::uint8_t how) {
    tally_.timers = true;
    const auto fire = [tally = &tally_, running = std::make_shared<int>(0)] {
      require((*running)++ == 0, "calls of one timer do not overlap");
      ++tally->ran;
      SimRuntime::point("in a timer's call");
      --*running;
    };
    if (how % 2 == 0) {
      timers_.push_back(queue_.add_task_every(std::chrono::milliseconds(1 + how / 2 % 4), fire));
    } else {
      timers_.push_back(queue_.add_task_after(std::chrono::milliseconds(how / 2 % 4), fire));
    }
  }

  Simulation& simulation_;
  Queue& queue_;
  Tally& tally_;
  std::optional<toto::QueueView<SimRuntime>> serial_;
  std::vector<Handle> handles_;
  std::vector<Timer> timers_;
};

void check(const toto::QueueStats& stats, const Tally& tally) {
  require(stats.queued + stats.running + stats.suspended == 0, "nothing is left in an idle queue");
  require(stats.submitted == stats.completed + stats.failed + stats.cancelled, "the counts agree at the end");
  require(stats.submitted >= tally.accepted, "what was accepted is counted");
  if (tally.timers) {
    require(stats.completed + stats.failed >= tally.ran, "what ran is counted");
  } else {
    require(stats.submitted <= tally.accepted + tally.maybe, "what was refused is not counted");
    require(stats.completed + stats.failed == tally.ran, "each task ran, or was cancelled");
  }
}

void run_programs(Simulation& simulation, const Input& input) {
  Tally tally;
  {
    Queue queue(input.queue);
    queue.on_error([](const std::exception_ptr& error, const toto::TaskInfo&) {
      toto::testing::assert_no_lock_held();
      as_planned([&] { std::rethrow_exception(error); });
    });
    const auto watching = simulation.on_step([&] {
      const toto::QueueStats stats = queue.stats();
      simulation.check(stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.queued +
                                              stats.running + stats.suspended,
                       "the queue's counts agree");
      simulation.check(stats.threads <= queue.thread_count(), "no more threads than thread_count");
      simulation.check(stats.running <= stats.threads, "no more tasks run than there are threads");
    });
    for (std::size_t i = 1; i < kThreads; ++i) {
      simulation.spawn(i == 1 ? "first" : "second",
                       [&, i] { Machine(simulation, queue, tally).run(input.programs[i]); });
    }
    Machine(simulation, queue, tally).run(input.programs[0]);
    simulation.join_all();
    queue.close();
    queue.wait_idle();
    check(queue.stats(), tally);
  }
  require(tally.tickets == 0, "captures are destroyed with their queue");
}

}  // namespace

std::string run_input(std::string_view bytes) {
  const Input input = read(bytes);
  toto::testing::SimulationOptions options;
  options.name = "fuzz";
  options.strategy = toto::testing::Bytes{input.schedule};
  options.time = input.time;
  options.failing_starts = input.failing_starts;
  options.spurious_wakeups = input.spurious_wakeups;
  options.max_steps = 100'000;
  const auto result =
      toto::testing::simulate(options, [&](Simulation& simulation) { run_programs(simulation, input); });
  return result ? "" : result.report();
}

}  // namespace toto_fuzz
