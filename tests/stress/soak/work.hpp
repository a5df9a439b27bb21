// SPDX-License-Identifier: MIT
//
// What the soak's tasks do, and how they are given to a queue so that the ledger knows. Read next: actors.hpp.

#ifndef TOTO_TESTS_STRESS_SOAK_WORK_HPP
#define TOTO_TESTS_STRESS_SOAK_WORK_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <toto/tasks.hpp>
#include <type_traits>
#include <utility>

#include "ledger.hpp"
#include "world.hpp"

namespace toto_soak {

/// Nothing, as long as a hand-over between threads, or a millisecond without the processor.
inline void linger(std::uint32_t random) {
  static std::atomic<std::uint32_t> sink{0};
  if (random % 64 == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(random % 1'500));
    return;
  }
  for (std::uint32_t i = 0, end = random % 2'000; i < end; ++i) {
    sink.store(i, std::memory_order_relaxed);
  }
}

/// Calls `add()`, which gives one task to the queue or throws. True if it was accepted.
template <class Add>
bool give(Ledger& ledger, Add add) {
  try {
    if constexpr (std::is_same_v<decltype(add()), bool>) {
      if (!add()) {
        ++ledger.refused;
        return false;
      }
    } else {
      add();
    }
    ++ledger.accepted;
    return true;
  } catch (const toto::QueueFull&) {
  } catch (const toto::QueueClosed&) {
  }
  ++ledger.refused;
  return false;
}

/// A plain task.
class Work {
 public:
  Work(Bench& bench, Dice& dice)
      : ticket_(bench.ledger), random_(static_cast<std::uint32_t>(dice.next())), ledger_(*bench.ledger) {}

  Result operator()() {
    ticket_.run();
    linger(random_);
    if (random_ % 16 == 1) {
      throw Planned();
    }
    if (random_ % 16 == 2) {
      add_another();
    }
    return Result(random_);
  }

 private:
  /// To the task's own queue, which may be full or closed.
  void add_another() {
    auto* const queue = toto::TaskQueue::current();
    if (queue != nullptr && queue->name() == ledger_.name) {
      try {
        queue->add_task([ledger = &ledger_] { ++ledger->ran; });
        ++ledger_.accepted;
      } catch (const toto::QueueFull&) {
      } catch (const toto::QueueClosed&) {
      }
    }
  }

  Ticket ticket_;
  std::uint32_t random_;
  Ledger& ledger_;
};

/// The same with a StopToken, which it obeys.
struct StoppableWork {
  Work work;

  Result operator()(const toto::StopToken& token) {
    for (int i = 0; i < 50 && !token.stop_requested(); ++i) {
      std::this_thread::yield();
    }
    return work();
  }
};

/// Whether there is a loop or a queue to come back to: not below sync_wait, nor in an adder's own thread.
inline bool can_sleep() {
  return toto::TaskQueue::current() != nullptr || toto::EventLoop::current() != nullptr;
}

/// A coroutine task: it suspends now and then, and continues where it was.
inline toto::Task<Result> slow_work(Ticket ticket, std::uint32_t random) {
  ticket.run();
  if (random % 4 != 0 && can_sleep()) {
    co_await toto::sleep_for(std::chrono::microseconds(random % 2'000));
  }
  if (auto* const queue = toto::TaskQueue::current(); queue != nullptr && random % 4 == 1) {
    try {
      co_await queue->schedule();
    } catch (const toto::QueueClosed&) {
    }
  }
  if (random % 16 == 3) {
    throw Planned();
  }
  co_return Result(random);
}

/// What a coroutine waits for may fail in these ways, and in no other.
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
  } catch (const toto::PoolClosed&) {
  } catch (const std::exception& error) {
    Findings::get().report(std::string("an unexpected exception: ") + error.what());
  } catch (...) {
    Findings::get().report("an unexpected exception");
  }
  return false;
}

/// A handle to a new task in the queue, plain or a coroutine, through the queue itself or one of its views. Empty if
/// the queue has refused it.
inline toto::TaskHandle<Result> start(Bench& bench, Dice& dice, const toto::StopToken& token) {
  toto::TaskHandle<Result> handle;
  give(*bench.ledger, [&] {
    switch (dice.below(8)) {
      case 0:
        handle = bench.queue.yield_task(&slow_work, Ticket(bench.ledger), static_cast<std::uint32_t>(dice.next()));
        break;
      case 1:
        handle = bench.pair->yield_task(Work(bench, dice));
        break;
      case 2:
        handle = bench.serial ? bench.serial->yield_task(Work(bench, dice)) : bench.queue.yield_task(Work(bench, dice));
        break;
      case 3:
        handle = bench.queue.with({.priority = static_cast<int>(dice.below(16)) - 8}).yield_task(Work(bench, dice));
        break;
      case 4:
        handle =
            bench.queue.with({.start_by = std::chrono::microseconds(dice.below(3'000))}).yield_task(Work(bench, dice));
        break;
      case 5:
        handle = bench.queue.with(token).yield_task(StoppableWork{Work(bench, dice)});
        break;
      case 6:
        handle = bench.pair->with(token)
                     .with({.priority = 2})
                     .yield_task(&slow_work, Ticket(bench.ledger), static_cast<std::uint32_t>(dice.next()));
        break;
      default:
        handle = bench.queue.yield_task(Work(bench, dice));
    }
  });
  return handle;
}

}  // namespace toto_soak

#endif  // TOTO_TESTS_STRESS_SOAK_WORK_HPP
