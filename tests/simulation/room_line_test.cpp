// SPDX-License-Identifier: MIT
//
// Models of who gets room under the bound of a queue: those who wait in line, in order; and Overflow::discard_oldest,
// which makes room for itself while others wait in line, or have reserved all there is.

#include <string>
#include <utility>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::Overflow;

namespace {

/// A queue with one thread and room for one task, whose thread is busy until it is released.
struct BusyQueue {
  SimGate begun;
  SimGate let_go;
  SimQueue queue{{.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1}};

  BusyQueue() {
    queue.add_task([this] {
      begun.open();
      let_go.wait();
    });
    begun.wait();
  }
};

/// Waits for room, notes that it has got some, and releases it.
toto::Task<> note_admission(SimQueue& queue, std::string& order, char note) {
  const auto room = co_await queue.admission();
  order += note;
}

/// A capture which, when it is destroyed, tries to add a task to the queue.
class AddsAtItsEnd {
 public:
  AddsAtItsEnd(SimQueue& queue, bool& added) : queue_(&queue), added_(added) {}
  AddsAtItsEnd(AddsAtItsEnd&& other) noexcept : queue_(std::exchange(other.queue_, nullptr)), added_(other.added_) {}
  AddsAtItsEnd& operator=(AddsAtItsEnd&&) = delete;
  ~AddsAtItsEnd() {
    if (queue_ != nullptr) {
      added_ = queue_->try_add_task([] {});
    }
  }

 private:
  SimQueue* queue_;
  bool& added_;
};

}  // namespace

TEST_CASE("room goes to those who have waited longest", "[simulation][N2][inv.R2]") {
  explore("two in line", {}, [](Simulation& sim) {
    std::string order;
    {
      BusyQueue busy;
      const auto watching = watch(sim, busy.queue);
      busy.queue.add_task([] {});  // now it is full
      SimLoop loop;
      loop.spawn(note_admission(busy.queue, order, '1'));
      loop.spawn(note_admission(busy.queue, order, '2'));
      loop.post([&] { busy.let_go.open(); });  // both stand in line
      loop.run();
    }
    require(order == "12", "in the order of their coming");
  });
}

TEST_CASE("while somebody stands in line, nobody else gets room", "[simulation][N2][inv.R1][inv.R2]") {
  explore("a newcomer beside a line", {}, [](Simulation& sim) {
    std::string order;
    bool overtook = true;
    {
      BusyQueue busy;
      const auto watching = watch(sim, busy.queue);
      auto handle = busy.queue.yield_task([capture = AddsAtItsEnd(busy.queue, overtook)] {});
      SimLoop loop;
      loop.spawn(note_admission(busy.queue, order, '1'));
      loop.post([&] {
        require(handle.cancel(), "it was queued");  // its room is free now, and its capture asks for some
        busy.let_go.open();
      });
      loop.run();
    }
    require(order == "1" && !overtook, "the room is for the one who has waited");
  });
}

TEST_CASE("an adder that discards the oldest task takes its room, whoever stands in line",
          "[simulation][N1][N4][inv.R1]") {
  explore("discard beside a line", {}, [](Simulation& sim) {
    Tally ran;
    {
      SimQueue queue({.thread_count = 1, .idle_timeout = 5ms, .max_queued = 1, .overflow = Overflow::discard_oldest});
      const auto watching = watch(sim, queue);
      queue.add_task([&] {
        sim.sleep_for(3ms);
        ++ran;
      });
      queue.add_task([&ran] { ++ran; });
      bool added = false;
      SimRuntime::Thread in_line("in line", [&] { added = queue.try_add_task_for(20ms, [&ran] { ++ran; }); });
      sim.sleep_for(1ms);
      queue.add_task([&ran] { ++ran; });  // used to discard everything, and then to spin until nobody stood in line
      in_line.join();
      queue.wait_idle();
      require(static_cast<int>(queue.stats().cancelled) + ran == (added ? 4 : 3), "each ran or was cancelled");
    }
  });
}
