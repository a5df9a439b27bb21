// SPDX-License-Identifier: MIT
//
// A worker: takes jobs as its queue has room for them, hashes, stores results. There may be any number of them; they come
// and go as they like.

#ifndef CLUSTER_WORKER_HPP
#define CLUSTER_WORKER_HPP

#include <chrono>
#include <cstddef>
#include <string>

namespace cluster {

struct WorkerOptions {
  std::string redis = "127.0.0.1:6379";
  std::string name;  ///< no two workers that live have the same
  std::size_t threads = 2;
  std::chrono::milliseconds claim_after{30'000};  ///< a worker that has not shown up for this long is believed dead
};

/// Blocks: until SIGTERM or SIGINT; what it has taken is finished first.
/// Throws: RedisError.
void work(const WorkerOptions& options);

}  // namespace cluster

#endif  // CLUSTER_WORKER_HPP
