// SPDX-License-Identifier: MIT
//
// Builds the texts of errors and reports, in the headers that every program compiles: one function joins all parts of a
// text at once. With operator+, the code for each temporary string would be inlined, over and over.

#ifndef TOTO_DETAIL_GROUND_TEXT_HPP
#define TOTO_DETAIL_GROUND_TEXT_HPP

#include <array>
#include <cstddef>
#include <cstdio>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "../../duration.hpp"
#include "annotations.hpp"
#include "lean_std.hpp"

namespace toto::inline v0_1::detail {

/// The name of a type, as the compiler writes it.
template <class T>
consteval std::string_view type_name() {
#if defined(_MSC_VER) && !defined(__clang__)
  const std::string_view function = __FUNCSIG__;
  const std::size_t begin = function.find("type_name<") + 10;
  return function.substr(begin, function.rfind(">(") - begin);
#else
  const std::string_view function = __PRETTY_FUNCTION__;  // "... [with T = X; ...]", "... [T = X]"
  const std::size_t begin = function.find("T = ") + 4;
  const std::size_t end = function.find(';', begin);
  return function.substr(begin, (end == std::string_view::npos ? function.size() - 1 : end) - begin);
#endif
}

/// An integer in decimal digits: a part of a text.
class Digits {
 public:
  template <class Integer>
  explicit Digits(Integer value) noexcept {
    if constexpr (std::is_signed_v<Integer>) {
      write(static_cast<long long>(value));
    } else {
      write(static_cast<unsigned long long>(value));
    }
  }

  operator std::string_view() const noexcept { return {text_, size_}; }  // NOLINT(google-explicit-constructor)

 private:
  TOTO_COLD void write(long long value) noexcept {
    size_ = static_cast<std::size_t>(std::snprintf(text_, sizeof(text_), "%lld", value));
  }
  TOTO_COLD void write(unsigned long long value) noexcept {
    size_ = static_cast<std::size_t>(std::snprintf(text_, sizeof(text_), "%llu", value));
  }

  char text_[24];
  std::size_t size_ = 0;
};

/// Throws: std::bad_alloc.
TOTO_COLD inline void append(std::string& text, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts) {
    text.append(part.data(), part.size());
  }
}

/// Throws: std::bad_alloc.
TOTO_COLD inline std::string join(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) {
    size += part.size();
  }
  std::string text;
  text.reserve(size);
  append(text, parts);
  return text;
}

/// Throws: std::invalid_argument with that text; std::bad_alloc.
[[noreturn]] TOTO_COLD inline void refuse_argument(std::initializer_list<std::string_view> parts) {
  throw std::invalid_argument(join(parts));
}

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

#endif  // TOTO_DETAIL_GROUND_TEXT_HPP
