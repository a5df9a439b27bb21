// SPDX-License-Identifier: MIT
//
// The coordinator: walks the tree, has its files hashed by the workers, and writes the database. Its coroutines are those
// of catalog's scan.cpp but for the line that starts a hash.

#ifndef CLUSTER_COORDINATOR_HPP
#define CLUSTER_COORDINATOR_HPP

#include <string>

namespace cluster {

struct CoordinatorOptions {
  std::string directory;
  std::string database = "cluster.db";
  std::string redis = "127.0.0.1:6379";
};

/// Blocks: until each file has been hashed and stored. Prints what it has done, after each batch.
/// Throws: RedisError; std::runtime_error, std::system_error naming what cannot be used.
void coordinate(const CoordinatorOptions& options);

}  // namespace cluster

#endif  // CLUSTER_COORDINATOR_HPP
