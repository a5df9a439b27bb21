// SPDX-License-Identifier: MIT
//
// Models of the user's code where the library calls, resumes, moves or destroys it: when that is, that no lock is held,
// and what such code may do to the queue it came from.

#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

/// A capture whose destructor adds a task to the queue.
class AddsAtItsEnd {
 public:
  AddsAtItsEnd(SimQueue& queue, Tally& ran, Tally& refused) : queue_(&queue), ran_(&ran), refused_(&refused) {}
  AddsAtItsEnd(AddsAtItsEnd&& other) noexcept
      : queue_(std::exchange(other.queue_, nullptr)), ran_(other.ran_), refused_(other.refused_) {}
  AddsAtItsEnd& operator=(AddsAtItsEnd&&) = delete;
  ~AddsAtItsEnd() {
    if (queue_ == nullptr) {
      return;
    }
    try {
      queue_->add_task([ran = ran_] { ++*ran; });
    } catch (const toto::QueueClosed&) {
      ++*refused_;
    }
  }

 private:
  SimQueue* queue_;
  Tally* ran_;
  Tally* refused_;
};

/// The frames of a schedule's Buried coroutines: a freed one is filled with a pattern and kept, so that a write
/// afterwards is seen.
class Graveyard {
 public:
  Graveyard() { current = this; }
  ~Graveyard() {
    for (const Grave& grave : graves_) {
      ::operator delete(grave.frame);
    }
    current = nullptr;
  }
  Graveyard(const Graveyard&) = delete;
  Graveyard& operator=(const Graveyard&) = delete;

  void bury(void* frame, std::size_t size) {
    std::memset(frame, kPattern, size);
    graves_.push_back({static_cast<unsigned char*>(frame), size});
  }
  /// How many frames were freed; fails the schedule if one was written to afterwards.
  std::size_t at_rest() const {
    for (const Grave& grave : graves_) {
      for (std::size_t i = 0; i < grave.size; ++i) {
        require(grave.frame[i] == kPattern, "a frame is written to after its end");
      }
    }
    return graves_.size();
  }

  static inline Graveyard* current = nullptr;

 private:
  static constexpr unsigned char kPattern = 0xdb;
  struct Grave {
    unsigned char* frame;
    std::size_t size;
  };
  std::vector<Grave> graves_;
};

/// A coroutine that no one waits for; its frame goes to the graveyard.
struct Buried {
  struct promise_type {
    Buried get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
    // Out of line: inlined, GCC would miss the promise's own operator new beside its operator delete.
    TOTO_NOINLINE static void* operator new(std::size_t size) { return ::operator new(size); }
    TOTO_NOINLINE static void operator delete(void* frame, std::size_t size) noexcept {
      Graveyard::current->bury(frame, size);
    }
  };
};

Buried await_task(SimHandle<void> handle, Tally& resumed) {
  co_await handle;
  ++resumed;
}

Buried hop_to(SimQueue& queue, Tally& resumed) {
  co_await queue.schedule();
  ++resumed;
}

/// Does in a continuation what a continuation may do.
toto::Task<> go_on(SimQueue& queue, SimHandle<int> handle, Tally& ran) {
  const int value = co_await handle;
  require(value == 7, "the result");
  handle = {};
  static_cast<void>(queue.size());
  queue.add_task([&ran] { ++ran; });
}

}  // namespace

TEST_CASE("a task's captures are gone before the next task begins", "[simulation][E6]") {
  explore("captures", {}, [](Simulation& sim) {
    Tally living;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    queue.add_task([capture = Counted(living)] {});
    const int seen = queue.yield_task([&living] { return int{living}; }).get();
    require(seen == 0, "destroyed by the worker");
  });
}

TEST_CASE("a capture's destructor may add a task, whoever runs or cancels its own", "[simulation][E7][inv.I6]") {
  explore("capture adds", {}, [](Simulation& sim) {
    Tally ran;
    Tally refused;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    auto handle = queue.yield_task([last = AddsAtItsEnd(queue, ran, refused)] {});
    static_cast<void>(handle.cancel());
    queue.wait_idle();
    require(ran == 1 && refused == 0, "what it added ran, once");
  });
}

TEST_CASE("a capture's destructor that adds to the closing queue is refused, or what it adds runs",
          "[simulation][L16][L7]") {
  explore("capture adds while closing", {}, [](Simulation& sim) {
    Tally ran;
    Tally refused;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      queue.add_task([last = AddsAtItsEnd(queue, ran, refused)] {});
      queue.add_task([last = AddsAtItsEnd(queue, ran, refused)] {});
      queue.close();
    }
    require(ran + refused == 2, "each ran or was refused");
  });
}

TEST_CASE("whoever adds may hold a mutex that the task takes", "[simulation][M7]") {
  explore("user's mutex", {}, [](Simulation& sim) {
    int ran = 0;
    SimRuntime::Mutex mutex;
    SimQueue queue(
        {.thread_count = 1, .idle_timeout = 5ms, .max_queued = 2, .overflow = toto::Overflow::discard_oldest});
    const auto checks = watch(sim, queue);
    const auto task = [&mutex, &ran] {
      const toto::detail::Lock lock(mutex);
      ++ran;
    };
    std::optional<SimHandle<void>> handle;
    {
      const toto::detail::Lock lock(mutex);
      queue.add_task(task);
      handle = queue.yield_task(task);
      queue.add_task(task);
    }
    queue.wait_idle();
    require(static_cast<int>(queue.stats().cancelled) + ran == 3 && handle->ready(), "each ran, or made room");
  });
}

TEST_CASE("a long continuation occupies its worker, and is counted", "[simulation][H4][O1]") {
  explore("long continuation", {}, [](Simulation& sim) {
    Tally ran;
    SimGate begun;
    SimGate gate;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    auto outer = queue.yield_task([&]() -> toto::Task<> {
      co_await queue.yield_task([] {});
      begun.open();
      gate.wait();
    });
    begun.wait();
    require(queue.size() == 1 && queue.stats().running == 1, "its worker, and nothing else");
    queue.add_task([&ran] { ++ran; });
    require(queue.size() == 2 && queue.stats().threads == 1 && ran == 0, "the other task waits for that worker");
    gate.open();
    outer.get();
    queue.wait_idle();
    require(ran == 1, "it ran afterwards");
  });
}

TEST_CASE("a continuation may add, ask for the size, and destroy its handle", "[simulation][H5][inv.I6]") {
  explore("continuation on a loop", {}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    loop.run_sync(go_on(queue, queue.yield_task([] { return 7; }), ran));
    queue.wait_idle();
    require(ran == 1, "what it added ran");
  });
  explore("continuation on its queue", {}, [](Simulation& sim) {
    Tally ran;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    queue.yield_task([&] { return go_on(queue, queue.yield_task([] { return 7; }), ran); }).get();
    queue.wait_idle();
    require(ran == 1, "what it added ran");
  });
}

TEST_CASE("an awaiter touches its coroutine's frame no more once it is published", "[simulation][G29][G3]") {
  explore("frame gone at once", {}, [](Simulation& sim) {
    Graveyard graveyard;
    Tally resumed;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      await_task(queue.yield_task([] {}), resumed);  // no home: resumed by the worker, which frees the frame
      hop_to(queue, resumed);
    }
    require(resumed == 2 && graveyard.at_rest() == 2, "both are over, and nobody touched them afterwards");
  });
}
