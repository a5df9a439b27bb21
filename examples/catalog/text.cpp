// SPDX-License-Identifier: MIT
//
// Formatting. sha256sum escapes backslash, newline and carriage return, and says so by a backslash before the
// hash.

#include "text.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <iterator>

namespace catalog {
namespace {

/// How many bytes the valid, printable UTF-8 character at the beginning takes; 0: it is not one.
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) {
    return first >= 0x20 && first != 0x7f ? 1 : 0;
  }
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) {
    return 0;
  }
  unsigned code = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) {
      return 0;
    }
    code = code << 6U | (byte(i) & 0x3fU);
  }
  constexpr std::array<unsigned, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool overlong = code < smallest[length];
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  const bool control = code < 0xa0;  // the C1 controls, which some terminals obey
  return overlong || surrogate || control || code > 0x10ffff ? 0 : length;
}

/// The letter that stands for it after a backslash, or 0.
char escape_letter(char character) {
  switch (character) {
    case '\\':
      return '\\';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    default:
      return 0;
  }
}

}  // namespace

std::string counted(std::uint64_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::string human_size(std::uint64_t bytes) {
  if (bytes < 1024) {
    return fmt::format("{} B", bytes);
  }
  constexpr std::array units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double size = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; size >= 1023.95 && unit + 1 < units.size(); ++unit) {  // 1023.95 would be shown as 1024.0
    size /= 1024;
  }
  return fmt::format("{:.1f} {}", size, units.at(unit));
}

std::string human_duration(std::chrono::seconds duration) {
  const auto seconds = duration.count();
  return seconds < 3600 ? fmt::format("{}:{:02}", seconds / 60, seconds % 60)
                        : fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string printable(std::string_view path) {
  std::string text;
  while (!path.empty()) {
    if (const char letter = escape_letter(path.front()); letter != 0) {
      text += {'\\', letter};
      path.remove_prefix(1);
    } else if (const std::size_t length = character_length(path); length > 0) {
      text += path.substr(0, length);
      path.remove_prefix(length);
    } else {
      fmt::format_to(std::back_inserter(text), "\\x{:02x}", static_cast<unsigned char>(path.front()));
      path.remove_prefix(1);
    }
  }
  return text;
}

std::string hexadecimal(const Digest& digest) {
  std::string text;
  for (const unsigned char byte : digest) {
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  }
  return text;
}

std::string sha256sum_line(const Digest& digest, std::string_view path) {
  std::string escaped;
  for (const char character : path) {
    if (const char letter = escape_letter(character); letter != 0) {
      escaped += {'\\', letter};
    } else {
      escaped += character;
    }
  }
  const char* mark = escaped.size() == path.size() ? "" : "\\";
  return fmt::format("{}{}  {}\n", mark, hexadecimal(digest), escaped);
}

void write(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace catalog
