// SPDX-License-Identifier: MIT
//
// catalog: keeps the SHA-256 of every file of a directory tree in a database. A real program, small enough to
// read in one go, that uses each part of toto for its purpose. Read scan.hpp next; file, walk, hash and store,
// which do the work, do not depend on toto.

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <optional>
#include <system_error>
#include <toto/tasks.hpp>
#include <toto/trace.hpp>

#include "interrupt.hpp"
#include "options.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "scan.hpp"
#include "text.hpp"

namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_interrupted = 130;

/// Brings the catalogue up to date. The progress line is gone when this returns.
catalog::Summary update(catalog::Scan& scan, catalog::Progress& progress) {
  toto::EventLoop loop;
  if (progress.visible()) {
    loop.spawn(scan.count_tree());
    loop.spawn(scan.draw_progress());
  }
  const catalog::Summary summary = loop.run_sync(scan.run());
  progress.clear();
  return summary;  // spawned coroutines end with the loop
}

void print_results(const catalog::Options& options, catalog::Scan& scan, const catalog::Summary& summary) {
  if (options.list || options.duplicates) {
    const auto print = options.list ? catalog::print_list : catalog::print_duplicates;
    scan.with_reader([&](catalog::Reader& reader, const catalog::PathRange& tree) { print(stdout, reader, tree); });
    catalog::print_summary(stderr, options, scan.directory(), summary);
  } else {
    catalog::print_summary(stdout, options, scan.directory(), summary);
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot write to stdout");
  }
}

/// Makes the queues it uses; they have ended when this returns.
void run(const catalog::Options& options, toto::QueueObserver* observer) {
  catalog::Progress progress;
  catalog::Scan scan(options, progress, observer);
  print_results(options, scan, update(scan, progress));
}

}  // namespace

int main(int argc, char** argv) {
  const catalog::Options options = catalog::parse_options(argc, argv);
  try {
    catalog::catch_interrupts();
    std::optional<toto::TraceWriter> trace;
    if (!options.trace.empty()) {
      trace.emplace(options.trace);
      trace->name_thread("event loop");
    }
    run(options, trace ? &*trace : nullptr);
    if (trace) {
      trace->close();
    }
    if (catalog::interrupted()) {
      catalog::write(stderr, "catalog: interrupted; what was hashed before is kept\n");
      return exit_interrupted;
    }
    return exit_done;
  } catch (const std::exception& error) {
    catalog::write(stderr, fmt::format("catalog: {}\n", error.what()));
    return exit_failed;
  }
}
