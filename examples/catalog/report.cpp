// SPDX-License-Identifier: MIT
//
// Prints with fmt. The lists are written while they are read from the database, however long they are.

#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "text.hpp"

namespace catalog {

void print_summary(std::FILE* stream, const Options& options, const std::string& directory, const Summary& summary) {
  const double seconds = std::max(summary.duration.count(), 1e-6);
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(summary.hashed.bytes) / seconds);
  const auto files_and_bytes = [](const Totals& totals) {
    return counted(totals.files, "file") + ", " + human_size(totals.bytes);
  };
  write(stream, fmt::format("{}, catalogued in {}\n", printable(directory), printable(options.database)));
  write(stream, fmt::format("  hashed      {} in {:.2f} s ({}/s, {})\n", files_and_bytes(summary.hashed), seconds,
                            human_size(rate), counted(options.threads, "thread")));
  write(stream, fmt::format("  unchanged   {}\n", files_and_bytes(summary.unchanged)));
  write(stream, fmt::format("  removed     {}\n", summary.removed));
  write(stream, fmt::format("  unreadable  {}\n", summary.unreadable));
  if (summary.unsteady > 0) {
    write(stream, fmt::format("  unsteady    {}\n", summary.unsteady));
  }
  write(stream, fmt::format("  catalogued  {}\n", files_and_bytes(summary.catalogued)));
  write(stream, fmt::format("  duplicates  {}, {} to spare\n", counted(summary.duplicates.groups, "group"),
                            human_size(summary.duplicates.spare_bytes)));
}

void print_list(std::FILE* stream, Reader& reader, const PathRange& range) {
  reader.each_file(range, [&](const Record& record) { write(stream, sha256sum_line(record.digest, record.path)); });
}

void print_duplicates(std::FILE* stream, Reader& reader, const PathRange& range) {
  std::optional<Digest> group;
  reader.each_duplicate(range, [&](const Duplicate& file) {
    if (group != file.digest) {
      write(stream, fmt::format("{}{}, {} each\n", group ? "\n" : "", hexadecimal(file.digest), human_size(file.size)));
      group = file.digest;
    }
    write(stream, fmt::format("  {}\n", printable(file.path)));
  });
}

}  // namespace catalog
