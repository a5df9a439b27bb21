// SPDX-License-Identifier: MIT
//
// What the soak works on: Bench, a queue with its views and its ledger; World, the benches that there are now, which
// come and go. Read next: work.hpp.

#ifndef TOTO_TESTS_STRESS_SOAK_WORLD_HPP
#define TOTO_TESTS_STRESS_SOAK_WORLD_HPP

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "ledger.hpp"

namespace toto_soak {

/// Pseudo-random numbers (splitmix64), the same for the same seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32U) * bound) >> 32U);
  }
  bool one_in(std::uint32_t bound) noexcept { return below(bound) == 0; }

 private:
  std::uint64_t state_;
};

/// A queue, ways into it, and what it was given.
class Bench {
 public:
  Bench(const std::string& name, Dice& dice)
      : ledger(std::make_shared<Ledger>(name)), options(choose(dice)), queue(with_name(options, name)) {
    queue.on_error([](const std::exception_ptr& error, const toto::TaskInfo&) {
      try {
        std::rethrow_exception(error);
      } catch (const Planned&) {
      } catch (const toto::Error&) {  // a call of a pool whose queue has closed
      } catch (...) {
        Findings::get().report("on_error was given something that no task has thrown");
      }
    });
    pair = queue.limited(2, name);
    serial = queue.limited(1, name);
  }

  bool bounded() const { return options.max_queued < 1000; }
  /// Adding holds up whoever adds.
  bool blocks() const { return bounded() && options.overflow == toto::Overflow::block; }

  const std::shared_ptr<Ledger> ledger;
  const toto::QueueOptions options;
  toto::TaskQueue queue;
  std::optional<toto::QueueView<>> pair;
  std::optional<toto::QueueView<>> serial;  // not every queue can have one
  bool closed = false;                      // the main thread's

 private:
  static toto::QueueOptions choose(Dice& dice) {
    toto::QueueOptions options;
    options.thread_count = 1 + dice.below(4);
    options.idle_timeout = dice.one_in(3) ? toto::Duration() : std::chrono::microseconds(dice.below(4'000));
    if (dice.one_in(2)) {
      options.max_queued = 1 + dice.below(8);
      options.overflow = static_cast<toto::Overflow>(dice.below(3));
    }
    options.ageing = std::chrono::milliseconds(1 + dice.below(50));
    return options;
  }
  static toto::QueueOptions with_name(toto::QueueOptions options, const std::string& name) {
    options.name = name;
    return options;
  }
};

/// A bench that is in use. Whoever drops the last one does not end the queue: the main thread does, because ending
/// waits, and queues that wait for each other's threads would wait forever.
class BenchRef {
 public:
  explicit BenchRef(std::shared_ptr<Bench> bench) noexcept : bench_(std::move(bench)) {}
  BenchRef(const BenchRef&) = default;
  BenchRef(BenchRef&&) noexcept = default;
  BenchRef& operator=(const BenchRef&) = delete;
  BenchRef& operator=(BenchRef&&) = delete;
  Bench* operator->() const noexcept { return bench_.get(); }
  Bench& operator*() const noexcept { return *bench_; }

 private:
  std::shared_ptr<Bench> bench_;
};

/// Thread-safe, except where it says otherwise.
class World {
 public:
  static constexpr std::size_t kBenches = 6;

  explicit World(std::uint64_t seed) : dice_(seed) {
    for (auto& place : places_) {
      place = make();
    }
  }

  /// One of those that there are now.
  BenchRef bench(Dice& dice) {
    const std::lock_guard lock(mutex_);
    return BenchRef(places_[dice.below(kBenches)]);
  }

  // The main thread only.

  /// Puts a new bench in place of one; what was there ends as soon as no one uses it.
  void replace_one() {
    auto fresh = make();
    const std::lock_guard lock(mutex_);
    auto& place = places_[dice_.below(kBenches)];
    if (dice_.one_in(2)) {
      close(*place);
    }
    leaving_.push_back(std::exchange(place, std::move(fresh)));
  }
  void cancel_some() {
    const auto one = places_[dice_.below(kBenches)];
    one->queue.cancel_queued();
  }

  /// Ends the queues that no one uses any more, and checks what was done in them.
  void bury() {
    for (std::size_t i = 0; i < leaving_.size();) {
      if (leaving_[i].use_count() == 1) {
        auto bench = std::exchange(leaving_[i], std::move(leaving_.back()));
        leaving_.pop_back();
        end(std::move(bench));
      } else {
        ++i;
      }
    }
    for (std::size_t i = 0; i < self_ended_.size();) {
      const auto& ledger = self_ended_[i];
      if (ledger->settled() && ledger.use_count() == 1) {
        self_ended_[i] = std::move(self_ended_.back());
        self_ended_.pop_back();
      } else {
        ++i;
      }
    }
  }

  /// Everything has to end now; no one adds any more.
  void end_all() {
    const auto deadline = Clock::now() + std::chrono::seconds(30);
    for (auto& place : places_) {
      leaving_.push_back(std::exchange(place, nullptr));
    }
    while (!(leaving_.empty() && self_ended_.empty())) {
      bury();
      if (Clock::now() > deadline) {
        Findings::get().report(std::to_string(leaving_.size()) + " queues are still in use at the end, and " +
                               std::to_string(self_ended_.size()) + " that a task destroyed have not run everything");
        for (const auto& bench : leaving_) {
          static_cast<void>(new std::shared_ptr<Bench>(bench));  // its destructor might hang
        }
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  /// Looks at each queue: counts that agree, bounds that hold.
  void check() {
    const auto look = [](const std::shared_ptr<Bench>& bench) {
      const toto::QueueStats stats = bench->queue.stats();
      if (stats.submitted !=
          stats.completed + stats.failed + stats.cancelled + stats.queued + stats.running + stats.suspended) {
        Findings::get().report("the counts of a queue do not agree: " + Ledger::text(stats));
      }
      if (stats.threads > bench->queue.thread_count() || stats.idle > stats.threads) {
        Findings::get().report("a queue has more threads than it may have: " + Ledger::text(stats));
      }
    };
    for (const auto& place : places_) {
      look(place);
    }
    for (const auto& bench : leaving_) {
      look(bench);
    }
  }

  std::size_t ended() const noexcept { return ended_; }
  std::size_t leaving() const noexcept { return leaving_.size() + self_ended_.size(); }
  /// The most threads that all queues together may have.
  std::size_t most_threads() const {
    std::size_t sum = 4 * self_ended_.size();
    for (const auto& place : places_) {
      sum += place->queue.thread_count();
    }
    for (const auto& bench : leaving_) {
      sum += bench->queue.thread_count();
    }
    return sum;
  }

 private:
  std::shared_ptr<Bench> make() { return std::make_shared<Bench>("b" + std::to_string(made_++), dice_); }

  void end(std::shared_ptr<Bench> bench) {
    ++ended_;
    const std::shared_ptr<Ledger> ledger = bench->ledger;
    if (!bench->bounded() && dice_.one_in(4) && ends_in_a_task(bench)) {
      self_ended_.push_back(ledger);
      return;
    }
    if (dice_.one_in(2)) {
      close(*bench);
    }
    if (!bench->queue.wait_idle_for(std::chrono::seconds(20))) {
      Findings::get().report("a queue that nobody uses does not become idle: " + Ledger::text(bench->queue.stats()));
      static_cast<void>(new std::shared_ptr<Bench>(bench));  // its destructor would hang
      return;
    }
    // A transaction that waited for an instance has no owner, and may join the idle queue while this looks.
    std::string wrong = ledger->compare(bench->queue.stats());
    for (const auto deadline = Clock::now() + std::chrono::seconds(5); !wrong.empty() && Clock::now() < deadline;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      wrong = ledger->compare(bench->queue.stats());
    }
    if (!wrong.empty()) {
      Findings::get().report(std::move(wrong));
    }
    bench.reset();
    if (ledger->tickets != 0) {
      Findings::get().report("captures of " + std::to_string(ledger->tickets) + " tasks outlive their queue");
    }
  }

  void close(Bench& bench) {
    bench.closed = true;
    bench.queue.close(dice_.one_in(2) ? toto::Pending::cancel : toto::Pending::run);
  }

  /// Lets one of its own tasks destroy the queue; then what is left runs on that thread. Not if some were cancelled, or
  /// may have been: then the ledger alone could not tell when all is over. What is cancelled later has a ticket.
  static bool ends_in_a_task(std::shared_ptr<Bench>& bench) {
    const std::shared_ptr<Ledger> ledger = bench->ledger;
    if (bench->closed || ledger->timed || ledger->maybe != 0 || bench->queue.stats().cancelled != 0) {
      return false;
    }
    ++ledger->accepted;
    Bench& dying = *bench;
    dying.queue.add_task([last = std::move(bench), ledger]() mutable {
      ++ledger->ran;
      last.reset();
    });
    return true;
  }

  std::mutex mutex_;
  std::array<std::shared_ptr<Bench>, kBenches> places_;  // changed under mutex_ by the main thread
  std::vector<std::shared_ptr<Bench>> leaving_;
  std::vector<std::shared_ptr<Ledger>> self_ended_;
  Dice dice_;
  std::uint64_t made_ = 0;
  std::size_t ended_ = 0;
};

}  // namespace toto_soak

#endif  // TOTO_TESTS_STRESS_SOAK_WORLD_HPP
