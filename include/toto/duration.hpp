// SPDX-License-Identifier: MIT
//
// Duration: one type for every duration in the interface, made from any std::chrono::duration, so that 250ms, 1.5s and
// hours::max() all mean what they say and no conversion overflows.

#ifndef TOTO_DURATION_HPP
#define TOTO_DURATION_HPP

#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>

#include "detail/ground/lean_std.hpp"
#include "version.hpp"

namespace toto::inline v0_1 {

/// A duration in nanoseconds that saturates: anything too long to represent is never().
///
/// A floating-point NaN is kept, so that the function to which the Duration is passed can name the parameter in its
/// error.
/// Thread safety: One thread at a time.
class Duration {
 public:
  /// Zero.
  constexpr Duration() noexcept = default;

  /// From any duration, integral or floating; not explicit, so that `queue.wait_idle_for(250ms)` reads well.
  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> length) noexcept  // NOLINT(google-explicit-constructor)
      : count_(to_nanoseconds<Rep, Period>(length.count())) {}

  /// Longer than any wait; hours::max() and infinity convert to this, too.
  static constexpr Duration never() noexcept { return Duration(kMax); }

  constexpr bool is_nan() const noexcept { return count_ == kNan; }
  constexpr bool is_never() const noexcept { return count_ == kMax; }
  constexpr bool is_negative() const noexcept { return count_ < 0 && !is_nan(); }

  /// Returns the length; zero for NaN.
  constexpr std::chrono::nanoseconds nanoseconds() const noexcept {
    return std::chrono::nanoseconds(is_nan() ? 0 : count_);
  }

  /// Returns `from` plus this length; (TimePoint::max)() if this is never(); max() or min() if the sum cannot be
  /// represented.
  template <class TimePoint>
  constexpr TimePoint after(TimePoint from) const noexcept {
    if (is_never()) {
      return (TimePoint::max)();
    }
    const auto step = std::chrono::duration_cast<typename TimePoint::duration>(nanoseconds());
    if (step.count() > 0 && from > (TimePoint::max)() - step) {
      return (TimePoint::max)();
    }
    if (step.count() < 0 && from < (TimePoint::min)() - step) {
      return (TimePoint::min)();
    }
    return from + step;
  }

  friend constexpr bool operator==(Duration, Duration) noexcept = default;

 private:
  static constexpr std::int64_t kMax = (std::numeric_limits<std::int64_t>::max)();
  static constexpr std::int64_t kMin = (std::numeric_limits<std::int64_t>::min)() + 1;
  static constexpr std::int64_t kNan = (std::numeric_limits<std::int64_t>::min)();

  explicit constexpr Duration(std::int64_t count) noexcept : count_(count) {}

  template <class Rep, class Period>
  static constexpr std::int64_t to_nanoseconds(Rep count) noexcept {
    if constexpr (std::is_floating_point_v<Rep>) {
      if (count != count) {
        return kNan;
      }
    }
    // Beyond 63 bits only the sign matters; long double decides that without overflow.
    using Scale = std::ratio_divide<Period, std::nano>;
    const long double exact =
        static_cast<long double>(count) * static_cast<long double>(Scale::num) / static_cast<long double>(Scale::den);
    if (exact >= static_cast<long double>(kMax)) {
      return kMax;
    }
    if (exact <= static_cast<long double>(kMin)) {
      return kMin;
    }
    if constexpr (std::is_floating_point_v<Rep>) {
      return static_cast<std::int64_t>(exact);
    } else if constexpr (std::is_integral_v<Rep>) {
      // Quotient and remainder separately: no intermediate value is larger than the result.
      using Wide = std::common_type_t<Rep, std::int64_t>;
      constexpr auto kNum = static_cast<Wide>(Scale::num);
      constexpr auto kDen = static_cast<Wide>(Scale::den);
      const auto wide = static_cast<Wide>(count);
      return static_cast<std::int64_t>(wide / kDen * kNum + wide % kDen * kNum / kDen);
    } else {
      return std::chrono::duration_cast<std::chrono::duration<std::int64_t, std::nano>>(
                 std::chrono::duration<Rep, Period>(count))
          .count();
    }
  }

  std::int64_t count_ = 0;
};

namespace detail {

/// The time from one point to another of the same clock, whatever their units. Saturates; NaN stays NaN.
template <class Clock, class From, class To>
constexpr Duration time_between(std::chrono::time_point<Clock, From> from,
                                std::chrono::time_point<Clock, To> to) noexcept {
  const Duration end(to.time_since_epoch());
  if (end.is_nan()) {
    return end;
  }
  const std::chrono::time_point<Clock, std::chrono::nanoseconds> back(-Duration(from.time_since_epoch()).nanoseconds());
  return end.after(back).time_since_epoch();
}

}  // namespace detail

}  // namespace toto::inline v0_1

#endif  // TOTO_DURATION_HPP
