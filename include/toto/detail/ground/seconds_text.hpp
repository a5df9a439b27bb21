// SPDX-License-Identifier: MIT
//
// How reports write a length of time.

#ifndef TOTO_DETAIL_GROUND_SECONDS_TEXT_HPP
#define TOTO_DETAIL_GROUND_SECONDS_TEXT_HPP

#include <array>
#include <cstdio>
#include <string>

#include "../../duration.hpp"
#include "annotations.hpp"
#include "lean_std.hpp"
#include "text.hpp"

namespace toto::inline v0_1::detail {

/// "0.250 s"
template <class Rep, class Period>
std::string seconds_text(std::chrono::duration<Rep, Period> length) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f s", std::chrono::duration<double>(length).count());
  return text.data();
}

/// A time limit, in words: "within 0.250 s", "within 900 ns", "at once".
TOTO_COLD inline std::string within_text(Duration limit) {
  const std::chrono::nanoseconds length = limit.nanoseconds();
  if (length.count() <= 0) {
    return "at once";
  }
  if (length < std::chrono::milliseconds(1)) {
    return join({"within ", Digits(length.count()), " ns"});
  }
  return join({"within ", seconds_text(length)});
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_SECONDS_TEXT_HPP
