// SPDX-License-Identifier: MIT
//
// The walk: a stack of sorted directory listings. A directory is listed as "name/", which sorts exactly where
// the paths beneath it belong among the files next to it ("a.txt" before "a/b" before "a0").

#include "walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "interrupt.hpp"

namespace catalog {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

/// "/usr/" is "/usr": a slash at the end would follow a symbolic link.
std::string without_slash(const std::string& prefix) {
  return prefix.size() > 1 ? prefix.substr(0, prefix.size() - 1) : prefix;
}

Directory open_directory(const std::string& prefix) {
  const std::string path = without_slash(prefix);
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) {
    return nullptr;
  }
  Directory directory(fdopendir(descriptor));
  if (!directory) {
    close(descriptor);
  }
  return directory;
}

/// Some file systems do not say of what kind an entry is before it is looked at.
bool is_directory(const Directory& directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type == DT_DIR;
  }
  struct stat status = {};
  return fstatat(dirfd(directory.get()), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

bool may_be_a_file(const dirent& entry) {
  return entry.d_type == DT_REG || entry.d_type == DT_UNKNOWN;
}

/// Removed, or replaced by something else, since its directory was listed: not an error, the file is just gone.
bool means_gone(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

}  // namespace

Walker::Walker(const std::string& directory, Options options)
    : options_(std::move(options)), rest_(beneath(directory)) {
  struct stat status = {};
  int error = stat(directory.c_str(), &status) == 0 ? 0 : errno;
  if (error == 0) {
    device_ = stamp_of(status).device;
    error = enter(rest_.from);
  }
  if (error != 0) {
    throw std::system_error(error, std::generic_category(), "cannot read directory '" + directory + "'");
  }
}

std::optional<Batch> Walker::next_batch() {
  Batch batch;
  while (!levels_.empty() && batch.files.size() < batch_size && !interrupted()) {
    Level& level = levels_.back();
    if (level.next == level.names.size()) {
      levels_.pop_back();
    } else {
      visit(level.prefix + level.names[level.next++], batch);
    }
  }
  if (finished_ || (batch.files.empty() && interrupted())) {
    return std::nullopt;
  }
  finished_ = levels_.empty();
  const std::string end = finished_ ? rest_.until : just_after(batch.files.back().path);
  batch.range = {std::exchange(rest_.from, end), end};
  return batch;
}

void Walker::visit(const std::string& path, Batch& batch) {
  if (path.ends_with('/')) {
    if (const int error = enter(path); error != 0 && !means_gone(error)) {
      batch.problems.push_back({without_slash(path), error});
    }
    return;
  }
  if (options_.excluded.contains(path)) {
    return;
  }
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0) {
    if (S_ISREG(status.st_mode)) {
      batch.files.push_back({path, stamp_of(status)});
    }
  } else if (const int error = errno; !means_gone(error)) {
    batch.problems.push_back({path, error});
  }
}

int Walker::enter(const std::string& prefix) {
  const Directory directory = open_directory(prefix);
  struct stat status = {};
  if (!directory || fstat(dirfd(directory.get()), &status) != 0) {
    return errno;
  }
  if (options_.one_file_system && stamp_of(status).device != device_) {
    return 0;
  }
  Level level{prefix, {}, 0};
  errno = 0;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") {
      continue;
    }
    if (is_directory(directory, *entry)) {
      level.names.push_back(std::string(name) + '/');
    } else if (may_be_a_file(*entry)) {
      level.names.emplace_back(name);
    }
    errno = 0;
  }
  const int error = errno;  // of readdir: what was listed before it is still visited
  std::ranges::sort(level.names);
  levels_.push_back(std::move(level));
  return error;
}

}  // namespace catalog
