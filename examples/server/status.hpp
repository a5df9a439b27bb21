// SPDX-License-Identifier: MIT
//
// Status: the handlers of / and /metrics, and the memory of the last two minutes that the page draws.

#ifndef SERVER_STATUS_HPP
#define SERVER_STATUS_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <toto/tasks.hpp>

#include "database.hpp"
#include "http.hpp"
#include "listener.hpp"
#include "metrics.hpp"
#include "snapshot.hpp"

namespace server {

/// One thread at a time, that of the context.
class Status {
 public:
  Status(asio::io_context& io, const Listener& listener, const Metrics& metrics, const Database& database,
         const toto::TaskQueue& hashing, std::size_t most_hashes_waiting);

  /// Remembers each second, until stop().
  void start();
  void stop();

  asio::awaitable<Response> page() const;     ///< GET /
  asio::awaitable<Response> metrics() const;  ///< GET /metrics

 private:
  Snapshot take_snapshot() const;
  asio::awaitable<void> remember();

  asio::io_context& io_;
  const Listener& listener_;
  const Metrics& metrics_;
  const Database& database_;
  const toto::TaskQueue& hashing_;
  const std::size_t most_hashes_waiting_;
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  asio::steady_timer timer_;
  std::deque<Sample> history_;
  bool stopped_ = false;
};

}  // namespace server

#endif  // SERVER_STATUS_HPP
