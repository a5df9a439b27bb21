// SPDX-License-Identifier: MIT
//
// Walks a directory tree and hands it out in batches, in the order of the paths' bytes. Because the database
// sorts in the same order, each batch is compared with it by reading the two side by side (store.hpp), and
// neither the tree nor the database is ever held in memory.

#ifndef CATALOG_WALK_HPP
#define CATALOG_WALK_HPP

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "file.hpp"

namespace catalog {

/// A regular file of the tree.
struct FoundFile {
  std::string path;
  Stamp stamp;
};

/// Something that could not be read, and why (an errno).
struct Problem {
  std::string path;
  int error = 0;
};

/// One slice of the tree: its files, sorted by path, and nothing else that is a regular file.
struct Batch {
  PathRange range;
  std::vector<FoundFile> files;
  std::vector<Problem> problems;
};

/// One thread at a time. Symbolic links are not followed, and whatever is not a regular file is passed over.
class Walker {
 public:
  struct Options {
    std::set<std::string> excluded;  // absolute paths: the database does not catalogue itself
    bool one_file_system = false;    // pass over directories on which another file system is mounted
  };

  /// Throws: std::system_error if the directory cannot be opened. The path is absolute and without symbolic
  /// links.
  Walker(const std::string& directory, Options options);

  /// The next slice, at most `batch_size` files; nothing after the last one, or once the run was interrupted.
  std::optional<Batch> next_batch();

  static constexpr std::size_t batch_size = 128;

 private:
  /// A directory on the way down to the present one.
  struct Level {
    std::string prefix;              // its path, with a slash at the end
    std::vector<std::string> names;  // sorted; directories have a slash at the end, which sorts them into place
    std::size_t next = 0;
  };

  int enter(const std::string& prefix);  // 0, or the errno
  void visit(const std::string& path, Batch& batch);

  Options options_;
  PathRange rest_;  // what has not been handed out
  std::vector<Level> levels_;
  std::uint64_t device_ = 0;
  bool finished_ = false;
};

}  // namespace catalog

#endif  // CATALOG_WALK_HPP
