// SPDX-License-Identifier: MIT
//
// Trace: what every simulated thread did, one event an operation, cheap to record in every schedule and turned into
// text only for the one that failed. Nothing in the text depends on an address. Read next: scheduler.hpp.

#ifndef TOTO_TESTING_TRACE_HPP
#define TOTO_TESTING_TRACE_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "../version.hpp"

namespace toto::inline v0_1::testing::detail {

using TimePoint = std::chrono::steady_clock::time_point;

/// Where virtual time starts. Not zero, so that a deadline in the past differs from none.
inline constexpr TimePoint origin = TimePoint(std::chrono::hours(1));

/// What a simulated thread did.
enum class Operation : std::uint8_t {
  lock,
  try_lock,
  unlock,
  park,
  unpark,
  load,
  store,
  exchange,
  compare_exchange,
  fetch_add,
  fetch_sub,
  fetch_and,
  fetch_or,
  fence,
  start,
  join,
  detach,
  sleep,
  now,
  point,
  relax,
  allocate,
};

/// How an operation ended, where that is not clear from its name.
enum class Outcome : std::uint8_t { plain, refused, token, expired, spurious, older };

/// An operation, done.
struct Event {
  Operation operation;
  Outcome outcome = Outcome::plain;
  std::uint32_t object = 0;  ///< the number of the mutex, parker, atomic or thread
  std::uint64_t value = 0;
  bool has_value = false;
  const char* name = nullptr;  ///< of a point
  std::uint32_t thread = 0;    ///< set by the scheduler, as is the time
  TimePoint time = {};
};

/// The value of an atomic, if it may be shown: one that could be an address may not, because traces are compared.
template <class T>
void set_value(Event& event, const T& value) noexcept {
  if constexpr (std::is_enum_v<T>) {
    detail::set_value(event, static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_integral_v<T>) {
    event.value = static_cast<std::uint64_t>(value);
    event.has_value = event.value < 0x10000;
  }
}

/// A span of time in the largest unit that gives a whole number.
inline std::string time_text(std::chrono::nanoseconds time) {
  struct Unit {
    std::int64_t length;
    const char* name;
  };
  constexpr std::array<Unit, 3> units{{{1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}}};
  for (const Unit& unit : units) {
    if (time.count() % unit.length == 0) {
      return std::to_string(time.count() / unit.length) + unit.name;
    }
  }
  return std::to_string(time.count()) + "ns";
}

inline std::string event_text(const Event& event) {
  // In the order of Operation.
  static constexpr auto verbs = std::to_array<std::string_view>({
      "lock mutex",
      "try_lock mutex",
      "unlock mutex",
      "park on parker",
      "unpark parker",
      "load atomic",
      "store atomic",
      "exchange atomic",
      "compare atomic",
      "fetch_add atomic",
      "fetch_sub atomic",
      "fetch_and atomic",
      "fetch_or atomic",
      "fence",
      "start thread",
      "join thread",
      "detach thread",
      "sleep",
      "look at the clock",
      "reach",
      "relax",
      "allocate",
  });
  static constexpr std::array<std::string_view, 6> outcomes{"", "refused", "token", "expired", "spurious", "older"};
  std::string text(verbs[static_cast<std::size_t>(event.operation)]);
  if (event.object != 0) {
    text += " " + std::to_string(event.object);
  }
  if (event.name != nullptr) {
    text += std::string(" \"") + event.name + "\"";
  }
  if (event.has_value) {
    text += ": " + std::to_string(event.value);
  }
  if (event.outcome != Outcome::plain) {
    text += ": " + std::string(outcomes[static_cast<std::size_t>(event.outcome)]);
  }
  return text;
}

/// The events of one schedule.
class Trace {
 public:
  void clear() noexcept { events_.clear(); }
  void add(const Event& event) { events_.push_back(event); }

  /// One line per event: number, time since the start, thread, operation. `name_of` turns a thread's number into text.
  template <class NameOf>
  std::string text(NameOf name_of) const {
    std::string result;
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const Event& event = events_[i];
      result += padded(std::to_string(i + 1), 5) + "  " + padded("+" + time_text(event.time - origin), 8) + "  " +
                padded(name_of(event.thread), 16) + "  " + event_text(event) + "\n";
    }
    return result;
  }

 private:
  static std::string padded(std::string text, std::size_t width) {
    text.resize((std::max)(width, text.size()), ' ');
    return text;
  }

  std::vector<Event> events_;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_TRACE_HPP
