// SPDX-License-Identifier: MIT
//
// Models of tasks that a worker runs, and of hops that it makes, without queueing them, because they would be next
// anyway (I11); and of cases that look like it, but must be queued. No one can tell them apart, whatever others do
// meanwhile.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "support/coroutines.hpp"
#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

using SimThread = SimRuntime::Thread;

/// Three calls, one after another; all but the first are not queued if nothing else is.
toto::Task<int> three_calls(SimQueue& queue, Tally& begun) {
  int sum = 0;
  for (int i = 1; i <= 3; ++i) {
    sum += co_await queue.call([&begun, i] {
      ++begun;
      return i;
    });
  }
  co_return sum;
}

/// Three hops, one after another; all but the first are not queued if nothing else is.
toto::Task<> three_hops(SimQueue& queue, Tally& hopped) {
  for (int i = 0; i < 3; ++i) {
    co_await queue.schedule();
    ++hopped;
  }
}

/// From the middle of a task: goes to the end of its queue, and notes that it has come there.
FireAndForget hop_and_note(SimQueue& queue, std::string& order, char note) {
  co_await queue.schedule();
  order += note;
}

/// Suspends the coroutine, and resumes it right there, in the middle of something else.
template <class After>
struct ResumedInTheMiddle {
  After after;

  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) {
    After then = after;  // *this may be gone once the coroutine has continued
    coroutine.resume();
    then();
  }
  static void await_resume() noexcept {}
};

/// The second step opens the gate for which `after` waits.
template <class After>
toto::Task<> call_then_call_and_open(SimQueue& queue, Tally& ran, After after, SimGate& gate) {
  co_await queue.call([&ran] { ++ran; });
  co_await ResumedInTheMiddle<After>{after};
  co_await queue.call([&ran, &gate] {
    ++ran;
    gate.open();
  });
}
template <class After>
toto::Task<> hop_then_hop_and_open(SimQueue& queue, Tally& hopped, After after, SimGate& gate) {
  co_await queue.schedule();
  ++hopped;
  co_await ResumedInTheMiddle<After>{after};
  co_await queue.schedule();
  ++hopped;
  gate.open();
}

/// The coroutine that `begin(queue, steps, after, gate)` returns is resumed in the middle of a user's awaitable, which
/// then waits for what the coroutine's next step does: the other worker has to do it.
template <class Begin>
void wait_in_the_middle_for_the_next_step(Simulation& sim, Begin begin) {
  Tally steps;
  {
    SimGate gate;
    SimHandle<void> opened;
    SimQueue queue(2, 5ms);
    SimQueue other(1, 5ms);
    const auto watching = watch(sim, queue);
    opened = other.yield_task([&] { gate.wait(); });
    queue.yield_task([&] { return begin(queue, steps, [&opened] { opened.wait(); }, gate); }).get();
  }
  require(steps == 2, "both steps have been made");
}

/// In the middle of a coroutine that its worker has resumed from its loop, after `first(queue)`, `open_later(queue,
/// gate)` goes into the queue to open the gate; the coroutine waits for that in a way that the library cannot see.
template <class First, class OpenLater>
void wait_in_the_middle_for_another(Simulation& sim, First first, OpenLater open_later) {
  Tally went_on;
  {
    SimGate gate;
    SimQueue queue(2, 5ms);
    const auto watching = watch(sim, queue);
    const auto coroutine = [&]() -> toto::Task<> {
      co_await first(queue);
      open_later(queue, gate);
      gate.wait();
      ++went_on;
    };
    queue.yield_task(coroutine).get();
    queue.wait_idle();
  }
  require(went_on == 1, "it went on");
}

}  // namespace

TEST_CASE("calls of a coroutine on its own queue, while others add: each task runs once, first in, first out",
          "[simulation][A1][A7][A10][M3][inv.I11][inv.I12]") {
  const auto model = [](std::size_t threads) {
    return [threads](Simulation& sim) {
      Tally begun;
      Tally others;
      {
        SimQueue queue(threads, 5ms);
        const auto watching = watch(sim, queue);
        auto sum = queue.yield_task(three_calls, std::ref(queue), std::ref(begun));
        queue.add_task([&] { ++others; });
        require(sum.get() == 6, "every call has given its result");
        queue.wait_idle();
        require(queue.stats().submitted == 5 && queue.stats().completed == 5, "each is counted once");
      }
      require(begun == 3 && others == 1, "each ran once");
    };
  };
  explore("calls and an adder, 1 thread", {}, model(1));
  explore("calls and an adder, 2 threads", {.deviations = 1}, model(2));
}

TEST_CASE("what a task adds to its own one-thread queue runs after it, and before what others add later",
          "[simulation][A1][A7]") {
  explore("order of what a task adds", {}, [](Simulation& sim) {
    std::string order;
    {
      SimGate added;
      SimGate told;
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        order += '1';
        static_cast<void>(queue.yield_task([&] { order += '2'; }));
        static_cast<void>(queue.yield_task([&] { order += '3'; }));
        added.open();
        told.wait();
        order += '4';
      });
      added.wait();
      require(queue.stats().queued == 2, "both are queued for all who look");
      require(queue.size() == 3, "and count");
      queue.add_task([&] { order += '5'; });
      told.open();
    }
    require(order == "14235", "in order, one at a time");
  });
}

TEST_CASE("what a task adds behind something that is queued stays behind it", "[simulation][A1][A7][A10][inv.O1]") {
  explore("a task behind a closure", {}, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        queue.add_task([&order] { order += '1'; });  // plain bytes: a closure
        static_cast<void>(queue.yield_task([&order] { order += '2'; }));
      });
      queue.wait_idle();
    }
    require(order == "12", "in order");
  });
}

TEST_CASE("what a coroutine adds behind something that is queued stays behind it, and so does its hop",
          "[simulation][A1][A7][A10][inv.I11]") {
  explore("a call and a hop behind closures", {}, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      const auto coroutine = [&]() -> toto::Task<> {
        co_await queue.schedule();  // from here on its worker resumes it from its loop
        queue.add_task([&order] { order += '1'; });
        co_await queue.call([&order] { order += '2'; });
        queue.add_task([&order] { order += '3'; });
        co_await queue.schedule();
        order += '4';
      };
      queue.yield_task(coroutine).get();
    }
    require(order == "1234", "in order");
  });
}

TEST_CASE("cancelling what a task has added to its own one-thread queue against its beginning: one of the two",
          "[simulation][K1][K4]") {
  explore("cancel what a task has added", {}, [](Simulation& sim) {
    Tally ran;
    Tally living;
    bool won = false;
    SimHandle<void> handle;
    {
      SimGate added;
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        handle = queue.yield_task([&ran, captured = Counted(living)] { ++ran; });
        added.open();
      });
      added.wait();
      won = handle.cancel();
      require(!won || living == 0, "the capture is destroyed at once");
      queue.wait_idle();
      require(queue.stats().cancelled == (won ? 1U : 0U), "counted as what it was");
    }
    require(ran == (won ? 0 : 1) && living == 0, "it ran or was cancelled");
    require(handle.ready(), "its handle is completed");
  });
  explore("cancel all that a task has added", {}, [](Simulation& sim) {
    Tally ran;
    Tally living;
    std::size_t cancelled = 0;
    {
      SimGate added;
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        queue.add_task([&ran, captured = Counted(living)] { ++ran; });
        queue.add_task([&ran, captured = Counted(living)] { ++ran; });
        added.open();
      });
      added.wait();
      cancelled = queue.cancel_queued();
    }
    require(living == 0 && ran + static_cast<int>(cancelled) == 2, "each ran or was cancelled");
  });
}

TEST_CASE("closing a queue refuses what its task adds from then on, and runs or cancels what it has added",
          "[simulation][L3][L5][L6][L7][inv.I8][inv.I11]") {
  const auto model = [](toto::Pending pending) {
    return [pending](Simulation& sim) {
      Tally ran;
      Tally living;
      int accepted = 0;
      {
        SimQueue queue(1, 5ms);
        const auto watching = watch(sim, queue);
        SimGate begun;
        queue.add_task([&] {
          begun.open();
          for (int i = 0; i < 2; ++i) {
            try {
              queue.add_task([&ran, captured = Counted(living)] { ++ran; });
              ++accepted;
            } catch (const toto::QueueClosed&) {
            }
          }
        });
        begun.wait();
        queue.close(pending);
      }
      require(living == 0, "nothing is left");
      require(pending == toto::Pending::run ? ran == accepted : ran <= accepted, "what was accepted has run");
    };
  };
  explore("close against adding", {}, model(toto::Pending::run));
  explore("close and cancel against adding", {}, model(toto::Pending::cancel));
  explore("close, then add", {}, [](Simulation& sim) {
    bool refused = false;
    SimQueue queue(1, 5ms);
    const auto watching = watch(sim, queue);
    queue.add_task([&] {
      queue.close();
      try {
        static_cast<void>(queue.yield_task([] {}));
      } catch (const toto::QueueClosed&) {
        refused = true;
      }
    });
    queue.wait_idle();
    require(refused, "refused right after closing");
  });
  explore("close, then call", {}, [](Simulation& sim) {
    bool refused = false;
    SimQueue queue(1, 5ms);
    const auto watching = watch(sim, queue);
    const auto coroutine = [&]() -> toto::Task<> {
      co_await queue.schedule();  // from here on its worker resumes it from its loop
      queue.close();
      try {
        co_await queue.call([] {});
      } catch (const toto::QueueClosed&) {
        refused = true;
      }
    };
    queue.yield_task(coroutine).get();
    require(refused, "refused right after closing");
  });
}

TEST_CASE("an urgent task comes before what was added earlier, and a continuation without a home before that",
          "[simulation][N6][H1][inv.O1]") {
  explore("an urgent task before an earlier one", {}, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        static_cast<void>(queue.yield_task([&] { order += '2'; }));
        static_cast<void>(queue.with({.priority = 1}).yield_task([&] { order += '1'; }));
        static_cast<void>(queue.yield_task([&] { order += '3'; }));
      });
      queue.wait_idle();
    }
    require(order == "123", "by priority, then in order");
  });
  explore("a cancelled task's awaiter before everything", {}, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        queue.add_task([&order] { order += '3'; });
        static_cast<void>(queue.yield_task([&] { order += '4'; }));
        SimRuntime::StopSource stop;
        [](SimQueue& own, SimRuntime::StopToken token, std::string& noted) -> FireAndForget {
          try {
            co_await own.with(std::move(token)).yield_task([] {}).resume_inline();
          } catch (const toto::TaskCancelled&) {
            noted += '1';
          }
        }(queue, stop.get_token(), order);
        queue.with({.priority = 1}).add_task([&] { order += '2'; });
        stop.request_stop();
      });
      queue.wait_idle();
    }
    require(order == "1234", "the continuation first, then by priority");
  });
}

TEST_CASE("a worker that blocks in the middle of a task leaves what it was to run next to others",
          "[simulation][C4][M3]") {
  explore("a call of a coroutine resumed in the middle", {.deviations = 1}, [](Simulation& sim) {
    wait_in_the_middle_for_the_next_step(sim, [](SimQueue& queue, Tally& ran, auto after, SimGate& gate) {
      return call_then_call_and_open(queue, ran, after, gate);
    });
  });
}

TEST_CASE("what is added in the middle of a task of a queue of two is left to the other thread",
          "[simulation][C4][M7][inv.I11]") {
  // The task, or the coroutine, waits for what it has added, in a way that the library cannot see.
  explore("added in the middle of a task", {.deviations = 1}, [](Simulation& sim) {
    Tally ran;
    {
      SimGate gate;
      SimQueue queue(2, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        static_cast<void>(queue.yield_task([&] { gate.open(); }));
        gate.wait();
        ++ran;
      });
      queue.wait_idle();
    }
    require(ran == 1, "it went on");
  });
  explore("called in the middle of a coroutine", {.deviations = 1}, [](Simulation& sim) {
    wait_in_the_middle_for_another(
        sim, [](SimQueue& queue) { return queue.call([] {}); },
        [](SimQueue& queue, SimGate& gate) -> FireAndForget { co_await queue.call([&gate] { gate.open(); }); });
  });
}

TEST_CASE("a queue destroyed by the task that has added to it runs what was added", "[simulation][L9][L10]") {
  explore("destroyed by its own task, which has added one", {}, [](Simulation& sim) {
    Tally ran;
    auto* const queue = new SimQueue(1, 5ms);
    SimGate begun;
    SimHandle<void> last;
    queue->add_task([&, queue] {
      last = queue->yield_task([&] { ++ran; });
      begun.open();
      delete queue;
      ++ran;
    });
    begun.wait();
    last.get();
    require(ran == 2, "what it has added ran afterwards");
    sim.sleep_for(10ms);
  });
}

TEST_CASE("hops of a coroutine on its own queue, while others add: each is made once, behind what was queued",
          "[simulation][A1][A10][inv.I11]") {
  const auto model = [](std::size_t threads) {
    return [threads](Simulation& sim) {
      Tally hopped;
      Tally others;
      {
        SimQueue queue(threads, 5ms);
        const auto watching = watch(sim, queue);
        auto hopping = queue.yield_task(three_hops, std::ref(queue), std::ref(hopped));
        queue.add_task([&] { ++others; });
        hopping.get();
        queue.wait_idle();
        require(queue.stats().submitted == 2 && queue.stats().completed == 2, "a hop is not a task");
      }
      require(hopped == 3 && others == 1, "each was made once");
    };
  };
  explore("hops and an adder, 1 thread", {}, model(1));
  explore("hops and an adder, 2 threads", {.deviations = 1}, model(2));
  explore("hops behind what was queued", {}, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        hop_and_note(queue, order, '2');
        hop_and_note(queue, order, '3');
        queue.add_task([&] { order += '4'; });
        hop_and_note(queue, order, '5');
        queue.with({.priority = 1}).add_task([&] { order += '1'; });
      });
      queue.wait_idle();
    }
    require(order == "12345", "by priority, then in order");
  });
}

TEST_CASE("a hop of a coroutine that was resumed in the middle of a task which blocks is made by another worker",
          "[simulation][C4][M3]") {
  explore("a hop of a coroutine resumed in the middle", {.deviations = 1}, [](Simulation& sim) {
    wait_in_the_middle_for_the_next_step(sim, [](SimQueue& queue, Tally& hopped, auto after, SimGate& gate) {
      return hop_then_hop_and_open(queue, hopped, after, gate);
    });
  });
}

TEST_CASE("a hop from the middle of a task of a queue of two is left to the other thread",
          "[simulation][C4][M7][inv.I11]") {
  explore("hopped in the middle of a coroutine", {.deviations = 1}, [](Simulation& sim) {
    wait_in_the_middle_for_another(
        sim, [](SimQueue& queue) { return queue.schedule(); },
        [](SimQueue& queue, SimGate& gate) -> FireAndForget {
          co_await queue.schedule();
          gate.open();
        });
  });
}

TEST_CASE("cancelling what is queued lets a hop stand, and so does closing", "[simulation]") {
  explore("cancel all, a hop is queued", {}, [](Simulation& sim) {
    std::string order;
    {
      SimGate added;
      SimGate told;
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        hop_and_note(queue, order, '1');
        added.open();
        told.wait();
      });
      added.wait();
      require(queue.cancel_queued() == 0, "a hop is not a task");
      queue.close();
      told.open();
    }
    require(order == "1", "it has been made");
  });
}
