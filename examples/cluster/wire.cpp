// SPDX-License-Identifier: MIT
//
// Outcomes as fields of an entry.

#include "wire.hpp"

#include <algorithm>
#include <stdexcept>
#include <string_view>

namespace cluster {
namespace {

std::string number_text(std::int64_t number) {
  return std::to_string(number);
}

}  // namespace

void make_group(Redis& redis) {
  try {
    redis.command({"XGROUP", "CREATE", kJobs, kGroup, "0", "MKSTREAM"});
  } catch (const RedisError& error) {
    if (!std::string_view(error.what()).starts_with("BUSYGROUP")) {  // it is there
      throw;
    }
  }
}

Command result_command(const std::string& job, const catalog::Outcome& outcome) {
  return {"XADD",
          kResults,
          "*",
          kJob,
          job,
          "fate",
          number_text(static_cast<int>(outcome.fate)),
          "error",
          number_text(outcome.error),
          "size",
          number_text(outcome.stamp.size),
          "modified",
          number_text(outcome.stamp.modified_ns),
          "changed",
          number_text(outcome.stamp.changed_ns),
          "device",
          std::to_string(outcome.stamp.device),
          "inode",
          std::to_string(outcome.stamp.inode),
          "sha256",
          std::string(outcome.digest.begin(), outcome.digest.end())};
}

catalog::Outcome outcome_of(const Entry& result) {
  try {
    const auto& fields = result.fields;
    catalog::Outcome outcome;
    outcome.fate = static_cast<catalog::Fate>(std::stoi(fields.at("fate")));
    outcome.error = std::stoi(fields.at("error"));
    outcome.stamp = {.size = std::stoll(fields.at("size")),
                     .modified_ns = std::stoll(fields.at("modified")),
                     .changed_ns = std::stoll(fields.at("changed")),
                     .device = std::stoull(fields.at("device")),
                     .inode = std::stoull(fields.at("inode"))};
    const std::string& digest = fields.at("sha256");
    if (digest.size() != outcome.digest.size()) {
      throw std::out_of_range("sha256");
    }
    std::copy(digest.begin(), digest.end(), outcome.digest.begin());
    return outcome;
  } catch (const std::logic_error& error) {
    throw std::runtime_error("the entry " + result.id + " of " + kResults + " is not a result: " + error.what());
  }
}

}  // namespace cluster
