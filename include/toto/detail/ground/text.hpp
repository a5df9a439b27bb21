// SPDX-License-Identifier: MIT
//
// Builds the texts of errors, in the headers that every program compiles: one function joins all parts of a text at
// once. With operator+, the code for each temporary string would be inlined, over and over.

#ifndef TOTO_DETAIL_GROUND_TEXT_HPP
#define TOTO_DETAIL_GROUND_TEXT_HPP

#include <cstddef>
#include <cstdio>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "annotations.hpp"

namespace toto::inline v0_1::detail {

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

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_TEXT_HPP
