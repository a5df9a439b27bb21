// SPDX-License-Identifier: MIT
//
// The coroutines. A lane takes a batch of the tree, compares it with the database, has what differs hashed, has
// the result written, and takes the next batch. There is one lane more than hash threads, so that while each
// thread is busy with the last file of some lane, one lane can fetch more; and no more than that, so that at
// most `lanes * batch_size` files are in progress, whatever the size of the tree.

#include "scan.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "interrupt.hpp"
#include "text.hpp"

namespace catalog {
namespace {

constexpr std::size_t io_threads = 4;
constexpr std::chrono::milliseconds redraw_interval{100};

std::string absolute_path_of_tree(const std::string& directory) {
  std::error_code error;
  const auto path = std::filesystem::canonical(directory, error);
  if (error) {
    throw std::system_error(error, fmt::format("cannot read directory '{}'", printable(directory)));
  }
  return path.string();
}

/// The database and the files SQLite keeps next to it, should they be in the tree.
std::set<std::string> files_of_database(const std::string& database) {
  const std::string path = std::filesystem::weakly_canonical(database).string();
  return {path, path + "-wal", path + "-shm", path + "-journal"};
}

Walker make_walker(const std::string& directory, const Options& options) {
  return Walker(directory,
                {.excluded = files_of_database(options.database), .one_file_system = options.one_file_system});
}

std::uint64_t bytes_of(const Batch& batch) {
  std::uint64_t bytes = 0;
  for (const FoundFile& file : batch.files) {
    bytes += static_cast<std::uint64_t>(file.stamp.size);
  }
  return bytes;
}

}  // namespace

Scan::Scan(const Options& options, Progress& progress, toto::QueueObserver* observer)
    : progress_(progress),
      directory_(absolute_path_of_tree(options.directory)),
      tree_(beneath(directory_)),
      lanes_(options.threads + 1),
      io_queue_({.thread_count = io_threads, .name = "io", .observer = observer}),
      hash_queue_({.thread_count = options.threads, .name = "hash", .observer = observer}),
      writer_(std::make_unique<Writer>(options.database), io_queue_),
      readers_([database = options.database] { return std::make_unique<Reader>(database); }, io_threads),
      walker_(make_walker(directory_, options), io_queue_),
      counting_walker_(make_walker(directory_, options), io_queue_) {}

toto::Task<Summary> Scan::run() {
  const auto start = std::chrono::steady_clock::now();
  std::vector<toto::Task<>> lanes;
  lanes.reserve(lanes_);
  for (std::size_t i = 0; i < lanes_; ++i) {
    lanes.push_back(work_through_batches_or_stop_all());
  }
  co_await toto::when_all(std::move(lanes));
  summary_.duration = std::chrono::steady_clock::now() - start;

  auto reader = readers_.await(io_queue_);
  std::tie(summary_.catalogued, summary_.duplicates) =
      co_await toto::when_all(reader(&Reader::totals, tree_), reader(&Reader::duplicate_totals, tree_));
  co_return summary_;
}

toto::Task<> Scan::work_through_batches_or_stop_all() {
  try {
    co_await work_through_batches();
  } catch (...) {
    interrupt();  // when_all waits for the other lanes: make them end
    throw;
  }
}

toto::Task<> Scan::work_through_batches() {
  const auto reader = readers_.await(io_queue_);
  while (std::optional<Batch> batch = co_await walker_(&Walker::next_batch)) {
    for (const Problem& problem : batch->problems) {
      report_unreadable(problem.path, problem.error);
    }
    // Handle first, then await: GCC 12 must not see aggregates made inside a co_await (docs/how-to/gcc-12.md).
    auto comparison = reader(&Reader::compare, *std::move(batch));
    Differences differences = co_await comparison;
    summary_.unchanged.files += differences.unchanged_files;
    summary_.unchanged.bytes += differences.unchanged_bytes;
    progress_.skipped(differences.unchanged_files, differences.unchanged_bytes);

    Changes changes = co_await hash(std::move(differences));
    if (!changes.records.empty() || !changes.removed.empty()) {
      summary_.removed += changes.removed.size();
      auto writing = writer_(&Writer::apply, std::move(changes));
      co_await writing;
    }
  }
}

toto::Task<Changes> Scan::hash(Differences differences) {
  std::vector<toto::TaskHandle<Outcome>> hashes;
  hashes.reserve(differences.to_hash.size());
  for (const FileToHash& file : differences.to_hash) {
    hashes.push_back(hash_queue_.yield_task(hash_file, file.path, std::ref(progress_.meter())));
  }
  const std::vector<Outcome> outcomes = co_await toto::when_all(std::move(hashes));

  Changes changes{.records = {}, .removed = std::move(differences.removed)};
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    settle(differences.to_hash[i], outcomes[i], changes);
  }
  co_return changes;
}

void Scan::settle(const FileToHash& file, const Outcome& outcome, Changes& changes) {
  switch (outcome.fate) {
    case Fate::hashed:
      ++summary_.hashed.files;
      summary_.hashed.bytes += static_cast<std::uint64_t>(outcome.stamp.size);
      changes.records.push_back({file.path, outcome.stamp, outcome.digest});
      return;
    case Fate::interrupted:
      return;  // as if it had not been found: its row in the database stays
    case Fate::unreadable:
      report_unreadable(file.path, outcome.error);
      break;
    case Fate::unsteady:
      ++summary_.unsteady;
      progress_.message(fmt::format("catalog: '{}' keeps changing while it is read", printable(file.path)));
      break;
    case Fate::gone:
      break;
  }
  if (file.outdated != 0) {
    changes.removed.push_back(file.outdated);
  }
}

void Scan::report_unreadable(const std::string& path, int error) {
  ++summary_.unreadable;
  progress_.message(
      fmt::format("catalog: cannot read '{}': {}", printable(path), std::generic_category().message(error)));
}

toto::Task<> Scan::count_tree() {
  while (const std::optional<Batch> batch = co_await counting_walker_(&Walker::next_batch)) {
    progress_.found(batch->files.size(), bytes_of(*batch));
  }
  progress_.all_found();
}

toto::Task<> Scan::draw_progress() {
  for (;;) {
    progress_.draw();
    co_await toto::sleep_for(redraw_interval);
  }
}

void Scan::with_reader(const std::function<void(Reader&, const PathRange&)>& use) {
  readers_.transaction([&](Reader& reader) { use(reader, tree_); });
}

}  // namespace catalog
