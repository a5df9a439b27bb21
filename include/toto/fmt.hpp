// SPDX-License-Identifier: MIT
//
// Prints toto's statistics, durations and errors with {fmt}, version 9 or newer: fmt::print("{}\n", queue.stats()).
// Opt-in: tasks.hpp does not include it. Each formatter takes the format options of a string: "{:>20}". dump() already
// returns a string.

#ifndef TOTO_FMT_HPP
#define TOTO_FMT_HPP

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "duration.hpp"
#include "errors.hpp"
#include "observer.hpp"
#include "pool_options.hpp"
#include "stats.hpp"

#if FMT_VERSION < 90000
#error "toto/fmt.hpp needs fmt 9 or newer"
#endif

namespace toto::inline v0_1::detail {

/// The exact value, in the largest unit that makes it at least 1: "1.5s", "250ms", "-20us", "0s", "never", "NaN".
inline std::string duration_text(Duration length) {
  if (length.is_nan()) {
    return "NaN";
  }
  if (length.is_never()) {
    return "never";
  }
  const std::int64_t count = length.nanoseconds().count();
  const std::uint64_t size =
      count < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
  struct Unit {
    std::uint64_t nanoseconds;
    int digits;
    const char* name;
  };
  constexpr Unit kUnits[] = {{1'000'000'000, 9, "s"}, {1'000'000, 6, "ms"}, {1'000, 3, "us"}, {1, 0, "ns"}};
  const Unit* unit = kUnits;
  while (size != 0 && size < unit->nanoseconds) {
    ++unit;
  }
  std::string text = fmt::format("{}{}", count < 0 ? "-" : "", size / unit->nanoseconds);
  if (const std::uint64_t rest = size % unit->nanoseconds; rest != 0) {
    text += fmt::format(".{:0{}}", rest, unit->digits);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + unit->name;
}

/// Formats a value as the text that text_for_format() returns for it.
template <class T>
struct TextFormatter : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    const auto text = text_for_format(value);
    return fmt::formatter<std::string_view>::format(std::string_view(text), context);
  }

 private:
  static std::string text_for_format(const Duration& length) { return duration_text(length); }
  static std::string_view text_for_format(const TaskEnd& end) { return text_of(end); }
  static std::string_view text_for_format(const Error& error) { return error.what(); }
  static std::string text_for_format(const QueueStats& stats) {
    return fmt::format(
        "{} tasks: {} completed, {} failed, {} cancelled, {} queued, {} running, {} suspended; {} continuations; "
        "{} threads, {} idle, {} started",
        stats.submitted, stats.completed, stats.failed, stats.cancelled, stats.queued, stats.running, stats.suspended,
        stats.continuations, stats.threads, stats.idle, stats.threads_started);
  }
  static std::string text_for_format(const PoolStats& stats) {
    return fmt::format(
        "{} of {} instances: {} free, {} leased, {} changing; {} waiting; {} leases; {} made, {} discarded, "
        "{} rejected, {} retired, {} closed",
        stats.instances, stats.capacity, stats.free, stats.leased, stats.changing, stats.waiting, stats.leases,
        stats.made, stats.discarded, stats.rejected, stats.retired, stats.closed);
  }
};

}  // namespace toto::inline v0_1::detail

// Each type has its own formatter: a template for all errors would conflict with that of <fmt/std.h> for all
// exceptions.
template <>
struct fmt::formatter<toto::Duration> : toto::detail::TextFormatter<toto::Duration> {};
template <>
struct fmt::formatter<toto::TaskEnd> : toto::detail::TextFormatter<toto::TaskEnd> {};
template <>
struct fmt::formatter<toto::QueueStats> : toto::detail::TextFormatter<toto::QueueStats> {};
template <>
struct fmt::formatter<toto::PoolStats> : toto::detail::TextFormatter<toto::PoolStats> {};
template <>
struct fmt::formatter<toto::Error> : toto::detail::TextFormatter<toto::Error> {};
template <>
struct fmt::formatter<toto::QueueClosed> : toto::detail::TextFormatter<toto::QueueClosed> {};
template <>
struct fmt::formatter<toto::QueueFull> : toto::detail::TextFormatter<toto::QueueFull> {};
template <>
struct fmt::formatter<toto::TaskCancelled> : toto::detail::TextFormatter<toto::TaskCancelled> {};
template <>
struct fmt::formatter<toto::TimedOut> : toto::detail::TextFormatter<toto::TimedOut> {};
template <>
struct fmt::formatter<toto::PoolClosed> : toto::detail::TextFormatter<toto::PoolClosed> {};
template <>
struct fmt::formatter<toto::InstanceGone> : toto::detail::TextFormatter<toto::InstanceGone> {};
template <>
struct fmt::formatter<toto::NoState> : toto::detail::TextFormatter<toto::NoState> {};
template <>
struct fmt::formatter<toto::DeadlockError> : toto::detail::TextFormatter<toto::DeadlockError> {};

#endif  // TOTO_FMT_HPP
