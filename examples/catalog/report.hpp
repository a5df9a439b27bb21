// SPDX-License-Identifier: MIT
//
// What catalog prints when a run has ended: the summary and, on request, one of the lists.

#ifndef CATALOG_REPORT_HPP
#define CATALOG_REPORT_HPP

#include <cstdio>
#include <string>

#include "scan.hpp"
#include "store.hpp"

namespace catalog {

void print_summary(std::FILE* stream, const Options& options, const std::string& directory, const Summary& summary);

/// One line per file, as sha256sum prints it.
void print_list(std::FILE* stream, Reader& reader, const PathRange& range);

/// Groups of files with equal content, the most wasteful first.
void print_duplicates(std::FILE* stream, Reader& reader, const PathRange& range);

}  // namespace catalog

#endif  // CATALOG_REPORT_HPP
