// SPDX-License-Identifier: MIT
//
// The catalogue itself: one SQLite table of path, stamp and hash. Connections are not thread-safe, which is
// what toto's wrappers are for: scan.hpp puts many `Reader`s into an InstancePool and the one `Writer` into an
// AwaitableInstance. Nothing here depends on that. Paths are stored as they are, bytes without an encoding.

#ifndef CATALOG_STORE_HPP
#define CATALOG_STORE_HPP

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "file.hpp"
#include "walk.hpp"

namespace catalog {

using RowId = std::int64_t;

/// A file whose content is not known, or no longer known.
struct FileToHash {
  std::string path;
  RowId outdated = 0;  // the row that describes it as it was; 0: none
};

/// How a slice of the tree differs from what the database says of it.
struct Differences {
  std::vector<FileToHash> to_hash;
  std::vector<RowId> removed;
  std::uint64_t unchanged_files = 0;
  std::uint64_t unchanged_bytes = 0;
};

struct Record {
  std::string path;
  Stamp stamp;
  Digest digest{};
};

/// What one slice of the tree changes in the database.
struct Changes {
  std::vector<Record> records;
  std::vector<RowId> removed;
};

struct Totals {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// Hard links to one file are one file here, and empty files are no duplicates of each other.
struct DuplicateTotals {
  std::uint64_t groups = 0;
  std::uint64_t spare_bytes = 0;  // what keeping one file of each group would save
};

struct Duplicate {
  Digest digest{};
  std::uint64_t size = 0;
  std::string path;
};

/// A connection for looking things up. One thread at a time.
class Reader {
 public:
  /// Throws: std::runtime_error naming the database, as every member does.
  explicit Reader(const std::string& database);

  Differences compare(const Batch& batch);
  Totals totals(const PathRange& range);
  DuplicateTotals duplicate_totals(const PathRange& range);

  /// All files in the order of their paths.
  void each_file(const PathRange& range, const std::function<void(const Record&)>& visit);
  /// All files that have duplicates, grouped, the most wasteful groups first.
  void each_duplicate(const PathRange& range, const std::function<void(const Duplicate&)>& visit);

 private:
  std::string name_;
  SQLite::Database connection_;
  SQLite::Statement slice_;
};

/// The connection that writes, of which there is only one. One thread at a time.
class Writer {
 public:
  /// Creates the database if there is none.
  /// Throws: std::runtime_error naming the database if it cannot be opened or is not a catalogue.
  explicit Writer(const std::string& database);

  /// Writes all of it or, if it throws, nothing.
  void apply(const Changes& changes);

 private:
  std::string name_;
  SQLite::Database connection_;
  SQLite::Statement insert_;
  SQLite::Statement remove_;
};

}  // namespace catalog

#endif  // CATALOG_STORE_HPP
