// SPDX-License-Identifier: MIT
//
// Session: one connection of a client, from the first byte to the last. It knows nothing of routes: requests go to a
// Handler. Every wait has a limit, so no client can hold a connection for longer than the limits say. Read listener.hpp
// next.

#ifndef SERVER_SESSION_HPP
#define SERVER_SESSION_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "http.hpp"

namespace server {

using asio::ip::tcp;

struct Limits {
  std::uint32_t header_bytes = 8 * 1024;
  std::uint64_t body_bytes = 64 * 1024;
  std::size_t connections = 1000;
  std::chrono::milliseconds idle{30'000};     ///< between two requests
  std::chrono::milliseconds reading{10'000};  ///< from the first byte of a request to the last
  std::chrono::milliseconds answering{10'000};
  std::chrono::milliseconds writing{10'000};  ///< until the client has taken the response
  std::chrono::milliseconds closing{1'000};   ///< for what the client still sends after the last response
  std::chrono::milliseconds draining{1'000};  ///< after stop(): for requests that are on their way
};

/// What sessions have in common.
struct Traffic {
  std::uint64_t in_progress = 0;  ///< requests that are read and not yet answered
  std::uint64_t malformed = 0;    ///< requests that could not be read
  std::uint64_t timed_out = 0;    ///< clients that took too long to send a request or to read a response
  bool stopping = false;          ///< each session ends with its next response
};

/// One thread at a time, that of its socket's executor.
class Session {
 public:
  Session(tcp::socket socket, const Limits& limits, const Handler& handler, Traffic& traffic);

  /// Serves one request after the other until the client or a limit ends the connection.
  asio::awaitable<void> run();

  /// No request is being read or answered.
  bool idle() const noexcept { return idle_; }
  /// Ends a session that is idle.
  void close();

 private:
  using Parser = http::request_parser<http::string_body>;

  asio::awaitable<bool> wait_for_request();
  asio::awaitable<bool> serve_request();
  asio::awaitable<beast::error_code> read(Parser& parser);
  asio::awaitable<Response> answer(const Request& request);
  asio::awaitable<bool> write(Response response, bool keep_alive);
  asio::awaitable<void> take_leave();
  asio::awaitable<std::size_t> discard();

  tcp::socket socket_;
  const Limits& limits_;
  const Handler& handler_;
  Traffic& traffic_;
  beast::flat_buffer buffer_;
  bool idle_ = false;
};

}  // namespace server

#endif  // SERVER_SESSION_HPP
