// SPDX-License-Identifier: MIT
//
// The soak's bookkeeping: Findings, what went wrong; Result, an object that counts its kind; Ledger, what a queue was
// given and what became of it; Ticket, the proof in a task that it ran once or never. Read next: waits.hpp, world.hpp.

#ifndef TOTO_TESTS_STRESS_SOAK_LEDGER_HPP
#define TOTO_TESTS_STRESS_SOAK_LEDGER_HPP

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "waits.hpp"

namespace toto_soak {

/// What went wrong. Any thread reports; the main thread reads. Thread-safe.
class Findings {
 public:
  static Findings& get() {
    static Findings findings;
    return findings;
  }
  void report(std::string what) {
    const std::lock_guard lock(mutex_);
    if (texts_.size() < 20) {
      texts_.push_back(std::move(what));
    }
  }
  std::vector<std::string> texts() const {
    const std::lock_guard lock(mutex_);
    return texts_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

/// What tasks give: every one that is made is destroyed.
class Result {
 public:
  explicit Result(std::uint32_t v) noexcept : value(v) { ++made; }
  Result(const Result& other) noexcept : value(other.value) { ++made; }
  Result(Result&& other) noexcept : value(other.value) { ++made; }
  Result& operator=(const Result&) noexcept = default;
  Result& operator=(Result&&) noexcept = default;
  ~Result() { ++destroyed; }

  static std::int64_t alive() noexcept {
    const std::int64_t gone = destroyed;  // first: what is made and destroyed meanwhile does not count as gone only
    return made - gone;
  }

  std::uint32_t value;

  static inline std::atomic<std::int64_t> made{0};
  static inline std::atomic<std::int64_t> destroyed{0};
};

/// What a task of the soak throws on purpose.
struct Planned {};

/// What one queue was given. Outlives the queue and all its tasks. Thread-safe.
class Ledger {
 public:
  explicit Ledger(std::string queue_name) : name(std::move(queue_name)) {}

  const std::string name;
  std::atomic<std::uint64_t> accepted{0};  ///< adds that returned
  std::atomic<std::uint64_t> maybe{0};     ///< adds that may or may not have reached the queue
  std::atomic<std::uint64_t> refused{0};   ///< adds with a ticket that threw, or returned false
  std::atomic<std::uint64_t> ran{0};       ///< bodies that began
  std::atomic<std::int64_t> tickets{0};    ///< that are alive
  std::atomic<std::uint64_t> unused{0};    ///< tickets that were destroyed without having run: refused, or cancelled
  std::atomic<bool> timed{false};          ///< had a timer: the queue counts firings that were stopped, too

  /// Whatever was accepted has run, or was cancelled. For a queue that can no longer be asked.
  bool settled() const noexcept { return accepted + refused == ran + unused; }

  /// The queue has ended, or is idle for good: compares. Returns what is wrong, or "".
  std::string compare(const toto::QueueStats& stats) const {
    const std::uint64_t over = stats.completed + stats.failed + stats.cancelled;
    std::string wrong;
    if (stats.queued + stats.running + stats.suspended + stats.continuations != 0) {
      wrong = "something is left in an idle queue";
    } else if (stats.submitted != over) {
      wrong = "a task was lost: submitted is not completed + failed + cancelled";
    } else if (stats.submitted < accepted) {
      wrong = "an accepted task was not counted";
    } else if (!timed && stats.submitted > accepted + maybe) {
      wrong = "a task was counted that was refused, or one twice";
    } else if (timed ? stats.completed + stats.failed < ran : stats.completed + stats.failed != ran) {
      wrong = "the tasks that ended are not those that ran";
    }
    return wrong.empty() ? wrong
                         : wrong + " (queue " + name + ": accepted " + std::to_string(accepted) + ", perhaps " +
                               std::to_string(maybe) + " more, refused " + std::to_string(refused) + ", ran " +
                               std::to_string(ran) + "; " + text(stats) + ")";
  }

  static std::string text(const toto::QueueStats& stats) {
    return "submitted " + std::to_string(stats.submitted) + ", completed " + std::to_string(stats.completed) +
           ", failed " + std::to_string(stats.failed) + ", cancelled " + std::to_string(stats.cancelled) + ", queued " +
           std::to_string(stats.queued) + ", running " + std::to_string(stats.running) + ", suspended " +
           std::to_string(stats.suspended) + ", continuations " + std::to_string(stats.continuations) + ", threads " +
           std::to_string(stats.threads);
  }
};

/// Part of a task: it runs once, or is destroyed without. Reports how long the task waited.
/// Thread safety: One thread at a time.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<Ledger> ledger) : ledger_(std::move(ledger)), waiting_(Waits::get().begin()) {
    ++ledger_->tickets;
  }
  Ticket(Ticket&& other) noexcept
      : ledger_(std::move(other.ledger_)), waiting_(std::exchange(other.waiting_, {})), ran_(other.ran_) {}
  Ticket& operator=(Ticket&&) = delete;
  ~Ticket() {
    if (ledger_ == nullptr) {
      return;
    }
    if (!ran_) {
      Waits::get().forget(waiting_);
      ++ledger_->unused;
    }
    --ledger_->tickets;
  }

  void run() {
    if (ledger_ == nullptr) {
      Findings::get().report("a task ran whose captures had been moved away");
      return;
    }
    if (std::exchange(ran_, true)) {
      Findings::get().report("a task of queue " + ledger_->name + " ran twice");
      return;
    }
    ++ledger_->ran;
    Waits::get().end(waiting_);
  }

 private:
  std::shared_ptr<Ledger> ledger_;
  Waits::Mark waiting_;
  bool ran_ = false;
};

}  // namespace toto_soak

#endif  // TOTO_TESTS_STRESS_SOAK_LEDGER_HPP
