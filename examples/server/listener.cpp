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
#include <cstdint>
#include <exception>
#include <iterator>
#include <string_view>
#include <utility>

#ifdef __linux__
#include <linux/filter.h>
#include <sys/socket.h>
#endif

namespace server {
namespace {

constexpr std::chrono::milliseconds kRetry{100};
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Closing an acceptor resets the connections that it has not accepted yet, of clients that believe to be connected. On
/// Linux, a filter first keeps out all that are still to come: they try again after a second, and are refused then.
/// Elsewhere they are accepted, and get one response each, until the acceptor is closed.
void drop_new_connections([[maybe_unused]] tcp::acceptor& acceptor) {
#ifdef __linux__
  constexpr std::uint32_t kFlags = 13;  // the byte in TCP's header
  constexpr std::uint32_t kSyn = 0x02;
  constexpr std::uint32_t kAll = 0xffffffff;
  sock_filter code[] = {
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, kFlags},
      {BPF_JMP | BPF_JSET | BPF_K, 0, 1, kSyn},
      {BPF_RET | BPF_K, 0, 0, 0},
      {BPF_RET | BPF_K, 0, 0, kAll},
  };
  const sock_fprog filter{static_cast<unsigned short>(std::size(code)), code};
  setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
#endif
}

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
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(asio::as_tuple(asio::use_awaitable));
    if (!error) {
      welcome(std::move(socket));
    } else if (acceptor_.is_open()) {
      // Out of file descriptors or memory: who has connected waits until some are free.
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
  if (!std::exchange(traffic_.stopping, true)) {
    drop_new_connections(acceptor_);
    asio::co_spawn(io_, drain(), asio::detached);
  }
}

/// Until a client learns that it is to close, it may send another request; until this accepts no more, it may have
/// connected.
asio::awaitable<void> Listener::drain() {
  asio::steady_timer timer(io_, limits_.draining);
  co_await timer.async_wait(asio::use_awaitable);
  beast::error_code ignored;
  acceptor_.close(ignored);
  for (Session& session : sessions_) {
    if (session.idle()) {
      session.close();
    }
  }
}

}  // namespace server
