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
  write(stream,
        fmt::format("{}, catalogued in {}\n"
                    "  hashed      {} files, {} in {:.2f} s ({}/s, {} threads)\n"
                    "  unchanged   {} files, {}\n"
                    "  removed     {}\n"
                    "  unreadable  {}\n",
                    printable(directory), printable(options.database), summary.hashed.files,
                    human_size(summary.hashed.bytes), seconds, human_size(rate), options.threads,
                    summary.unchanged.files, human_size(summary.unchanged.bytes), summary.removed, summary.unreadable));
  if (summary.unsteady > 0) {
    write(stream, fmt::format("  unsteady    {}\n", summary.unsteady));
  }
  write(stream, fmt::format("  catalogued  {} files, {}\n"
                            "  duplicates  {} groups, {} to spare\n",
                            summary.catalogued.files, human_size(summary.catalogued.bytes), summary.duplicates.groups,
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
