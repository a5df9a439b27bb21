// SPDX-License-Identifier: MIT
//
// Those who use the queues: Actor, a thread that does one thing after the other at random, blocking, or in coroutines
// on a loop that it may destroy before they are done.

#ifndef TOTO_TESTS_STRESS_SOAK_ACTORS_HPP
#define TOTO_TESTS_STRESS_SOAK_ACTORS_HPP

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "work.hpp"
#include "world.hpp"

namespace toto_soak {

/// Something that only one user may use at a time.
class Instrument {
 public:
  Instrument() { ++alive; }
  ~Instrument() { --alive; }
  Instrument(const Instrument&) = delete;
  Instrument& operator=(const Instrument&) = delete;

  std::uint32_t play(std::uint32_t random) {
    if (playing_.exchange(true)) {
      Findings::get().report("an instance has two users at a time");
    }
    linger(random);
    playing_ = false;
    return ++played_;
  }

  static inline std::atomic<int> alive{0};

 private:
  std::atomic<bool> playing_{false};
  std::uint32_t played_ = 0;
};

/// What all actors share besides the benches.
struct Stage {
  explicit Stage(std::uint64_t seed) : world(seed) {
    pool.validate([](Instrument& instrument) { return instrument.play(0) % 64 != 0; });
  }

  World world;
  toto::TaskQueue& named =
      toto::TaskQueue::instance({.thread_count = 2, .idle_timeout = std::chrono::milliseconds(3), .name = "soak pool"});
  toto::InstancePool<Instrument> pool{[] { return std::make_unique<Instrument>(); },
                                      3,
                                      {.default_queue = "soak pool", .idle_timeout = std::chrono::milliseconds(5)}};
  toto::AwaitableInstance<Instrument> shared{std::make_shared<Instrument>(), named};
  std::atomic<std::uint64_t> operations{0};
  std::atomic<std::uint64_t> resumed{0};
  std::atomic<std::int64_t> roaming{0};  ///< coroutines that belong to no loop
  std::atomic<bool> stop{false};
};

/// Begins when it is called, and is gone when it has ended: it may move from thread to thread.
struct Roaming {
  struct promise_type {
    Roaming get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { Findings::get().report("an exception left a roaming coroutine"); }
  };
};

inline Roaming roam(Stage& stage, BenchRef bench, BenchRef other, std::uint64_t seed) {
  ++stage.roaming;
  Dice dice(seed);
  for (int i = 0; i < 4; ++i) {
    try {
      co_await bench->queue.schedule();
      auto handle = other->blocks() ? toto::TaskHandle<Result>() : start(*other, dice, {});
      if (handle.valid()) {
        auto there = std::move(handle).resume_on(dice.one_in(2) ? bench->queue : other->queue);
        static_cast<void>(co_await there);
      }
    } catch (const Planned&) {
    } catch (const toto::TaskCancelled&) {
    } catch (const toto::QueueClosed&) {
    }
    ++stage.resumed;
  }
  --stage.roaming;
}

class Actor {
 public:
  Actor(Stage& stage, std::uint64_t seed, bool loops)
      : stage_(stage), dice_(seed), thread_([this, loops] { run(loops); }) {}
  ~Actor() { thread_.join(); }
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

 private:
  void run(bool loops) {
    while (!stage_.stop) {
      as_planned([&] { loops ? use_a_loop() : act(); });
      ++stage_.operations;
      if (dice_.one_in(16)) {
        std::this_thread::sleep_for(std::chrono::microseconds(dice_.below(3'000)));  // queues run empty
      }
    }
    timers_.clear();
  }

  // Blocking.

  void act() {
    const BenchRef bench = stage_.world.bench(dice_);
    switch (dice_.below(13)) {
      case 0:
        for (std::uint32_t i = dice_.below(30); i > 0; --i) {
          give(*bench->ledger, [&] { bench->queue.add_task([ledger = bench->ledger.get()] { ++ledger->ran; }); });
        }
        break;
      case 1:
        give(*bench->ledger, [&] { return bench->queue.try_add_task(Work(*bench, dice_)); });
        give(*bench->ledger, [&] {
          return bench->pair->try_add_task_for(std::chrono::microseconds(dice_.below(900)), Work(*bench, dice_));
        });
        break;
      case 2:
        static_cast<void>(start(*bench, dice_, {}));  // dropped
        break;
      case 3:
        if (auto handle = start(*bench, dice_, {}); handle.valid()) {
          handle.get();
        }
        break;
      case 4:
        if (auto handle = start(*bench, dice_, {}); handle.valid()) {
          static_cast<void>(handle.wait_for(std::chrono::microseconds(dice_.below(500))));
          static_cast<void>(handle.cancel());
        }
        break;
      case 5: {
        toto::StopSource source;
        for (int i = 0; i < 4; ++i) {
          start(*bench, dice_, source.get_token()).detach();
        }
        source.request_stop();
        break;
      }
      case 6:
        use_timers(*bench);
        break;
      case 7:
        toto::sync_wait(mix(bench, dice_.next()));
        break;
      case 8:
        stage_.pool(&Instrument::play, static_cast<std::uint32_t>(dice_.next()));
        break;
      case 9: {
        auto lease = stage_.pool.instance_for(std::chrono::microseconds(dice_.below(500)));
        if (lease) {
          (*lease)->play(1);
          if (dice_.one_in(4)) {
            lease->discard();
          }
        }
        break;
      }
      case 10:
        if (!bench->bounded()) {
          ++bench->ledger->maybe;
          stage_.pool.async_transaction(
              [ledger = bench->ledger](Instrument& instrument) {
                ++ledger->ran;
                instrument.play(100);
              },
              bench->queue);
        }
        break;
      case 11:
        if (stage_.roaming < 20) {
          roam(stage_, bench, stage_.world.bench(dice_), dice_.next());
        }
        break;
      default:
        std::move(start(*bench, dice_, {})).detach();
    }
  }

  /// A queue with a timer in it cannot be checked to the last task; so it has to be seldom.
  void use_timers(Bench& bench) {
    if (!dice_.one_in(8)) {
      return;
    }
    bench.ledger->timed = true;
    if (timers_.size() >= 4) {
      timers_.erase(timers_.begin());  // stops it
    }
    // The first one begins to run although no one has added it, so the task itself notes it in the ledger.
    const auto fire = [ledger = bench.ledger, running = std::make_shared<std::atomic<int>>(0)] {
      if (running->fetch_add(1) != 0) {
        Findings::get().report("calls of one timer overlap");
      }
      ++ledger->ran;
      ++ledger->accepted;
      linger(500);
      --*running;
    };
    if (dice_.one_in(2)) {
      timers_.push_back(bench.queue.add_task_every(std::chrono::microseconds(50 + dice_.below(2'000)), fire));
    } else {
      bench.queue.add_task_after(std::chrono::microseconds(dice_.below(2'000)), fire).detach();
    }
  }

  // On a loop.

  void use_a_loop() {
    toto::EventLoop loop;
    for (std::uint32_t i = 1 + dice_.below(5); i > 0; --i) {
      loop.spawn(use_many(stage_.world.bench(dice_), dice_.next()));
    }
    if (dice_.one_in(3)) {
      loop.call_later(std::chrono::microseconds(dice_.below(4'000)), [&loop] { loop.stop(); });  // and destroyed
    }
    loop.run();
  }

  toto::Task<> use_many(BenchRef bench, std::uint64_t seed) {
    Dice dice(seed);
    for (int i = 0; i < 6; ++i) {
      co_await mix(bench, dice.next());
    }
  }

  /// Awaits something.
  toto::Task<> mix(BenchRef bench, std::uint64_t seed) {
    Dice dice(seed);
    toto::StopSource source;
    try {
      switch (dice.below(13)) {
        case 0: {
          Work work(*bench, dice);
          ++bench->ledger->maybe;
          auto call = bench->queue.call(std::move(work));
          static_cast<void>(co_await call);
          break;
        }
        case 1: {
          if (bench->blocks()) {
            break;  // reserved room, and a thread that waits for room before it comes to use it, would be a deadlock
          }
          auto room = co_await bench->queue.admission();
          give(*bench->ledger, [&] { room.add_task(Work(*bench, dice)); });
          break;
        }
        case 2: {
          if (bench->blocks()) {
            break;
          }
          auto room = co_await bench->queue.admission();
          toto::TaskHandle<Result> handle;
          give(*bench->ledger, [&] { handle = room.yield_task(Work(*bench, dice)); });
          if (handle.valid()) {
            static_cast<void>(co_await handle);
          }
          break;
        }
        case 3: {
          auto handle = start(*bench, dice, source.get_token());
          if (handle.valid()) {
            auto limited = std::move(handle).timeout(std::chrono::microseconds(dice.below(1'500)));
            static_cast<void>(co_await limited);
          }
          break;
        }
        case 4:
        case 5: {
          auto all = toto::when_all_settled(some(*bench, dice, source.get_token()));
          if (dice.one_in(4)) {
            source.request_stop();
          }
          static_cast<void>(co_await all);
          break;
        }
        case 6: {
          auto handles = some(*bench, dice, source.get_token());
          if (!handles.empty()) {
            auto any = toto::when_any(std::move(handles));
            static_cast<void>(co_await any);
          }
          break;
        }
        case 7: {
          auto all = toto::when_all_or_cancel(some(*bench, dice, source.get_token()));
          static_cast<void>(co_await all);
          break;
        }
        case 8: {
          auto both = toto::when_all(inner(bench, dice.next()), inner(bench, dice.next()));
          static_cast<void>(co_await both);
          break;
        }
        case 9: {
          auto body = [&bench, &dice](toto::TaskGroup& group) -> toto::Task<> {
            return fill(group, bench, dice.next());
          };
          auto all = toto::with_task_group(std::ref(body));
          co_await all;
          break;
        }
        case 10: {
          auto lease = co_await stage_.pool.lease();
          lease->play(static_cast<std::uint32_t>(dice.next()));
          if (dice.one_in(3) && can_sleep()) {
            co_await toto::sleep_for(std::chrono::microseconds(dice.below(300)));
          }
          if (dice.one_in(8)) {
            lease.discard();
          }
          break;
        }
        case 11: {
          toto::TaskHandle<std::uint32_t> handle =
              dice.one_in(2) ? stage_.shared(&Instrument::play, static_cast<std::uint32_t>(dice.next()))
                             : stage_.pool.await()(&Instrument::play, static_cast<std::uint32_t>(dice.next()));
          static_cast<void>(co_await handle);
          break;
        }
        default: {
          auto handle = start(*bench, dice, source.get_token());
          if (handle.valid()) {
            static_cast<void>(co_await handle);
          }
        }
      }
    } catch (...) {
      const auto error = std::current_exception();
      as_planned([&] { std::rethrow_exception(error); });
    }
    ++stage_.resumed;
  }

  static std::vector<toto::TaskHandle<Result>> some(Bench& bench, Dice& dice, const toto::StopToken& token) {
    std::vector<toto::TaskHandle<Result>> handles;
    for (std::uint32_t i = dice.below(5); i > 0; --i) {
      if (auto handle = start(bench, dice, token); handle.valid()) {
        handles.push_back(std::move(handle));
      }
    }
    return handles;
  }

  static toto::Task<std::uint32_t> inner(BenchRef bench, std::uint64_t seed) {
    Dice dice(seed);
    auto handle = start(*bench, dice, {});
    if (!handle.valid()) {
      co_return 0U;
    }
    const Result result = co_await handle;
    co_return result.value;
  }

  static toto::Task<> fill(toto::TaskGroup& group, BenchRef bench, std::uint64_t seed) {
    Dice dice(seed);
    for (int i = 0; i < 3; ++i) {
      ++bench->ledger->maybe;
      group.add(bench->queue, Work(*bench, dice));
    }
    group.spawn(ignore(inner(bench, dice.next())));
    if (dice.one_in(4)) {
      group.cancel();
    }
    co_return;
  }
  static toto::Task<> ignore(toto::Task<std::uint32_t> task) { static_cast<void>(co_await std::move(task)); }

  Stage& stage_;
  Dice dice_;
  std::vector<toto::Timer> timers_;
  std::thread thread_;  // last: uses the others
};

}  // namespace toto_soak

#endif  // TOTO_TESTS_STRESS_SOAK_ACTORS_HPP
