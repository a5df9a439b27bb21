// SPDX-License-Identifier: MIT
//
// Takes snapshots. Queues and pools are asked under their locks, for an instant each.

#include "status.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fstream>
#include <string>
#include <utility>

#include "page.hpp"
#include "prometheus.hpp"

namespace server {
namespace {

constexpr std::chrono::seconds kPeriod{1};
constexpr std::size_t kSamples = 120;

/// What the system says of this process, if it is Linux.
void add_process(Snapshot& snapshot) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmRSS:" && status >> snapshot.resident_bytes) {
      snapshot.resident_bytes *= 1024;  // it is in kB
    } else if (word == "Threads:") {
      status >> snapshot.threads;
    }
  }
}

PoolSnapshot snapshot_of(const std::string& name, const Database::Pool& pool, std::size_t most_waiting) {
  const std::string dump = pool.dump();
  return {.name = name,
          .most_waiting = most_waiting,
          .stats = pool.stats(),
          .holders = dump.substr(dump.find('\n') + 1)};  // the counts of its first line are in stats()
}

}  // namespace

Status::Status(asio::io_context& io, const Listener& listener, const Metrics& metrics, const Database& database,
               const toto::TaskQueue& hashing, std::size_t most_hashes_waiting)
    : io_(io),
      listener_(listener),
      metrics_(metrics),
      database_(database),
      hashing_(hashing),
      most_hashes_waiting_(most_hashes_waiting),
      timer_(io),
      history_(kSamples) {}

void Status::start() {
  asio::co_spawn(io_, remember(), asio::detached);
}

void Status::stop() {
  stopped_ = true;
  timer_.cancel();
}

asio::awaitable<void> Status::remember() {
  std::uint64_t answered = 0;
  std::uint64_t refused = 0;
  while (!stopped_) {
    timer_.expires_after(kPeriod);
    beast::error_code cancelled;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    history_.pop_front();
    history_.push_back({.answered = metrics_.answered() - std::exchange(answered, metrics_.answered()),
                        .refused = metrics_.refused() - std::exchange(refused, metrics_.refused()),
                        .hashes_waiting = hashing_.stats().queued,
                        .queries_waiting = database_.readers().stats().waiting + database_.writers().stats().waiting});
  }
}

asio::awaitable<Response> Status::page() const {
  co_return text_answer(http::status::ok, "text/html; charset=utf-8", page_of(take_snapshot()));
}

asio::awaitable<Response> Status::metrics() const {
  co_return text_answer(http::status::ok, "text/plain; version=0.0.4; charset=utf-8", prometheus_of(take_snapshot()));
}

Snapshot Status::take_snapshot() const {
  const Traffic& traffic = listener_.traffic();
  const toto::TaskQueue& db = database_.queue();
  Snapshot snapshot;
  snapshot.backend = database_.backend().name;
  snapshot.uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - since_);
  add_process(snapshot);
  snapshot.connections = listener_.connections();
  snapshot.in_progress = traffic.in_progress;
  snapshot.malformed = traffic.malformed;
  snapshot.timed_out = traffic.timed_out;
  snapshot.queues.push_back(
      {std::string(hashing_.name()), hashing_.thread_count(), most_hashes_waiting_, hashing_.stats()});
  snapshot.queues.push_back({std::string(db.name()), db.thread_count(), 0, db.stats()});
  snapshot.pools.push_back(snapshot_of("readers", database_.readers(), database_.most_waiting()));
  snapshot.pools.push_back(snapshot_of("writers", database_.writers(), database_.most_waiting()));
  snapshot.metrics = &metrics_;
  snapshot.history = &history_;
  return snapshot;
}

}  // namespace server
