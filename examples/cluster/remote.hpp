// SPDX-License-Identifier: MIT
//
// Remote: hashes files in other processes. To a coroutine, `co_await remote.hash(path)` is what
// `co_await queue.yield_task(hash_file, path, meter)` is in catalog: it continues on its loop when the result is there.

#ifndef CLUSTER_REMOTE_HPP
#define CLUSTER_REMOTE_HPP

#include <coroutine>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <toto/tasks.hpp>

#include "../catalog/hash.hpp"
#include "redis.hpp"

namespace cluster {

/// One thread at a time, that of the loop.
class Remote {
 public:
  /// `queue` needs two threads.
  /// Blocks: until Redis has answered.
  /// Throws: RedisError.
  Remote(const std::string& redis, toto::TaskQueue& queue, toto::EventLoop& loop);

  /// Adds the job, and returns what some worker makes of it, sooner or later: there need not be a worker yet.
  /// Throws: RedisError.
  toto::Task<catalog::Outcome> hash(std::string path);

  /// Receives the results, until stop(). To be spawned on the loop.
  toto::Task<> receive();
  void stop() { stopped_ = true; }

  /// Results of jobs that had one already: of workers that were believed dead and were not.
  std::uint64_t second_results() const noexcept { return second_results_; }

 private:
  /// A job that has no result yet, or whose result has not been fetched.
  struct Expected {
    std::optional<catalog::Outcome> outcome;
    std::coroutine_handle<> waiting;
  };
  /// Awaited once, on the loop. Its coroutine is resumed by the loop.
  struct Arrival {
    Expected& expected;

    bool await_ready() const noexcept { return expected.outcome.has_value(); }
    void await_suspend(std::coroutine_handle<> coroutine) noexcept { expected.waiting = coroutine; }
    catalog::Outcome await_resume() const { return *expected.outcome; }
  };

  void settle(const Entry& result);

  toto::EventLoop& loop_;
  toto::AwaitableInstance<Redis> sender_;
  toto::AwaitableInstance<Redis> receiver_;
  const std::string run_;
  std::uint64_t jobs_ = 0;
  std::uint64_t second_results_ = 0;
  std::map<std::string, Expected> expected_;
  bool stopped_ = false;
};

}  // namespace cluster

#endif  // CLUSTER_REMOTE_HPP
