// SPDX-License-Identifier: MIT
//
// DecisionPoint: the options for what happens next, given what every simulated thread waits for. What counts as a
// deviation is decided here, and only here. Read next: scheduler.hpp.

#ifndef TOTO_TESTING_DECISION_POINT_HPP
#define TOTO_TESTING_DECISION_POINT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "options.hpp"
#include "strategies.hpp"
#include "threads.hpp"

namespace toto::inline v0_1::testing::detail {

/// What the environment may still refuse in the present schedule.
struct FaultsLeft {
  unsigned starts = 0;
  unsigned allocations = 0;
  unsigned wakeups = 0;
  unsigned weak_exchanges = 0;
  StartFaults planned = {};
  std::size_t starts_seen = 0;
};

/// What the running thread is about to do.
enum class Standing : std::uint8_t {
  goes_on,  ///< continues, unless it is preempted
  yields,   ///< continues only if no other thread can
  waits,    ///< cannot continue, or has ended
};

/// The simulated threads, as a decision sees them.
struct Situation {
  const std::vector<ThreadRecord*>& living;  ///< in the order of starting
  const ThreadRecord& running;               ///< maybe no longer living
  Standing standing;
  TimePoint now;
  Time time;
  bool spurious_wakeups;  ///< may there be one
};

/// The options at one decision.
///
/// Invariants:
///  1. Those that cost nothing come first, the usual one first of all; those from free() on are deviations.
///  2. The environment's deviations come after those of the threads.
///  3. There is no option if and only if no thread can continue and no timed wait is under way.
class DecisionPoint {
 public:
  void look(const Situation& situation) {
    options_.clear();
    if (situation.standing == Standing::goes_on) {
      options_.push_back({Option::Kind::stay, situation.running.number});
      free_ = 1;
      add_threads(situation);
    } else {
      add_threads(situation);
      free_ = options_.size();
    }
    if (options_.empty()) {
      add_earliest(situation);
    }
    if (options_.empty() && situation.standing == Standing::yields) {
      options_.push_back({Option::Kind::stay, situation.running.number});
      free_ = 1;
    }
    if (!options_.empty()) {
      add_environment(situation);
    }
  }

  /// A choice of the environment: as usual, or not.
  void offer_fault(const ThreadRecord& running) {
    options_.assign({{Option::Kind::normal, running.number}, {Option::Kind::fault, running.number}});
    free_ = 1;
  }

  /// Which of that many stores to meet: the newest, or an older one.
  void offer_stores(const ThreadRecord& running, std::size_t count) {
    options_.assign(count, {Option::Kind::older, running.number});
    options_.front().kind = Option::Kind::normal;
    free_ = 1;
  }

  const std::vector<Option>& options() const noexcept { return options_; }
  std::size_t free() const noexcept { return free_; }

 private:
  // Threads younger than the running one first, so that the usual choices are fair.
  void add_threads(const Situation& situation) {
    std::uint64_t able = 0;
    for (const ThreadRecord* const thread : situation.living) {
      if (thread->wait.over(situation.now)) {
        able |= thread->place;
      }
    }
    const auto add = [&](const ThreadRecord* thread) {
      if (thread != &situation.running && (able & thread->place) != 0 && (able & thread->yields_to) == 0) {
        options_.push_back({Option::Kind::run, thread->number});
      }
    };
    const auto younger =
        std::find_if(situation.living.begin(), situation.living.end(),
                     [&](const ThreadRecord* thread) { return thread->number > situation.running.number; });
    std::for_each(younger, situation.living.end(), add);
    std::for_each(situation.living.begin(), younger, add);
  }

  // No thread can continue, so time passes.
  void add_earliest(const Situation& situation) {
    TimePoint earliest = (TimePoint::max)();
    for (const ThreadRecord* const thread : situation.living) {
      if (thread->wait.has_deadline() && thread->wait.deadline < earliest) {
        earliest = thread->wait.deadline;
        options_.clear();
      }
      if (thread->wait.has_deadline() && thread->wait.deadline == earliest) {
        options_.push_back({Option::Kind::expire, thread->number});
      }
    }
    free_ = options_.size();
  }

  void add_environment(const Situation& situation) {
    const bool time_goes_on = options_.front().kind == Option::Kind::expire;
    const TimePoint earliest = time_goes_on ? deadline_of(options_.front(), situation) : (TimePoint::min)();
    for (const ThreadRecord* const thread : situation.living) {
      const Wait& wait = thread->wait;
      if (situation.time == Time::eager && wait.has_deadline() && !wait.over(situation.now) &&
          wait.deadline > earliest) {
        options_.push_back({Option::Kind::expire, thread->number});
      }
    }
    for (const ThreadRecord* const thread : situation.living) {
      const Wait& wait = thread->wait;
      if (situation.spurious_wakeups && wait.kind == Wait::Kind::parker && !wait.over(situation.now)) {
        options_.push_back({Option::Kind::spurious, thread->number});
      }
    }
  }

  static TimePoint deadline_of(const Option& option, const Situation& situation) noexcept {
    const auto thread = std::find_if(situation.living.begin(), situation.living.end(),
                                     [&](const ThreadRecord* one) { return one->number == option.thread; });
    return (*thread)->wait.deadline;
  }

  std::vector<Option> options_;
  std::size_t free_ = 0;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_DECISION_POINT_HPP
