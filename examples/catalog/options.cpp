// SPDX-License-Identifier: MIT
//
// Describes the options to CLI11, which parses them and writes the help.

#include "options.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <thread>

namespace catalog {
namespace {

constexpr unsigned most_threads = 1024;

}  // namespace

Options parse_options(int argc, char** argv) {
  Options options;
  options.threads = std::clamp(std::thread::hardware_concurrency(), 1U, most_threads);

  const auto not_empty = [](const std::string& text) { return text.empty() ? "it is empty" : ""; };
  CLI::App app(
      "Keeps a catalogue of a directory tree: the SHA-256 of every regular file, in an SQLite database.\n"
      "A file is read only if it is new or has changed since the last run.",
      "catalog");
  app.add_option("DIR", options.directory, "the tree to catalogue; symbolic links in it are not followed")
      ->type_name("PATH")
      ->required();
  app.add_option("--db", options.database, "the database, created if missing")
      ->type_name("FILE")
      ->check(not_empty)
      ->take_last()
      ->capture_default_str();
  app.add_option("--threads", options.threads, "how many files are hashed at once")
      ->type_name("N")
      ->check(CLI::Range(1U, most_threads))
      ->capture_default_str();
  app.add_option("--trace", options.trace, "write what happens on which thread to FILE, for https://ui.perfetto.dev")
      ->type_name("FILE")
      ->check(not_empty)
      ->take_last();
  app.add_flag("--one-file-system,-x", options.one_file_system, "stay on the file system of DIR");
  auto* duplicates = app.add_flag("--duplicates", options.duplicates, "list files with equal content");
  app.add_flag("--list", options.list, "list all files in the format of sha256sum")->excludes(duplicates);
  app.footer(
      "With --duplicates or --list, stdout holds the list and nothing else, and the summary goes to stderr.\n"
      "Unreadable files are reported on stderr and counted; they do not make a run fail.\n\n"
      "Exit code: 0 done, 1 failed, 2 wrong arguments, 130 interrupted (what was hashed by then is kept).");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return options;
}

}  // namespace catalog
