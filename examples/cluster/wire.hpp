// SPDX-License-Identifier: MIT
//
// What coordinator and workers say to each other, by two streams: jobs, of which each worker of a group gets its own, and
// results. A job is removed by whoever stores its result, in the same transaction; until then it stands in the group's
// list of what is pending, from which others claim it if its worker does not show up any more.

#ifndef CLUSTER_WIRE_HPP
#define CLUSTER_WIRE_HPP

#include <string>

#include "../catalog/hash.hpp"
#include "redis.hpp"

namespace cluster {

inline const std::string kJobs = "catalog:jobs";
inline const std::string kResults = "catalog:results";
inline const std::string kGroup = "workers";

// The fields of a job, and of its result, besides the outcome.
inline const std::string kJob = "job";  ///< a name that the coordinator has given to it; no other ever has it
inline const std::string kPath = "path";

/// Makes the stream of jobs and its group, if they are not there.
void make_group(Redis& redis);

/// XADD to the results.
Command result_command(const std::string& job, const catalog::Outcome& outcome);

/// Throws: std::runtime_error if the entry is not a result.
catalog::Outcome outcome_of(const Entry& result);

}  // namespace cluster

#endif  // CLUSTER_WIRE_HPP
