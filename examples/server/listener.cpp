// SPDX-License-Identifier: MIT
//
// The loop that accepts, and the end of it.

#include "listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

namespace server {
namespace {

constexpr std::chrono::milliseconds kRetry{100};
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

}  // namespace

Listener::Listener(asio::io_context& io, const tcp::endpoint& address, const Limits& limits, Handler handler)
    : io_(io),
      limits_(limits),
      handler_(std::move(handler)),
      acceptor_(io, address),
      port_(acceptor_.local_endpoint().port()) {}

void Listener::start() {
  asio::co_spawn(io_, accept(), asio::detached);
}

asio::awaitable<void> Listener::accept() {
  while (!traffic_.stopping) {
    auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
    if (!error) {
      welcome(std::move(socket));
    } else if (!traffic_.stopping) {
      // Out of file descriptors or memory: who has connected waits until there are some.
      asio::steady_timer timer(io_, kRetry);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
}

void Listener::welcome(tcp::socket socket) {
  beast::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  if (sessions_.size() >= limits_.connections) {
    socket.non_blocking(true, ignored);
    asio::write(socket, asio::buffer(kFull), ignored);
    return;
  }
  const auto session = sessions_.emplace(sessions_.end(), std::move(socket), limits_, handler_, traffic_);
  asio::co_spawn(io_, session->run(), [this, session](std::exception_ptr) { sessions_.erase(session); });
}

void Listener::stop() {
  if (std::exchange(traffic_.stopping, true)) {
    return;
  }
  // Closing the acceptor would reset the connections that have not been accepted yet.
  beast::error_code error;
  acceptor_.non_blocking(true, error);
  for (;;) {
    tcp::socket socket = acceptor_.accept(error);
    if (error) {
      break;
    }
    welcome(std::move(socket));
  }
  acceptor_.close(error);
  asio::co_spawn(io_, send_idle_ones_away(), asio::detached);
}

asio::awaitable<void> Listener::send_idle_ones_away() {
  // Until the client learns that it is to close, it may send another request.
  asio::steady_timer timer(io_, limits_.draining);
  co_await timer.async_wait(asio::use_awaitable);
  for (Session& session : sessions_) {
    if (session.idle()) {
      session.close();
    }
  }
}

}  // namespace server
