// SPDX-License-Identifier: MIT
//
// Listener: accepts connections and keeps their sessions. stop() ends it without losing a request that was accepted.
// Read session.hpp for a single connection.

#ifndef SERVER_LISTENER_HPP
#define SERVER_LISTENER_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <list>

#include "http.hpp"
#include "session.hpp"

namespace server {

/// One thread at a time, that of the context.
class Listener {
 public:
  /// Begins to listen, so that nobody is refused from here on; accepts with start().
  /// Throws: boost::system::system_error if the address cannot be used.
  Listener(asio::io_context& io, const tcp::endpoint& address, const Limits& limits, Handler handler);

  /// From here on the context has work, until stop() was called and the last session has ended.
  void start();

  /// From here on, connections end with their next response; those that wait for no response after Limits::draining.
  /// Clients that have connected before are served. May be repeated.
  void stop();

  unsigned short port() const { return port_; }
  const Traffic& traffic() const noexcept { return traffic_; }
  std::size_t connections() const noexcept { return sessions_.size(); }

 private:
  asio::awaitable<void> accept();
  void welcome(tcp::socket socket);
  asio::awaitable<void> drain();

  asio::io_context& io_;
  const Limits limits_;
  const Handler handler_;
  tcp::acceptor acceptor_;
  const unsigned short port_;
  Traffic traffic_;
  std::list<Session> sessions_;
};

}  // namespace server

#endif  // SERVER_LISTENER_HPP
