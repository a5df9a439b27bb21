// SPDX-License-Identifier: MIT
//
// SimulationOptions: what to simulate. SimulationResult: the outcome. And the strategies by which schedules are
// chosen. Read next: simulation.hpp.

#ifndef TOTO_TESTING_OPTIONS_HPP
#define TOTO_TESTING_OPTIONS_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "../version.hpp"

namespace toto::inline v0_1::testing {

/// Every schedule with at most `deviations` deviations, depth first.
///
/// A deviation is a preemption, that is, a switch away from a thread that could continue; or an unusual choice of the
/// environment: a timed wait that expires although a thread can run, a spurious wake-up, a thread that does not start,
/// an allocation that fails, an atomic operation that does not read the newest store. Which thread runs next when the
/// running one waits, yields or ends is not a deviation: all choices are tried.
struct Exhaustive {
  unsigned deviations = 2;
};

/// Draws new priorities for each schedule, and depth - 1 points at which the running thread becomes the least important
/// one. Finds a bug that takes `depth` ordered events with at least a known probability (Burckhardt and others, "A
/// randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010).
struct Pct {
  unsigned depth = 3;
};

/// Every option at every decision with the same probability.
struct Random {};

/// The one schedule that SimulationResult::choices describes; if the other options are the same, the identical run.
struct Replay {
  std::string_view choices;
};

/// One schedule chosen by bytes of any length and content, for fuzzers: each byte lets byte / 8 decisions take their
/// usual option, and the next decision take option byte % 8, modulo the number of options. After the last byte, all
/// decisions take the usual one.
struct Bytes {
  std::string_view bytes;
};

using Strategy = std::variant<Exhaustive, Pct, Random, Replay, Bytes>;

/// When virtual time passes. It never passes by itself: a timed wait that expires sets it to its deadline.
enum class Time {
  strict,  ///< only when no thread can run; then the earliest deadline is next
  eager,   ///< as strict, and any timed wait may expire at any decision
};

/// Which store an operation on a SimRuntime::Atomic may read.
enum class Memory {
  sequential,  ///< the newest store, whatever the memory orders say
  weak,        ///< any that C++20 allows for the memory orders in the code; see docs/simulation.md
};

/// Which starts of SimRuntime::Thread fail. Counted from 1 within a schedule; threads started by Simulation::spawn() do
/// not count.
struct StartFaults {
  static constexpr std::size_t never = (std::numeric_limits<std::size_t>::max)();

  std::size_t after = never;  ///< all but the first `after` fail; 0: all of them
  std::size_t every = 0;      ///< the every-th, the 2 * every-th and so on fail; 0: none
  std::size_t only = 0;       ///< the only-th fails; 0: none
  std::size_t until = never;  ///< none from the until-th on fails

  constexpr bool refuse(std::size_t start) const noexcept {
    return start < until && (start > after || (every != 0 && start % every == 0) || start == only);
  }
};

/// What to simulate. The strings must outlive the call to simulate().
struct SimulationOptions {
  std::string_view name = "simulation";  ///< for the report
  Strategy strategy = Exhaustive{};      ///< how schedules are chosen
  Time time = Time::strict;              ///< when virtual time passes
  Memory memory = Memory::sequential;    ///< which store an atomic operation may read
  std::size_t schedules = 1'000'000;     ///< how many to run, at most
  std::uint64_t seed = 1;                ///< of Pct and Random
  std::size_t max_steps = 20'000;        ///< a schedule with more operations is a livelock
  StartFaults start_faults = {};         ///< which thread starts fail
  unsigned failing_starts = 0;           ///< thread starts that the environment may choose to fail, in one schedule
  unsigned failing_allocations = 0;      ///< the same for calls of allocation_should_fail()
  unsigned spurious_wakeups = 0;         ///< the same for waits on a parker that end spuriously
  unsigned weak_failures = 0;            ///< the same for compare_exchange_weak
};
static_assert(std::is_trivially_destructible_v<SimulationOptions>);

/// The result of simulate(). True if nothing failed.
struct SimulationResult {
  std::string name;           ///< SimulationOptions::name
  std::size_t schedules = 0;  ///< how many were run, including the failed one
  std::size_t steps = 0;      ///< operations in all schedules together
  std::size_t older = 0;      ///< those of them that read a store older than the newest, with Memory::weak
  bool exhausted = false;     ///< the strategy had no schedule left: with Exhaustive, all were seen
  bool failed = false;
  std::string failure;     ///< what went wrong, in words
  std::uint64_t seed = 0;  ///< SimulationOptions::seed
  std::string choices;     ///< for Replay: of the failed schedule, otherwise of the last
  std::string trace;       ///< one line per operation: of the failed schedule, or of the replayed one

  explicit operator bool() const noexcept { return !failed; }

  /// All of it as text, the failure first.
  std::string report() const {
    std::string text = name + ": " + std::to_string(schedules) + " schedules, " + std::to_string(steps) + " steps" +
                       (older != 0 ? ", " + std::to_string(older) + " older stores met" : "") +
                       (exhausted ? ", exhausted" : "");
    if (failed) {
      text += "\nfailure: " + failure + "\nseed:    " + std::to_string(seed) + "\nreplay:  Replay{\"" + choices +
              "\"}\n" + trace;
    }
    return text;
  }

  friend std::ostream& operator<<(std::ostream& out, const SimulationResult& result) { return out << result.report(); }
};

}  // namespace toto::inline v0_1::testing

#endif  // TOTO_TESTING_OPTIONS_HPP
