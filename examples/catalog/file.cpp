// SPDX-License-Identifier: MIT
//
// Reads a stamp out of `struct stat`, whose time fields are named differently on macOS, and computes path
// ranges.

#include "file.hpp"

namespace catalog {
namespace {

std::int64_t nanoseconds(const struct timespec& time) noexcept {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_nsec};
}

}  // namespace

Stamp stamp_of(const struct stat& status) noexcept {
#ifdef __APPLE__
  const auto& modified = status.st_mtimespec;
  const auto& changed = status.st_ctimespec;
#else
  const auto& modified = status.st_mtim;
  const auto& changed = status.st_ctim;
#endif
  return {.size = static_cast<std::int64_t>(status.st_size),
          .modified_ns = nanoseconds(modified),
          .changed_ns = nanoseconds(changed),
          .device = static_cast<std::uint64_t>(status.st_dev),
          .inode = static_cast<std::uint64_t>(status.st_ino)};
}

bool same_content(const Stamp& left, const Stamp& right) noexcept {
  return left.size == right.size && left.modified_ns == right.modified_ns && left.changed_ns == right.changed_ns &&
         left.inode == right.inode;
}

PathRange beneath(const std::string& directory) {
  const std::string prefix = directory.ends_with('/') ? directory : directory + '/';
  std::string until = prefix;
  ++until.back();  // '/' becomes '0', the next byte
  return {prefix, until};
}

std::string just_after(const std::string& path) {
  return path + '\0';
}

}  // namespace catalog
