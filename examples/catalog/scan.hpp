// SPDX-License-Identifier: MIT
//
// One run over the tree, and the part of catalog that uses toto: what runs where, and how much is in progress at
// once.
//
//   event loop   all coroutines below, one thread, hence no locks
//   "io"         the walker and the writer, each an AwaitableInstance: one call at a time, in order;
//                the readers, an InstancePool: several at once
//   "hash"       `hash_file`, one task per file, as many at once as --threads says

#ifndef CATALOG_SCAN_HPP
#define CATALOG_SCAN_HPP

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <toto/tasks.hpp>

#include "options.hpp"
#include "progress.hpp"
#include "store.hpp"
#include "walk.hpp"

namespace catalog {

struct Summary {
  Totals hashed;
  Totals unchanged;
  std::uint64_t removed = 0;     // rows of files that no longer exist, or can no longer be read
  std::uint64_t unreadable = 0;  // files and directories
  std::uint64_t unsteady = 0;    // files that kept changing while they were read
  std::chrono::duration<double> duration{};
  Totals catalogued;  // in the database now
  DuplicateTotals duplicates;
};

class Scan {
 public:
  /// `observer`, if any, is notified of what the queues do.
  /// Throws: std::system_error, std::runtime_error naming the directory or the database that cannot be used.
  Scan(const Options& options, Progress& progress, toto::QueueObserver* observer);

  /// The directory as it is catalogued: absolute, without symbolic links.
  const std::string& directory() const noexcept { return directory_; }

  /// Brings the database up to date with the tree. After an interrupt, as far as it got.
  toto::Task<Summary> run();

  /// For the progress line: counts what `run` will find, and redraws until it is destroyed.
  toto::Task<> count_tree();
  toto::Task<> draw_progress();

  /// Calls `use(reader, range)` with a connection and the part of the database that describes the tree.
  void with_reader(const std::function<void(Reader&, const PathRange&)>& use);

 private:
  toto::Task<> work_through_batches();
  toto::Task<> work_through_batches_or_stop_all();
  toto::Task<Changes> hash(Differences differences);
  void settle(const FileToHash& file, const Outcome& outcome, Changes& changes);
  void report_unreadable(const std::string& path, int error);

  Progress& progress_;
  Summary summary_;
  const std::string directory_;
  const PathRange tree_;
  const std::size_t lanes_;
  toto::TaskQueue io_queue_;
  toto::TaskQueue hash_queue_;
  toto::AwaitableInstance<Writer> writer_;
  toto::InstancePool<Reader> readers_;
  toto::AwaitableInstance<Walker> walker_;
  toto::AwaitableInstance<Walker> counting_walker_;
};

}  // namespace catalog

#endif  // CATALOG_SCAN_HPP
