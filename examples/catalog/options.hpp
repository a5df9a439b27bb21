// SPDX-License-Identifier: MIT
//
// The command line of catalog.

#ifndef CATALOG_OPTIONS_HPP
#define CATALOG_OPTIONS_HPP

#include <cstddef>
#include <string>

namespace catalog {

struct Options {
  std::string directory;
  std::string database = "catalog.db";
  std::string trace;  // a file to write one to; empty: none
  std::size_t threads = 1;
  bool duplicates = false;
  bool list = false;
  bool one_file_system = false;
};

/// Parses the arguments. Ends the process for --help (0) and for invalid arguments (2).
Options parse_options(int argc, char** argv);

}  // namespace catalog

#endif  // CATALOG_OPTIONS_HPP
