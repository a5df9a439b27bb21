// SPDX-License-Identifier: MIT
//
// Snapshot: the state of the server at one moment. status.cpp takes it, from stats() and dump() of queues and pools
// and from the server's own counts; page.cpp and prometheus.cpp write it down.

#ifndef SERVER_SNAPSHOT_HPP
#define SERVER_SNAPSHOT_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <toto/tasks.hpp>
#include <vector>

#include "metrics.hpp"

namespace server {

struct QueueSnapshot {
  std::string name;
  std::size_t most_threads = 0;
  std::size_t most_queued = 0;  ///< 0: unbounded
  toto::QueueStats stats;
};

struct PoolSnapshot {
  std::string name;
  std::size_t most_waiting = 0;
  toto::PoolStats stats;
  std::string holders;  ///< who holds what, and who waits: one a line
};

/// One second.
struct Sample {
  std::uint64_t answered = 0;
  std::uint64_t refused = 0;
  std::uint64_t hashes_waiting = 0;
  std::uint64_t queries_waiting = 0;
};

struct Snapshot {
  std::string backend;
  std::chrono::seconds uptime{};
  std::uint64_t resident_bytes = 0;  ///< of the process; 0: unknown
  std::uint64_t threads = 0;         ///< likewise

  std::uint64_t connections = 0;
  std::uint64_t in_progress = 0;
  std::uint64_t malformed = 0;
  std::uint64_t timed_out = 0;

  std::vector<QueueSnapshot> queues;
  std::vector<PoolSnapshot> pools;
  const Metrics* metrics = nullptr;
  const std::deque<Sample>* history = nullptr;  ///< the oldest first
};

}  // namespace server

#endif  // SERVER_SNAPSHOT_HPP
