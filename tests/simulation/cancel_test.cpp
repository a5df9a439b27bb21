// SPDX-License-Identifier: MIT
//
// Models of taking tasks out of a queue while a worker fetches them: one by one and wholesale, from the line, priority
// levels, views and bounded queues; and of timers whose calls take a token.

#include <cstddef>
#include <memory>
#include <utility>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::Overflow;

namespace {

using SimThread = SimRuntime::Thread;

/// A task, what it has done, and what became of its handle. Its capture is alive as long as the callable is.
struct Tried {
  int ran = 0;
  std::weak_ptr<int> capture;

  auto task() {
    auto captured = std::make_shared<int>();
    capture = captured;
    return [this, captured = std::move(captured)] { ++ran; };
  }
  /// It has ended: it ran or was cancelled, and its handle shows which. True: it was cancelled.
  bool cancelled(SimHandle<void> handle) const {
    require(handle.ready(), "its handle is completed");
    require(capture.expired(), "its capture is gone");
    try {
      handle.get();
    } catch (const toto::TaskCancelled&) {
      require(ran == 0, "what was cancelled did not run");
      return true;
    }
    require(ran == 1, "what was not cancelled ran once");
    return false;
  }
};

/// Cancels a task that `add(queue, task)` adds in front of another one, while a worker fetches them.
template <class Add>
void cancel_against_dequeue(Simulation& sim, const toto::QueueOptions& options, Add add) {
  Tried first;
  Tried second;
  bool won = false;
  SimHandle<void> handle;
  SimHandle<void> other;
  {
    SimQueue queue(options);
    const auto watching = watch(sim, queue);
    handle = add(queue, first.task());
    SimThread canceller("canceller", [&] { won = handle.cancel(); });
    other = add(queue, second.task());
    canceller.join();
    require(!won || first.capture.expired(), "the capture is destroyed at once");
    queue.wait_idle();
    require(queue.stats().cancelled == (won ? 1U : 0U), "counted as what it was");
    require(queue.stats().completed == (won ? 1U : 2U), "the other one runs");
  }
  require(first.cancelled(std::move(handle)) == won, "cancel() has told the truth");
  require(!second.cancelled(std::move(other)), "nobody has cancelled this one");
}

}  // namespace

TEST_CASE("cancelling a task of a priority level against a worker that fetches it",
          "[simulation][K1][K4][N6][inv.O2][inv.I7]") {
  explore("cancel in a level", {}, [](Simulation& sim) {
    cancel_against_dequeue(sim, {.thread_count = 1, .idle_timeout = 5ms}, [](SimQueue& queue, auto task) {
      return queue.with({.priority = 3}).yield_task(std::move(task));
    });
  });
  explore("cancel in the lowest level", {}, [](Simulation& sim) {
    cancel_against_dequeue(sim, {.thread_count = 1, .idle_timeout = 5ms}, [](SimQueue& queue, auto task) {
      return queue.with({.priority = -3}).yield_task(std::move(task));
    });
  });
}

TEST_CASE("cancelling a task of a queue with ageing against a worker that fetches it", "[simulation][K1][K4][N7]") {
  explore("cancel with ageing", {}, [](Simulation& sim) {
    cancel_against_dequeue(sim, {.thread_count = 1, .idle_timeout = 5ms, .ageing = 1ms},
                           [](SimQueue& queue, auto task) { return queue.yield_task(std::move(task)); });
  });
}

TEST_CASE("cancelling a task of a bounded queue against a worker that fetches it, and an adder that waits for its room",
          "[simulation][K1][K4][N2]") {
  explore("cancel under a bound", {}, [](Simulation& sim) {
    cancel_against_dequeue(sim, {.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1},
                           [](SimQueue& queue, auto task) { return queue.yield_task(std::move(task)); });
  });
  explore("cancel in a level under a bound", {.random_schedules = 2'000}, [](Simulation& sim) {
    cancel_against_dequeue(
        sim, {.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1},
        [](SimQueue& queue, auto task) { return queue.with({.priority = 3}).yield_task(std::move(task)); });
  });
}

TEST_CASE("cancelling a task that waits in a view against the end of the one before it",
          "[simulation][K1][K4][P8][inv.O2][inv.O3]") {
  explore("cancel in a view", {}, [](Simulation& sim) {
    Tried first;
    Tried second;
    bool won = false;
    SimHandle<void> handle;
    SimHandle<void> before;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      const auto view = queue.limited(1, "one");
      before = view.yield_task(first.task());
      handle = view.yield_task(second.task());
      won = handle.cancel();
      auto last = view.yield_task([] {});
      last.get();  // its turn comes, whatever became of the others
      queue.wait_idle();
    }
    require(second.cancelled(std::move(handle)) == won, "cancel() has told the truth");
    require(!first.cancelled(std::move(before)), "nobody has cancelled this one");
  });
}

TEST_CASE("cancel_queued against workers that fetch tasks: each ran or was cancelled",
          "[simulation][K4][K9][inv.O2][inv.I8]") {
  const auto model = [](const toto::QueueOptions& options, auto add) {
    return [options, add](Simulation& sim) {
      Tried first;
      Tried second;
      int plain = 0;
      std::size_t cancelled = 0;
      SimHandle<void> one;
      SimHandle<void> two;
      {
        SimQueue queue(options);
        const auto watching = watch(sim, queue);
        one = add(queue, first.task());
        queue.add_task([&plain] { ++plain; });
        two = add(queue, second.task());
        SimThread canceller("canceller", [&] { cancelled = queue.cancel_queued(); });
        queue.wait_idle();
        require(one.ready() && two.ready(), "what is cancelled is over when the queue is idle");
        canceller.join();
        require(queue.stats().cancelled == cancelled, "it tells how many");
        require(queue.yield_task([] { return 7; }).get() == 7, "the queue goes on");
      }
      const std::size_t told = (first.cancelled(std::move(one)) ? 1U : 0U) +
                               (second.cancelled(std::move(two)) ? 1U : 0U) + (plain == 0 ? 1U : 0U);
      require(told == cancelled, "each ran or was cancelled");
    };
  };
  const toto::QueueOptions plain{.thread_count = 1, .idle_timeout = 5ms};
  explore("cancel_queued", {},
          model(plain, [](SimQueue& queue, auto task) { return queue.yield_task(std::move(task)); }));
  explore("cancel_queued, levels", {}, model(plain, [](SimQueue& queue, auto task) {
            return queue.with({.priority = 3}).yield_task(std::move(task));
          }));
  explore("cancel_queued, a view", {.random_schedules = 2'000},
          model(plain, [](SimQueue& queue, auto task) { return queue.limited(1, "one").yield_task(std::move(task)); }));
}

TEST_CASE("cancel_queued gives room to an adder that waits for it", "[simulation][N2][K4]") {
  explore("cancel_queued under a bound", {.deviations = 1}, [](Simulation& sim) {
    int ran = 0;
    std::size_t cancelled = 0;
    SimGate begun;
    SimGate gate;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1});
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        begun.open();
        gate.wait();
      });
      begun.wait();
      queue.add_task([&ran] { ++ran; });
      SimThread adder("adder", [&] { queue.add_task([&ran] { ++ran; }); });
      cancelled = queue.cancel_queued();
      if (cancelled == 1) {
        adder.join();  // the worker is held: only the room that was made lets it continue
      }
      gate.open();
      if (cancelled != 1) {
        adder.join();
      }
      queue.wait_idle();
    }
    require(static_cast<std::size_t>(ran) + cancelled == 2, "each ran or was cancelled");
  });
}

TEST_CASE("closing with cancellation against workers and an adder: each ran, was cancelled or was refused",
          "[simulation][L3][L6]") {
  explore("close(cancel)", {}, [](Simulation& sim) {
    Tried first;
    int ran = 0;
    int accepted = 0;
    SimHandle<void> handle;
    std::size_t cancelled = 0;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      handle = queue.with({.priority = 1}).yield_task(first.task());
      SimThread adder("adder", [&] {
        try {
          queue.add_task([&ran] { ++ran; });
          ++accepted;
        } catch (const toto::QueueClosed&) {
        }
      });
      queue.close(toto::Pending::cancel);
      adder.join();
      queue.wait_idle();
      cancelled = queue.stats().cancelled;
    }
    const std::size_t first_cancelled = first.cancelled(std::move(handle)) ? 1 : 0;
    require(ran <= accepted, "what was refused did not run");
    require(static_cast<std::size_t>(accepted - ran) + first_cancelled == cancelled, "each ran or was cancelled");
  });
}

TEST_CASE("stopping a timer against its call: it does not begin, or sees the request", "[simulation][K2][K4][K6]") {
  explore("timer with a token", {.deviations = 1}, [](Simulation& sim) {
    int began = 0;
    int saw = 0;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      auto timer = queue.add_task_after(1ms, [&](const SimRuntime::StopToken& token) {
        ++began;
        SimGate asked;
        const auto open = [&asked] { asked.open(); };
        const SimRuntime::StopCallback<decltype(open)> callback(token, open);
        asked.wait();
        ++saw;
      });
      sim.sleep_for(1ms);
      timer.stop();  // what has begun for the queue may not have come to its first line
      queue.wait_idle();
    }
    require(saw == began && began <= 1, "a call that had begun has seen the request");
  });
}

TEST_CASE("stopping a loop's timer against its calls: run() ends, and nothing is called twice",
          "[simulation][timers][K4]") {
  explore("a loop's timer", {}, [](Simulation& sim) {
    int calls = 0;
    int after = 0;
    bool over = false;
    {
      SimLoop loop;
      const auto start = SimRuntime::Clock::now();
      auto timer = loop.post_every(2ms, [&] {
        require(!over, "not after the loop");
        ++calls;
      });
      auto once = loop.post_after(3ms, [&after] { ++after; });
      SimThread stopper("stopper", [&] {
        sim.sleep_for(4ms);
        timer.stop();
        once.stop();
      });
      loop.run();
      over = true;
      stopper.join();
      require(after <= 1 && calls <= (SimRuntime::Clock::now() - start) / 2ms, "no more calls than their times");
    }
  });
}
