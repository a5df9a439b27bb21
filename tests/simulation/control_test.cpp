// SPDX-License-Identifier: MIT
//
// Models of control: bounds, priorities, views, timers, time limits, tokens given at submission, calls in the frame.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/coroutines.hpp"
#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::Overflow;

namespace {

using SimThread = SimRuntime::Thread;

/// The outcome of a task whose result was awaited.
enum class Came { not_yet, result, cancelled, timed_out };

toto::Task<> await_with_limit(SimHandle<int> handle, toto::Duration limit, Came& came, Tally& resumed) {
  try {
    co_await std::move(handle).timeout(limit);
    came = Came::result;
  } catch (const toto::TimedOut&) {
    came = Came::timed_out;
  } catch (const toto::TaskCancelled&) {
    came = Came::cancelled;
  }
  ++resumed;
}

toto::Task<> call_into(SimQueue& queue, Tally& ran, Tally& resumed) {
  const int value = co_await queue.call([&ran] { return ++ran; });
  require(value == 1, "the result is the call's");
  ++resumed;
}

Owned call_with_capture(SimQueue& queue, Counted /*in the frame*/, Tally& resumed) {
  try {
    co_await queue.call([] {});
  } catch (const toto::TaskCancelled&) {
  }
  ++resumed;
}

toto::Task<> add_with_admission(SimQueue& queue, Tally& ran, Tally& refused) {
  try {
    auto room = co_await queue.admission();
    room.add_task([&ran] { ++ran; });
  } catch (const toto::QueueClosed&) {
    ++refused;
  }
}

}  // namespace

TEST_CASE("an adder that waits for room is told as soon as a task begins", "[simulation][N2][O4][inv.R2]") {
  explore("block for room", kOnlyOrder, [](Simulation& sim) {
    Tally ran;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1});
      const auto watching = watch(sim, queue);
      SimThread adder("adder", [&] {
        queue.add_task([&ran] { ++ran; });
        queue.add_task([&ran] { ++ran; });
      });
      queue.add_task([&ran] { ++ran; });
      queue.add_task([&ran] { ++ran; });
      adder.join();
      queue.wait_idle();
    }
    require(ran == 4, "every accepted task ran");
  });
}

TEST_CASE("an adder that waits for room is told that the queue has closed", "[simulation][N2][L6]") {
  explore("block against close", {.failing_starts = 1}, [](Simulation& sim) {
    Tally ran;
    int accepted = 0;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1});
      const auto watching = watch(sim, queue);
      sim.spawn("adder", [&] {
        try {
          for (int i = 0; i < 3; ++i) {
            accepted += add_if_possible(queue, [&ran] { ++ran; }) ? 1 : 0;
          }
        } catch (const toto::QueueClosed&) {
        }
      });
      SimRuntime::point("before closing");
      queue.close();
      sim.join_all();
      queue.wait_idle();
    }
    require(ran == accepted, "what was accepted ran, and nothing else");
  });
}

TEST_CASE("two adders and a worker never let more tasks wait than the bound", "[simulation][N1][N3][O2][inv.R1]") {
  explore("bound under producers", {.failing_starts = 1}, [](Simulation& sim) {
    Tally ran;
    Tally refused;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1, .overflow = Overflow::reject});
      const auto watching = watch(sim, queue);
      const auto bound =
          sim.on_step([&] { sim.check(queue.stats().queued <= 1, "no more tasks wait than max_queued"); });
      const auto add = [&] {
        try {
          refused += add_if_possible(queue, [&ran] { ++ran; }) ? 0 : 1;
        } catch (const toto::QueueFull&) {
          ++refused;
        }
      };
      sim.spawn("adder", add);
      add();
      add();
      sim.join_all();
      queue.wait_idle();
    }
    require(ran + refused == 3, "each ran or was refused");
  });
}

TEST_CASE("a task that adds to its own full queue goes beyond the bound", "[simulation][N3]") {
  explore("own full queue", {}, [](Simulation& sim) {
    Tally ran;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1});
      const auto checks = watch(sim, queue);
      queue.add_task([&] {
        for (int i = 0; i < 3; ++i) {
          queue.add_task([&ran] { ++ran; });
        }
      });
      queue.wait_idle();
    }
    require(ran == 3, "all ran, nobody waited for himself");
  });
}

TEST_CASE("a wait for room with a limit ends when it is over, and leaves nothing behind", "[simulation][N4]") {
  explore("timed add", {}, [](Simulation& sim) {
    Tally ran;
    bool added = false;
    SimGate gate;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 50ms, .max_queued = 1});
      const auto watching = watch(sim, queue);
      queue.add_task([&gate] { gate.wait(); });
      queue.wait_idle_for(1ms);  // it has begun
      queue.add_task([&ran] { ++ran; });
      SimThread opener("opener", [&] {
        sim.sleep_for(5ms);
        gate.open();
      });
      added = queue.try_add_task_for(5ms, [&ran] { ++ran; });
      opener.join();
      queue.wait_idle();
      require(queue.try_add_task([&ran] { ++ran; }), "the room is not lost");
    }
    require(ran == 2 + (added ? 1 : 0), "it ran if it was added");
  });
}

TEST_CASE("a full queue discards the oldest task, which a worker may claim at that moment", "[simulation][N1][K4]") {
  explore("discard the oldest", {}, [](Simulation& sim) {
    Tally ran;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1, .overflow = Overflow::discard_oldest});
      const auto watching = watch(sim, queue);
      auto first = queue.yield_task([&ran] { ++ran; });
      queue.add_task([&ran] { ++ran; });
      auto last = queue.yield_task([&ran] { ++ran; });
      queue.wait_idle();
      require(first.ready() && last.ready(), "every handle is completed");
      last.get();
      require(static_cast<int>(queue.stats().cancelled) + ran == 3, "each ran or was cancelled");
    }
  });
}

TEST_CASE("coroutines wait for room in line, and one that is destroyed gives its place away",
          "[simulation][N2][G8][inv.R1][inv.R2]") {
  explore("admission", {}, [](Simulation& sim) {
    Tally ran;
    Tally refused;
    bool destroyed = false;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1});
      const auto watching = watch(sim, queue);
      queue.add_task([&ran] { ++ran; });
      queue.add_task([&ran] { ++ran; });
      SimLoop staying;
      staying.spawn(add_with_admission(queue, ran, refused));
      {
        SimLoop going;
        going.spawn(add_with_admission(queue, ran, refused));
        going.post([&] { going.stop(); });
        going.run();
        SimRuntime::point("before the destruction");
        destroyed = true;
      }
      staying.run();
      queue.wait_idle();
      require(queue.try_add_task([&ran] { ++ran; }), "no room is lost");
      queue.wait_idle();
    }
    require(destroyed && refused == 0 && ran >= 4 && ran <= 5, "who stayed was admitted");
  });
}

TEST_CASE("closing tells coroutines that wait for room", "[simulation][N2][L6]") {
  explore("admission against close", kOnlyOrder, [](Simulation& sim) {
    Tally ran;
    Tally refused;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1});
      const auto checks = watch(sim, queue);
      queue.add_task([&ran] { ++ran; });
      SimThread closer("closer", [&] { queue.close(); });
      SimLoop loop;
      loop.spawn(add_with_admission(queue, ran, refused));
      loop.spawn(add_with_admission(queue, ran, refused));
      loop.run();
      closer.join();
    }
    require(ran + refused == 3, "each was admitted or told");
  });
}

TEST_CASE("more urgent tasks begin first, those of one priority in order", "[simulation][N6]") {
  explore("priorities", {}, [](Simulation& sim) {
    std::string order;
    {
      SimGate begun;
      SimGate gate;
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        begun.open();
        gate.wait();
      });
      begun.wait();
      const auto add = [&](int priority, char name) {
        queue.with({.priority = priority}).add_task([&order, name] { order += name; });
      };
      add(0, 'd');
      add(-1, 'f');
      add(3, 'b');
      add(0, 'e');
      add(5, 'a');
      add(3, 'c');
      gate.open();
      queue.wait_idle();
    }
    require(order == "abcdef", "in the order of urgency, not " + order);
  });
}

TEST_CASE("an urgent task is noticed between two others, whoever claims them", "[simulation][N6][A3]") {
  explore("urgent against claims", {}, [](Simulation& sim) {
    Tally ran;
    bool urgent_ran = false;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      SimThread adder("adder", [&] { queue.with({.priority = 7}).add_task([&urgent_ran] { urgent_ran = true; }); });
      queue.add_task([&ran] { ++ran; });
      queue.add_task([&ran] { ++ran; });
      auto low = queue.with({.priority = -8}).yield_task([&ran] { ++ran; });
      low.cancel();
      adder.join();
      queue.wait_idle();
      require(queue.size() <= 2, "nothing is left");
    }
    require(urgent_ran && ran >= 2, "all ran");
  });
}

TEST_CASE("with ageing, what has waited long enough is not overtaken any more", "[simulation][N7]") {
  explore("ageing", {}, [](Simulation& sim) {
    std::string order;
    {
      SimGate gate;
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .ageing = 10ms});
      const auto checks = watch(sim, queue);
      queue.add_task([&gate] { gate.wait(); });
      queue.wait_idle_for(1ms);
      queue.with({.priority = -1}).add_task([&order] { order += 'a'; });
      sim.sleep_for(45ms);
      queue.with({.priority = 2}).add_task([&order] { order += 'b'; });
      queue.add_task([&order] { order += 'c'; });
      gate.open();
      queue.wait_idle();
    }
    require(order == "abc", "-1 has become 3");
  });
}

TEST_CASE("tasks of a view of one never overlap and keep their order", "[simulation][P8][A5][inv.O2][inv.L1][inv.L2]") {
  explore("a view of one", kOnlyOrder, [](Simulation& sim) {
    std::string order;
    {
      SimQueue queue(2, 5ms);
      const auto watching = watch(sim, queue);
      const auto view = queue.limited(1, "one");
      bool inside = false;
      const auto enter = [&](char name) {
        require(!inside, "one at a time");
        inside = true;
        SimRuntime::point("inside");
        inside = false;
        order += name;
      };
      view.add_task([&enter] { enter('a'); });
      view.with({.priority = 3}).add_task([&enter] { enter('b'); });
      queue.add_task([] {});
      auto last = view.yield_task([&enter] { enter('c'); });
      last.get();
    }
    require(order == "abc", "in the order of adding");
  });
}

TEST_CASE("the end of a task and the end of the time for it: one of the two continues the coroutine",
          "[simulation][K10][K11]") {
  explore("time limit against completion", kOnlyOrder, [](Simulation& sim) {
    Came came = Came::not_yet;
    Tally resumed;
    Tally ran;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      SimLoop loop;
      loop.run_sync(await_with_limit(queue.yield_task([&] {
        sim.sleep_for(3ms);
        return ++ran;
      }),
                                     3ms, came, resumed));
      queue.wait_idle();
      require(resumed == 1, "resumed once");
      require(came == Came::timed_out || (came == Came::result && ran == 1), "with one of the two");
      require(queue.stats().cancelled == 0 || ran == 0, "what was cancelled did not run");
    }
  });
}

TEST_CASE("a coroutine that awaits with a limit is destroyed at any moment", "[simulation][K10][G8]") {
  explore("time limit against destruction", {}, [](Simulation& sim) {
    Came came = Came::not_yet;
    Tally resumed;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      {
        SimLoop loop;
        loop.spawn(await_with_limit(queue.yield_task([] { return 1; }), 1ms, came, resumed));
        loop.call_later(1ms, [&] { loop.stop(); });
        loop.run();
      }
      const int before = resumed;
      queue.wait_idle();
      sim.sleep_for(2ms);
      require(resumed == before, "never resumed after its destruction");
    }
  });
}

TEST_CASE("a token stops a task that was given it before it runs, or is told to it",
          "[simulation][K4][K5][K6][inv.I12]") {
  explore("token against claim", {}, [](Simulation& sim) {
    Tally ran;
    bool cancelled = false;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      SimRuntime::StopSource source;
      SimThread stopper("stopper", [&] { source.request_stop(); });
      auto handle = queue.with(source.get_token()).yield_task([&ran] { return ++ran; });
      try {
        handle.get();
      } catch (const toto::TaskCancelled&) {
        cancelled = true;
      }
      stopper.join();
      queue.wait_idle();
      require(queue.stats().cancelled == (cancelled ? 1U : 0U), "counted as what it was");
    }
    require(ran == (cancelled ? 0 : 1), "it ran or was cancelled");
  });
}

TEST_CASE("a task whose token was stopped before it was added never runs", "[simulation][K5]") {
  explore("token stopped before", {}, [](Simulation& sim) {
    bool ran = false;
    {
      SimGate begun;
      SimGate gate;
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.add_task([&] {
        begun.open();
        gate.wait();
      });
      begun.wait();
      SimRuntime::StopSource source;
      source.request_stop();
      auto capture = std::make_shared<int>();
      queue.with(source.get_token()).add_task([&ran, capture] { ran = true; });
      require(capture.use_count() == 1, "its captures are gone");
      require(queue.stats().queued == 0, "and so is the task");
      gate.open();
    }
    require(!ran, "it did not run");
  });
}

TEST_CASE("a task that has to begin by some time begins before it, or never", "[simulation][K11]") {
  explore("start_by against claim", kOnlyOrder, [](Simulation& sim) {
    bool ran = false;
    bool cancelled = false;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      queue.add_task([&sim] { sim.sleep_for(2ms); });
      const std::chrono::nanoseconds deadline = sim.elapsed().nanoseconds() + 2ms;
      auto handle = queue.with({.start_by = 2ms}).yield_task([&] {
        // In eager time it may have become late since the worker looked.
        require(sim.elapsed().nanoseconds() < deadline || !strict_time, "not later");
        ran = true;
      });
      try {
        handle.get();
      } catch (const toto::TaskCancelled&) {
        cancelled = true;
      }
    }
    require(ran != cancelled, "one of the two");
  });
}

TEST_CASE("a call in the frame gives its result and resumes once", "[simulation][G2][G3][H1]") {
  explore("call", {}, [](Simulation& sim) {
    Tally ran;
    Tally resumed;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      SimLoop loop;
      loop.run_sync(call_into(queue, ran, resumed));
    }
    require(ran == 1 && resumed == 1, "once");
  });
}

TEST_CASE("a coroutine destroyed while its call is queued takes it out; while it runs, waits for it",
          "[simulation][G8][G9]") {
  explore("call against destruction", {}, [](Simulation& sim) {
    Tally ran;
    Tally resumed;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      {
        SimLoop loop;
        loop.spawn(call_into(queue, ran, resumed));
        loop.post([&] { loop.stop(); });
        loop.run();
        SimRuntime::point("before the destruction");
      }
      const int before = ran;
      queue.wait_idle();
      require(ran == before, "it does not begin after the destruction");
      require(resumed <= ran, "not resumed without a result");
    }
  });
}

TEST_CASE("a coroutine destroyed while its loop ends takes back what has become of its call", "[simulation][G8][G9]") {
  // No thread is left that could resume it.
  explore("call against destruction and the loop's end", {}, [](Simulation& sim) {
    Tally living;
    Tally resumed;
    {
      SimGate begun;
      SimGate gate;
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      auto loop = std::make_unique<SimLoop>();
      Owned frame;
      queue.add_task([&] {
        begun.open();
        gate.wait();
      });
      begun.wait();
      loop->post([&] { frame = call_with_capture(queue, Counted(living), resumed); });
      loop->run();
      sim.run_threads({{"ends the loop", [&loop] { loop.reset(); }},
                       {"cancels", [&queue] { queue.cancel_queued(); }},
                       {"destroys", [&frame] { frame.destroy(); }}});
      require(living == 0, "the frame has gone");
      require(queue.stats().continuations == 0, "and left nothing behind");
      gate.open();
      queue.wait_idle();
    }
    require(resumed == 0, "it is not resumed");
  });
}

TEST_CASE("a call that runs is asked to stop when its coroutine is destroyed", "[simulation][K2][G8]") {
  explore("call asked to stop", {}, [](Simulation& sim) {
    Tally begun;
    Tally ended;
    {
      SimQueue queue(1, 5ms);
      const auto watching = watch(sim, queue);
      {
        SimLoop loop;
        loop.spawn([](SimQueue& on, Tally& begins, Tally& ends) -> toto::Task<> {
          co_await on.call([&begins, &ends](const SimRuntime::StopToken& token) {
            SimGate told;
            const SimRuntime::StopCallback<std::function<void()>> on_stop(token, [&told] { told.open(); });
            ++begins;
            told.wait();
            ++ends;
          });
        }(queue, begun, ended));
        loop.post([&] { loop.stop(); });
        loop.run();
        SimRuntime::point("before the destruction");
      }
      require(begun == ended, "it does not begin after the destruction, and is not left behind");
    }
    require(begun == ended, "nor later");
  });
}

TEST_CASE("a timer that is stopped lets no further call begin", "[simulation][K11]") {
  explore("timer against stop", kOnlyOrder, [](Simulation& sim) {
    Tally ran;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      const auto start = SimRuntime::Clock::now();
      auto timer = queue.add_task_every(2ms, [&ran] { ++ran; });
      sim.sleep_for(4ms);
      timer.stop();
      const int before = ran;
      require(before <= (SimRuntime::Clock::now() - start) / 2ms, "no more calls than periods");
      queue.wait_idle();
      sim.sleep_for(10ms);
      require(ran <= before + 1, "at most one that had begun before stop() ends after it");
    }
  });
}

TEST_CASE("a timer that is stopped takes its call out of the queue", "[simulation][K1][K4]") {
  // Three threads, and the clock.
  explore("timer against its queued call", {.deviations = 1}, [](Simulation& sim) {
    Tally living;
    Tally ran;
    {
      SimGate gate;
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.add_task([&gate] { gate.wait(); });
      auto timer = queue.add_task_after(1ms, [&ran, capture = Counted(living)] { ++ran; });
      sim.sleep_for(1ms);
      require(timer.active(), "it may come");
      timer = {};
      require(living == 0, "what was to be called is gone at once");
      gate.open();
    }
    require(ran == 0, "it never began");
  });
}

TEST_CASE("a timer whose queue ends is quiet", "[simulation][L6]") {
  explore("timer against the end", {}, [](Simulation& sim) {
    Tally ran_once;
    Tally ran;
    {
      auto capture = std::make_shared<int>();
      std::optional<SimQueue> queue(std::in_place, 1, 5ms);
      auto once = queue->add_task_after(1ms, [&] { ++ran_once; });
      queue->add_task_every(1ms, [&ran, capture] { ++ran; }).detach();
      sim.sleep_for(1ms);
      queue.reset();
      const int before = ran_once + ran;
      sim.sleep_for(5ms);
      require(ran_once <= 1 && ran_once + ran == before, "nothing runs after the end");
      require(capture.use_count() == 1 || !strict_time, "what was to be called is gone, too");
    }
  });
}

TEST_CASE("no more tasks of a view run at once than it allows, and none waits for want of a turn",
          "[simulation][A4][P8][inv.L1][inv.L2]") {
  // One deviation: with main these are four threads.
  explore("a view of two", {.deviations = 1}, [](Simulation& sim) {
    Tally inside;
    Tally ran;
    {
      SimQueue queue(3, 5ms);
      const auto watching = watch(sim, queue);
      const auto view = queue.limited(2, "two");
      SimBarrier both(2);
      const auto meet = [&] {
        require(++inside <= 2, "two at a time");
        both.arrive_and_wait();  // ends only if two run at once
        --inside;
        ++ran;
      };
      view.add_task(meet);
      view.add_task(meet);
      auto last = view.yield_task([&] {
        require(inside <= 1, "two at a time");
        ++ran;
      });
      static_cast<void>(last.cancel());
      queue.wait_idle();
      require(static_cast<int>(queue.stats().cancelled) + ran == 3, "each ran or was cancelled");
    }
  });
}
