// SPDX-License-Identifier: MIT
//
// The values the parts of catalog hand to each other: what the file system says about a file, which part of
// the tree is meant, and a hash. No behaviour worth a class, no dependency; read walk.hpp next.

#ifndef CATALOG_FILE_HPP
#define CATALOG_FILE_HPP

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>

namespace catalog {

/// What the file system knows of a file without reading it.
struct Stamp {
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;  // when the content last changed, or as it was set
  std::int64_t changed_ns = 0;   // when the content or the inode last changed; cannot be set
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

Stamp stamp_of(const struct stat& status) noexcept;

/// Whether a file with these two stamps has kept its content. The device is left out: its number may be
/// another one after every reboot.
bool same_content(const Stamp& left, const Stamp& right) noexcept;

/// The paths from `from` up to but excluding `until`, compared byte by byte: a tree, or a slice of one.
struct PathRange {
  std::string from;
  std::string until;
};

/// Everything beneath a directory, which is given by its absolute path.
PathRange beneath(const std::string& directory);

/// The smallest path greater than this one: `[a, just_after(b))` includes b.
std::string just_after(const std::string& path);

using Digest = std::array<unsigned char, 32>;

}  // namespace catalog

#endif  // CATALOG_FILE_HPP
