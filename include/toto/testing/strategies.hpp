// SPDX-License-Identifier: MIT
//
// How a schedule is chosen, decision by decision: depth-first search, PCT, random, replay and bytes behind one
// interface, Explorer; and the text that describes the choices of one schedule. Read next: scheduler.hpp.

#ifndef TOTO_TESTING_STRATEGIES_HPP
#define TOTO_TESTING_STRATEGIES_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "options.hpp"

namespace toto::inline v0_1::testing::detail {

/// One option for what happens next.
struct Option {
  enum class Kind : std::uint8_t {
    stay,      ///< the running thread continues
    run,       ///< another thread runs
    expire,    ///< a timed wait ends at its deadline
    spurious,  ///< a wait ends spuriously
    normal,    ///< nothing unusual happens
    fault,     ///< a request is refused
    older,     ///< an atomic operation meets a store older than the newest
  };

  Kind kind;
  std::uint32_t thread;  ///< the thread it concerns
};

/// The options at a decision, at least two. The first is the usual one; those from `free` on are deviations.
struct Decision {
  std::span<const Option> options;
  std::size_t free;
};

/// Chooses schedules, one after the other.
class Explorer {
 public:
  /// Answers a decision that differs from the one made at the same place before.
  static constexpr std::size_t different = (std::numeric_limits<std::size_t>::max)();

  Explorer() = default;
  virtual ~Explorer() = default;
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  /// Goes to the next schedule. Returns false if there is none.
  virtual bool next_schedule() = 0;

  /// Returns the position of the option to take, or `different`.
  virtual std::size_t choose(const Decision& decision) = 0;

  /// After a schedule: did it reach all the decisions by which it was chosen?
  virtual bool came_to_all() const noexcept { return true; }
};

/// Pseudo-random numbers (splitmix64): the same for the same seed, everywhere.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// From 0 to count - 1.
  std::size_t below(std::size_t count) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32U) * count) >> 32U);  // less than count
  }

 private:
  std::uint64_t state_;
};

/// All schedules within a number of deviations. It keeps the path to the present schedule; the next one differs at the
/// last decision that has an option left, and takes the usual options from there on.
class DepthFirst final : public Explorer {
 public:
  explicit DepthFirst(Exhaustive options) noexcept : bound_(options.deviations) {}

  bool next_schedule() override {
    position_ = 0;
    if (std::exchange(first_, false)) {
      return true;
    }
    for (; !path_.empty(); path_.pop_back()) {
      Branch& last = path_.back();
      const std::uint32_t next = last.chosen + 1;
      if (next < last.count && (next < last.free || last.spent < bound_)) {
        last.chosen = next;
        return true;
      }
    }
    return false;
  }

  std::size_t choose(const Decision& decision) override {
    const auto count = static_cast<std::uint32_t>(decision.options.size());
    const auto free = static_cast<std::uint32_t>(decision.free);
    if (position_ == path_.size()) {
      path_.push_back({0, count, free, position_ == 0 ? 0 : path_.back().spent_after()});
    }
    const Branch& branch = path_[position_++];
    return branch.count == count && branch.free == free ? branch.chosen : different;
  }
  bool came_to_all() const noexcept override { return position_ == path_.size(); }

 private:
  struct Branch {
    std::uint32_t chosen;
    std::uint32_t count;
    std::uint32_t free;
    std::uint32_t spent;  ///< deviations before this decision

    std::uint32_t spent_after() const noexcept { return spent + (chosen < free ? 0 : 1); }
  };

  const std::uint32_t bound_;
  bool first_ = true;
  std::vector<Branch> path_;
  std::size_t position_ = 0;
};

/// Every option is as likely as any other.
class Uniform final : public Explorer {
 public:
  explicit Uniform(std::uint64_t seed) noexcept : dice_(seed) {}

  bool next_schedule() override { return true; }
  std::size_t choose(const Decision& decision) override { return dice_.below(decision.options.size()); }

 private:
  Dice dice_;
};

/// The thread with the highest priority runs; see Pct. A deviation of the environment is not a thread and has no
/// priority: of the decisions that offer such deviations, one in sixteen takes one; of those about an older store, one
/// in four.
class Priorities final : public Explorer {
 public:
  Priorities(Pct options, std::uint64_t seed) : dice_(seed), changes_((std::max)(options.depth, 1U) - 1) {}

  bool next_schedule() override {
    length_ = (std::max)(length_, position_);
    position_ = 0;
    priorities_.clear();
    for (std::size_t& change : changes_) {
      change = dice_.below(length_);
    }
    return true;
  }

  std::size_t choose(const Decision& decision) override {
    std::size_t best = most_important(decision);
    const std::size_t here = position_++;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (changes_[i] == here) {
        priority(decision.options[best].thread) = i;  // below all that were drawn
        best = most_important(decision);
      }
    }
    const std::size_t environment = count_environment(decision);
    const std::size_t rare = decision.options.back().kind == Option::Kind::older ? 4 : 16;
    if (environment != 0 && dice_.below(rare) == 0) {
      return decision.options.size() - environment + dice_.below(environment);
    }
    return best;
  }

 private:
  // The environment's options come after those of the threads.
  static std::size_t count_environment(const Decision& decision) noexcept {
    std::size_t count = 0;
    while (count < decision.options.size() - decision.free &&
           decision.options[decision.options.size() - 1 - count].kind != Option::Kind::run) {
      ++count;
    }
    return count;
  }

  std::size_t most_important(const Decision& decision) {
    const std::size_t threads = decision.options.size() - count_environment(decision);
    std::size_t best = 0;
    for (std::size_t i = 1; i < threads; ++i) {
      if (priority(decision.options[i].thread) > priority(decision.options[best].thread)) {
        best = i;
      }
    }
    return best;
  }

  std::uint64_t& priority(std::uint32_t thread) {
    while (priorities_.size() <= thread) {
      priorities_.push_back(dice_.next() | (std::uint64_t{1} << 63U));
    }
    return priorities_[thread];
  }

  Dice dice_;
  std::vector<std::uint64_t> priorities_;  ///< by thread
  std::vector<std::size_t> changes_;       ///< at which decisions a priority drops
  std::size_t position_ = 0;
  std::size_t length_ = 32;  ///< of the longest schedule so far, in decisions
};

/// The choices of a schedule as text: `gap:choice` for each choice other than the usual one, where gap counts the usual
/// ones since the one before. "3:1 0:2" is 0, 0, 0, 1, 2 and then 0 forever.
inline std::string write_choices(std::span<const std::uint32_t> choices) {
  std::string text;
  std::size_t gap = 0;
  for (const std::uint32_t choice : choices) {
    if (choice == 0) {
      ++gap;
      continue;
    }
    text += (text.empty() ? "" : " ") + std::to_string(gap) + ":" + std::to_string(choice);
    gap = 0;
  }
  return text;
}

/// Throws: std::invalid_argument if the text is not one that write_choices() makes.
inline std::vector<std::uint32_t> read_choices(std::string_view text) {
  std::vector<std::uint32_t> choices;
  const std::invalid_argument refusal("Replay: choices is not a list of gap:choice: \"" + std::string(text) + "\"");
  const auto number = [&] {
    std::uint32_t value = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
      value = value * 10 + static_cast<std::uint32_t>(text[digits] - '0');
    }
    if (digits == 0 || digits > 8) {
      throw refusal;
    }
    text.remove_prefix(digits);
    return value;
  };
  const auto skip = [&](char expected) {
    if (text.empty() || text.front() != expected) {
      throw refusal;
    }
    text.remove_prefix(1);
  };
  while (!text.empty()) {
    if (!choices.empty()) {
      skip(' ');
    }
    choices.resize(choices.size() + number());
    skip(':');
    choices.push_back(number());
  }
  return choices;
}

/// Runs a recorded schedule, once.
class Repeat final : public Explorer {
 public:
  /// Throws: std::invalid_argument.
  explicit Repeat(Replay options) : choices_(read_choices(options.choices)) {}

  bool next_schedule() override { return std::exchange(first_, false); }
  std::size_t choose(const Decision& decision) override {
    const std::size_t choice = position_ < choices_.size() ? choices_[position_] : 0;
    ++position_;
    return choice < decision.options.size() ? choice : different;
  }
  bool came_to_all() const noexcept override { return position_ >= choices_.size(); }

 private:
  const std::vector<std::uint32_t> choices_;
  std::size_t position_ = 0;
  bool first_ = true;
};

/// Runs the schedule that bytes choose, once; see Bytes.
class ByBytes final : public Explorer {
 public:
  explicit ByBytes(Bytes options) noexcept : bytes_(options.bytes) { take(); }

  bool next_schedule() override { return std::exchange(first_, false); }
  std::size_t choose(const Decision& decision) override {
    if (usual_ != 0) {
      --usual_;
      return 0;
    }
    const std::size_t choice = choice_ % decision.options.size();
    take();
    return choice;
  }

 private:
  void take() noexcept {
    const auto byte = bytes_.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(bytes_.empty() ? 0 : 1);
    usual_ = byte / 8U;
    choice_ = byte % 8U;
  }

  std::string_view bytes_;
  std::size_t usual_ = 0;
  std::size_t choice_ = 0;
  bool first_ = true;
};

/// Throws: std::invalid_argument.
inline std::unique_ptr<Explorer> make_explorer(const Strategy& strategy, std::uint64_t seed) {
  struct Make {
    std::uint64_t seed;

    std::unique_ptr<Explorer> operator()(Exhaustive options) const { return std::make_unique<DepthFirst>(options); }
    std::unique_ptr<Explorer> operator()(Pct options) const { return std::make_unique<Priorities>(options, seed); }
    std::unique_ptr<Explorer> operator()(Random) const { return std::make_unique<Uniform>(seed); }
    std::unique_ptr<Explorer> operator()(Replay options) const { return std::make_unique<Repeat>(options); }
    std::unique_ptr<Explorer> operator()(Bytes options) const { return std::make_unique<ByBytes>(options); }
  };
  return std::visit(Make{seed}, strategy);
}

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_STRATEGIES_HPP
