// SPDX-License-Identifier: MIT
//
// The frame of a coroutine that awaits: it may be destroyed while it waits, and it may be gone as soon as the awaiter
// has published it. Everything here counts on AddressSanitizer too; without one, freed frames are kept and watched.

#include <toto/tasks.hpp>

#include <algorithm>
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/coroutines.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/own_executor.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;

namespace {

/// Frames of Poisoned coroutines: filled with a pattern when they are freed, and kept, so that a write afterwards is
/// seen and a read gives nonsense. Under AddressSanitizer they are really freed: it sees both at once. Thread-safe.
class Graveyard {
 public:
  static Graveyard& instance() {
    static Graveyard graveyard;
    return graveyard;
  }

  // Out of line: inlined, GCC would miss the promise's own operator new beside its operator delete.
  TOTO_NOINLINE static void* allocate(std::size_t size) { return ::operator new(size); }
  void bury(void* frame, std::size_t size) noexcept {
    if constexpr (kAddressSanitizer) {
      ::operator delete(frame);
    } else {
      std::memset(frame, kPattern, size);
      const std::lock_guard lock(mutex_);
      graves_.push_back({static_cast<unsigned char*>(frame), size});
    }
    ++buried_;
  }

  int buried() const { return buried_; }

  /// How many frames were written to after they were freed. Frees them all.
  int disturbed() {
    const std::lock_guard lock(mutex_);
    const auto count = std::count_if(graves_.begin(), graves_.end(), [](const Grave& grave) {
      return std::any_of(grave.frame, grave.frame + grave.size, [](unsigned char byte) { return byte != kPattern; });
    });
    for (const Grave& grave : graves_) {
      ::operator delete(grave.frame);
    }
    graves_.clear();
    return static_cast<int>(count);
  }

 private:
  static constexpr unsigned char kPattern = 0xdb;
  struct Grave {
    unsigned char* frame;
    std::size_t size;
  };

  std::mutex mutex_;
  std::vector<Grave> graves_;
  std::atomic<int> buried_{0};
};

/// FireAndForget whose frame is buried.
struct Poisoned {
  struct promise_type {
    Poisoned get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
    static void* operator new(std::size_t size) { return Graveyard::allocate(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { Graveyard::instance().bury(frame, size); }
  };
};

/// Nothing but one await: the frame is gone when that is over.
template <class Awaitable>
Poisoned await_once(Awaitable awaitable, Arrivals& over) {
  try {
    co_await awaitable;
  } catch (const std::runtime_error&) {
  }
  over.arrive();
}

/// An Owned coroutine that awaits and then sets `resumed`.
template <class Awaitable>
Owned await_and_tell(Awaitable awaitable, std::atomic<bool>& resumed) {
  co_await awaitable;
  resumed = true;
}

/// The same with a call in its frame, and something else there.
Owned call_and_tell(toto::TaskQueue& queue, Counted /*in the frame*/, std::atomic<bool>& resumed) {
  try {
    co_await queue.call([] {});
  } catch (const toto::TaskCancelled&) {
  }
  resumed = true;
}

}  // namespace

TEST_CASE("a coroutine destroyed while its task is queued is not resumed, and the task runs and its result dies once",
          "[await][G8]") {
  Lifetimes results;
  std::atomic<bool> ran{false};
  std::atomic<bool> resumed{false};
  {
    toto::TaskQueue queue;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    Owned coroutine = await_and_tell(queue.yield_task([&] {
      ran = true;
      return Counted(results);
    }),
                                     resumed);
    coroutine.destroy();
    worker.release();
  }
  CHECK(ran);
  CHECK_FALSE(resumed);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("a coroutine destroyed while its task runs is not resumed, and the task's result dies once", "[await][G8]") {
  Lifetimes results;
  std::atomic<bool> resumed{false};
  {
    Gate begun;
    Gate go;
    toto::TaskQueue queue;
    Owned coroutine = await_and_tell(queue.yield_task([&] {
      begun.open();
      go.wait();
      return Counted(results);
    }),
                                     resumed);
    REQUIRE(begun.wait());
    coroutine.destroy();
    go.open();
    queue.wait_idle();
  }
  CHECK_FALSE(resumed);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("a failure for a coroutine that was destroyed goes to on_error", "[await][G8]") {
  std::atomic<int> reports{0};
  std::atomic<bool> resumed{false};
  toto::TaskQueue queue;
  queue.on_error([&](std::exception_ptr, const toto::TaskInfo&) { ++reports; });
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Owned coroutine = await_and_tell(queue.yield_task([] { throw std::runtime_error("nobody listens"); }), resumed);
  coroutine.destroy();
  worker.release();
  queue.wait_idle();
  CHECK(reports == 1);
  CHECK_FALSE(resumed);
}

TEST_CASE("a coroutine destroyed on its loop's thread while its continuation is on the way is not resumed",
          "[await][G9]") {
  Lifetimes results;
  std::atomic<bool> resumed{false};
  {
    toto::TaskQueue queue;
    toto::EventLoop loop;
    Owned coroutine;
    const auto start = [&](auto awaitable) {
      loop.post([&, awaitable = std::make_shared<decltype(awaitable)>(std::move(awaitable))] {
        coroutine = await_and_tell(std::move(*awaitable), resumed);
      });
      loop.run();
    };
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    SECTION("one task") {
      start(queue.yield_task([&] { return Counted(results); }));
    }
    SECTION("when_all") {
      start(toto::when_all(queue.yield_task([&] { return Counted(results); }),
                           queue.yield_task([&] { return Counted(results); })));
    }
    worker.release();
    queue.wait_idle();  // the continuation is posted; the loop does not run
    coroutine.destroy();
    loop.run();
  }
  CHECK_FALSE(resumed);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("a coroutine whose continuation is in a one-thread queue may be destroyed by a task of that queue",
          "[await][G9]") {
  Lifetimes results;
  std::atomic<bool> resumed{false};
  {
    Gate go;
    toto::TaskQueue home;
    toto::TaskQueue other;
    Owned coroutine;
    home.add_task([&] {
      coroutine = await_and_tell(other.yield_task([&] {
        go.wait();
        return Counted(results);
      }),
                                 resumed);
    });
    home.add_task([&] {
      go.open();
      other.wait_idle();  // the continuation stands behind this task now
      coroutine.destroy();
    });
    home.wait_idle();
  }
  CHECK_FALSE(resumed);
  CHECK(results.made > 0);
  CHECK(results.alive() == 0);
}

TEST_CASE("a coroutine may be destroyed by the task in the middle of which what it awaits has ended", "[await][G9]") {
  struct Stay {  // until somebody resumes the coroutine
    std::coroutine_handle<>& coroutine;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> suspended) const noexcept { coroutine = suspended; }
    void await_resume() const noexcept {}
  };
  std::atomic<bool> resumed{false};
  Gate gate;
  toto::TaskQueue other;
  toto::TaskQueue home;
  std::coroutine_handle<> inside;
  Owned coroutine;
  auto ends_inside = home.yield_task([&inside]() -> toto::Task<int> {
    Stay stay{inside};
    co_await stay;
    co_return 1;
  });
  home.add_task([&] { coroutine = await_and_tell(std::move(ends_inside), resumed); });
  auto longer = other.yield_task([&gate] { gate.wait(); });
  home.add_task([&] {
    inside.resume();
    static_cast<void>(longer.wait_for(std::chrono::milliseconds(1)));  // the worker looks at what has ended here
    coroutine.destroy();
    gate.open();
  });
  home.wait_idle();
  CHECK_FALSE(resumed);
}

TEST_CASE("a coroutine whose loop is gone may be destroyed while the continuation of its call waits in the queue",
          "[await][call][G9]") {
  Lifetimes captures;
  std::atomic<bool> resumed{false};
  {
    toto::TaskQueue queue;
    auto loop = std::make_unique<toto::EventLoop>();
    Owned coroutine;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    loop->post([&] { coroutine = call_and_tell(queue, Counted(captures), resumed); });
    loop->run();
    SECTION("the loop had ended before") {
      loop.reset();
      CHECK(queue.cancel_queued() == 1);
    }
    SECTION("it was in the loop when that ended") {
      CHECK(queue.cancel_queued() == 1);
      loop.reset();
    }
    CHECK(queue.stats().continuations == 1);
    coroutine.destroy();
    CHECK(queue.stats().continuations == 0);
    worker.release();
    queue.wait_idle();
  }
  CHECK_FALSE(resumed);
  CHECK(captures.alive() == 0);
}

TEST_CASE("a coroutine may be destroyed with the continuation of its call in a loop that is being destroyed",
          "[await][call][G9]") {
  // A function that the loop drops destroys it.
  struct Destroys {
    explicit Destroys(Owned& owned) : coroutine(owned) {}
    ~Destroys() { coroutine.destroy(); }
    Owned& coroutine;
  };
  Lifetimes captures;
  std::atomic<bool> resumed{false};
  {
    toto::TaskQueue queue;
    auto loop = std::make_unique<toto::EventLoop>();
    Owned coroutine;
    HeldWorker worker(queue);
    REQUIRE(worker.held());
    loop->post([&] { coroutine = call_and_tell(queue, Counted(captures), resumed); });
    loop->run();
    loop->post([last = std::make_shared<Destroys>(coroutine)] {});
    CHECK(queue.cancel_queued() == 1);
    loop.reset();
    CHECK(captures.alive() == 0);
    worker.release();
    queue.wait_idle();
  }
  CHECK_FALSE(resumed);
}

TEST_CASE("of two coroutines whose calls have ended in the middle of one task, one may destroy the other",
          "[await][call][G10]") {
  struct Stay {  // until somebody resumes the coroutine
    std::coroutine_handle<>& coroutine;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> suspended) const noexcept { coroutine = suspended; }
    void await_resume() const noexcept {}
  };
  std::atomic<int> resumed{0};
  std::coroutine_handle<> inside[2];
  Gate gate;
  toto::TaskQueue other;
  toto::TaskQueue queue;
  Owned coroutines[2];
  const auto await_and_destroy = [](toto::TaskQueue& on, std::coroutine_handle<>& stays, Owned& victim,
                                    std::atomic<int>& count) -> Owned {
    const auto call = [](std::coroutine_handle<>& place) -> toto::Task<> {
      Stay stay{place};
      co_await stay;
    };
    co_await on.call(call, std::ref(stays));
    ++count;
    victim.destroy();
  };
  coroutines[0] = await_and_destroy(queue, inside[0], coroutines[1], resumed);  // they have no home
  coroutines[1] = await_and_destroy(queue, inside[1], coroutines[0], resumed);
  auto longer = other.yield_task([&gate] { gate.wait(); });
  queue.add_task([&] {
    inside[0].resume();
    inside[1].resume();
    static_cast<void>(longer.wait_for(std::chrono::milliseconds(1)));  // the worker looks at what has ended here
    gate.open();
  });
  queue.wait_idle();
  CHECK(resumed == 1);
}

TEST_CASE("a coroutine that waits for a task and is destroyed with its loop leaves nothing behind", "[await][G8]") {
  Lifetimes frames;
  std::atomic<bool> resumed{false};
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  {
    toto::EventLoop loop;
    loop.spawn([](toto::TaskHandle<> handle, Counted /*in the frame*/, std::atomic<bool>& after) -> toto::Task<> {
      co_await handle;
      after = true;
    }(queue.yield_task([] {}), Counted(frames), resumed));
    loop.post([&] { loop.stop(); });
    loop.run();
    CHECK(frames.alive() == 1);
  }
  CHECK(frames.alive() == 0);
  worker.release();
  queue.wait_idle();
  CHECK_FALSE(resumed);
}

TEST_CASE("a coroutine may be destroyed within its own resumption, by what it resumes", "[await][task][G10]") {
  // The parent destroys the child, which is just ending; and then itself.
  Lifetimes frames;
  {
    Arrivals over;
    toto::TaskQueue queue;
    for (int i = 0; i < 100; ++i) {
      [](toto::TaskQueue& tasks, Lifetimes& lifetimes, Arrivals& done) -> FireAndForget {
        std::optional<toto::Task<Counted>> child([](toto::TaskQueue& mine, Counted inside) -> toto::Task<Counted> {
          co_await mine.yield_task([] {});
          co_return inside;
        }(tasks, Counted(lifetimes)));
        {
          const Counted result = co_await *child;
          child.reset();
        }
        done.arrive();
      }(queue, frames, over);
    }
    REQUIRE(over.wait_for(100));
  }
  CHECK(frames.alive() == 0);
}

TEST_CASE("a resumed coroutine may destroy another one that waits", "[await][G10]") {
  std::atomic<bool> resumed{false};
  Gate over;
  toto::TaskQueue queue;
  toto::EventLoop loop;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  Owned victim;
  loop.post([&] {
    auto first = queue.yield_task([] {});
    victim = await_and_tell(queue.yield_task([] {}), resumed);
    [](toto::TaskHandle<> handle, Owned& other, Gate& done) -> FireAndForget {
      co_await handle;
      other.destroy();  // its continuation stands right behind
      done.open();
    }(std::move(first), victim, over);
  });
  loop.run();
  worker.release();
  queue.wait_idle();
  loop.run();
  CHECK(over.is_open());
  CHECK_FALSE(resumed);
}

TEST_CASE("an awaiter does not touch itself after it has been published: the coroutine ended at once", "[await][G29]") {
  // PromptExecutor has resumed the coroutine, which has ended and whose frame is gone, before post() returns.
  constexpr int kRounds = 50;
  Graveyard::instance().disturbed();
  Arrivals over;
  const int before = Graveyard::instance().buried();
  int expected = 0;
  {
    PromptExecutor prompt;
    toto::TaskQueue queue;
    SECTION("by the awaiter, since the task is over") {
      for (int i = 0; i < kRounds; ++i) {
        auto handle = queue.yield_task([] { return std::string("a result that does not fit into a small string"); });
        handle.wait();
        await_once(std::move(handle).resume_on(prompt), over);
        ++expected;
      }
    }
    SECTION("by the worker that finishes the task") {
      for (int i = 0; i < kRounds; ++i) {
        HeldWorker worker(queue);
        auto handle = queue.yield_task([] { return std::string("a result that does not fit into a small string"); });
        await_once(std::move(handle).resume_on(prompt), over);
        ++expected;
      }
    }
    SECTION("by whoever cancels the task") {
      for (int i = 0; i < kRounds; ++i) {
        HeldWorker worker(queue);
        await_once(queue.yield_task([] {}).resume_on(prompt), over);
        queue.cancel_queued();
        ++expected;
      }
    }
    SECTION("by the last of several tasks") {
      for (int i = 0; i < kRounds; ++i) {
        HeldWorker worker(queue);
        [](toto::TaskQueue& tasks, PromptExecutor& executor, Arrivals& done) -> Poisoned {
          co_await tasks.yield_task([] {}).resume_on(executor);  // from here on its home
          auto all = toto::when_all(tasks.yield_task([] {}), tasks.yield_task([] {}));
          co_await all;
          done.arrive();
        }(queue, prompt, over);
        ++expected;
      }
    }
    REQUIRE(over.wait_for(expected));
  }
  CHECK(eventually([&] { return Graveyard::instance().buried() == before + expected; }));
  CHECK(Graveyard::instance().disturbed() == 0);
}

TEST_CASE(
    "an awaiter does not touch itself after it has been published: the coroutine ends on another thread meanwhile",
    "[await][schedule][sleep_for][when_all][G29]") {
  const int rounds = scaled(20'000, 2'000);
  Graveyard::instance().disturbed();
  const int before = Graveyard::instance().buried();
  Arrivals over;
  {
    toto::TaskQueue queue(2);
    SECTION("a task") {
      for (int i = 0; i < rounds; ++i) {
        await_once(queue.yield_task([] {}), over);
      }
    }
    SECTION("a failing task") {
      for (int i = 0; i < rounds; ++i) {
        await_once(queue.yield_task([] { throw std::runtime_error("no"); }), over);
      }
    }
    SECTION("several tasks") {
      for (int i = 0; i < rounds; ++i) {
        await_once(toto::when_all(queue.yield_task([] {}), queue.yield_task([] {})), over);
      }
    }
    SECTION("a hop to a queue") {
      for (int i = 0; i < rounds; ++i) {
        [](toto::TaskQueue& target, Arrivals& done) -> Poisoned {
          co_await target.schedule();
          done.arrive();
        }(queue, over);
      }
    }
    SECTION("a hop after a finished task") {
      for (int i = 0; i < rounds; ++i) {
        auto handle = queue.yield_task([] {});
        handle.wait();
        await_once(std::move(handle).resume_on(queue), over);
      }
    }
    SECTION("a sleep") {
      for (int i = 0; i < rounds; ++i) {
        queue.add_task([&over] {
          [](Arrivals& done) -> Poisoned {
            co_await toto::sleep_for(std::chrono::seconds(0));
            done.arrive();
          }(over);
        });
      }
    }
    REQUIRE(over.wait_for(rounds));
  }
  CHECK(Graveyard::instance().buried() == before + rounds);
  CHECK(Graveyard::instance().disturbed() == 0);
}
