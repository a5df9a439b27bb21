// SPDX-License-Identifier: MIT
//
// How reports write a length of time.

#ifndef TOTO_DETAIL_SECONDS_TEXT_HPP
#define TOTO_DETAIL_SECONDS_TEXT_HPP

#include <array>
#include <chrono>
#include <cstdio>
#include <string>

#include "../version.hpp"

namespace toto::inline v0::detail {

/// "0.250 s"
template <class Rep, class Period>
std::string seconds_text(std::chrono::duration<Rep, Period> length) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f s", std::chrono::duration<double>(length).count());
  return text.data();
}

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_SECONDS_TEXT_HPP
