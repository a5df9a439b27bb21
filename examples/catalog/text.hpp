// SPDX-License-Identifier: MIT
//
// How catalog writes things for people and for sha256sum: sizes, durations, hashes, and file names, which may
// hold any byte but NUL and '/'.

#ifndef CATALOG_TEXT_HPP
#define CATALOG_TEXT_HPP

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "file.hpp"

namespace catalog {

/// (1, "file") -> "1 file", (2, "file") -> "2 files".
std::string counted(std::uint64_t number, std::string_view noun);

/// 512 -> "512 B", 1536 -> "1.5 KiB".
std::string human_size(std::uint64_t bytes);

/// 75 s -> "1:15", 3675 s -> "1:01:15".
std::string human_duration(std::chrono::seconds duration);

/// Safe to print on one line: control characters, backslashes and what is not UTF-8 appear as \n, \\, \xff.
std::string printable(std::string_view path);

/// 64 hexadecimal digits.
std::string hexadecimal(const Digest& digest);

/// One line, with its newline, in the format of sha256sum, readable by `sha256sum -c`.
std::string sha256sum_line(const Digest& digest, std::string_view path);

/// Writes the text. Errors are ignored; check std::ferror where it matters.
void write(std::FILE* stream, std::string_view text);

}  // namespace catalog

#endif  // CATALOG_TEXT_HPP
