// SPDX-License-Identifier: MIT
//
// The work that is worth a thread: reads one file from beginning to end and computes its SHA-256 with
// OpenSSL. `hash_file` is the function the task queue runs; it is a plain function that knows nothing of
// queues.

#ifndef CATALOG_HASH_HPP
#define CATALOG_HASH_HPP

#include <atomic>
#include <cstdint>
#include <string>

#include "file.hpp"

namespace catalog {

/// What has been read so far, by all threads. For display only, hence relaxed.
struct Meter {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
};

/// What became of a file.
enum class Fate {
  hashed,
  unreadable,   // `error` says why
  unsteady,     // it kept changing while it was read
  gone,         // removed, or no regular file any more
  interrupted,  // the run ended first
};

struct Outcome {
  Fate fate = Fate::interrupted;
  int error = 0;
  Stamp stamp;  // of the very content that was hashed
  Digest digest{};
};

/// Reads the file in blocks of 64 KiB. Never throws for what is wrong with a file; std::bad_alloc and the
/// like it does. Blocks: for as long as reading takes.
Outcome hash_file(const std::string& path, Meter& meter);

}  // namespace catalog

#endif  // CATALOG_HASH_HPP
