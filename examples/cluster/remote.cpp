// SPDX-License-Identifier: MIT
//
// One connection adds jobs, another one waits for results, so that neither waits for the other.

#include "remote.hpp"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <utility>

#include "wire.hpp"

namespace cluster {
namespace {

const std::string kWait = "200";  // ms: how soon receive() learns of stop()
const std::string kAtOnce = "500";

std::string new_run() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()) + '.' +
         std::to_string(getpid());
}

/// What an earlier run has left behind is nobody's any more.
std::unique_ptr<Redis> begin(const std::string& address) {
  auto redis = std::make_unique<Redis>(address);
  make_group(*redis);
  redis->transaction({{"XTRIM", kJobs, "MAXLEN", "0"}, {"DEL", kResults}});
  return redis;
}

}  // namespace

Remote::Remote(const std::string& redis, toto::TaskQueue& queue, toto::EventLoop& loop)
    : loop_(loop), sender_(begin(redis), queue), receiver_(std::make_unique<Redis>(redis), queue), run_(new_run()) {}

toto::Task<catalog::Outcome> Remote::hash(std::string path) {
  const std::string job = run_ + ':' + std::to_string(++jobs_);
  Expected& expected = expected_[job];  // before anybody can know of the job
  Command add{"XADD", kJobs, "*", kJob, job, kPath, std::move(path)};
  auto added = sender_(&Redis::command, std::move(add));
  co_await added;
  const catalog::Outcome outcome = co_await Arrival{expected};
  expected_.erase(job);
  co_return outcome;
}

toto::Task<> Remote::receive() {
  std::string last = "0-0";
  while (!stopped_) {
    Command read{"XREAD", "COUNT", kAtOnce, "BLOCK", kWait, "STREAMS", kResults, last};
    auto reading = receiver_(&Redis::command, std::move(read));
    const Reply reply = co_await reading;
    if (reply.items.empty()) {
      continue;  // none came
    }
    for (const Entry& result : entries_of(reply.items[0].items.at(1))) {
      last = result.id;
      settle(result);
    }
    Command trim{"XTRIM", kResults, "MINID", "~", last};
    auto trimming = receiver_(&Redis::command, std::move(trim));
    co_await trimming;
  }
}

void Remote::settle(const Entry& result) {
  const auto job = result.fields.find(kJob);
  const auto found = job == result.fields.end() ? expected_.end() : expected_.find(job->second);
  if (found == expected_.end() || found->second.outcome) {
    ++second_results_;
    return;
  }
  found->second.outcome = outcome_of(result);
  if (const std::coroutine_handle<> waiting = std::exchange(found->second.waiting, {})) {
    loop_.post([waiting] { waiting.resume(); });
  }
}

}  // namespace cluster
