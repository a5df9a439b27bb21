// SPDX-License-Identifier: MIT
//
// Reads requests, has them answered, writes responses, and takes clients as they are.

#include "session.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "await.hpp"

namespace server {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kBlock = 8 * 1024;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// Adds one while it lives.
class Counted {
 public:
  explicit Counted(std::uint64_t& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::uint64_t& count_;
};

/// What to say of a request that could not be read; empty: nothing, the client has gone.
std::optional<Response> answer_to(beast::error_code error) {
  if (error == http::error::body_limit) {
    return error_answer(http::status::payload_too_large, "the body is too large");
  }
  if (error == http::error::header_limit) {
    return error_answer(http::status::request_header_fields_too_large, "the header is too large");
  }
  if (error == http::error::end_of_stream || error.category() != make_error_code(http::error::bad_method).category()) {
    return std::nullopt;
  }
  return error_answer(http::status::bad_request, "this is not HTTP: " + error.message());
}

}  // namespace

Session::Session(tcp::socket socket, const Limits& limits, const Handler& handler, Traffic& traffic)
    : socket_(std::move(socket)),
      limits_(limits),
      handler_(handler),
      traffic_(traffic),
      buffer_(limits.header_bytes + kBlock) {}

asio::awaitable<void> Session::run() {
  // GCC 12 does not wait in the condition of such a loop (docs/how-to/gcc-12.md).
  for (;;) {
    const bool begun = co_await wait_for_request();
    if (!begun) {
      co_return;
    }
    const bool open = co_await serve_request();
    if (!open) {
      break;
    }
  }
  co_await take_leave();
}

void Session::close() {
  beast::error_code ignored;
  socket_.cancel(ignored);
}

asio::awaitable<bool> Session::wait_for_request() {
  if (buffer_.size() > 0) {
    co_return true;  // sent along with the one before
  }
  idle_ = true;
  const auto read = co_await within(limits_.idle, socket_.async_read_some(buffer_.prepare(kBlock), kAwait));
  idle_ = false;
  if (!read || std::get<0>(*read)) {
    co_return false;
  }
  buffer_.commit(std::get<1>(*read));
  co_return true;
}

/// False: this was the last one.
asio::awaitable<bool> Session::serve_request() {
  const Counted in_progress(traffic_.in_progress);
  Parser parser;
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(limits_.body_bytes);
  const std::optional<beast::error_code> error = co_await within(limits_.reading, read(parser));
  if (!error) {
    ++traffic_.timed_out;
    Response late = error_answer(http::status::request_timeout, "the request took too long to arrive");
    co_return co_await write(std::move(late), false);
  }
  if (*error) {
    std::optional<Response> refusal = answer_to(*error);
    if (!refusal) {
      co_return false;
    }
    ++traffic_.malformed;
    co_return co_await write(std::move(*refusal), false);
  }
  const Request& request = parser.get();
  Response response = co_await answer(request);
  response.version(request.version());
  response.prepare_payload();
  if (request.method() == http::verb::head) {
    response.body().clear();  // the length stays in the header
  }
  co_return co_await write(std::move(response), request.keep_alive());
}

asio::awaitable<beast::error_code> Session::read(Parser& parser) {
  if (const auto [error, size] = co_await http::async_read_header(socket_, buffer_, parser, kAwait); error) {
    co_return error;
  }
  if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
    if (const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(kContinue), kAwait); error) {
      co_return error;
    }
  }
  co_return std::get<0>(co_await http::async_read(socket_, buffer_, parser, kAwait));
}

asio::awaitable<Response> Session::answer(const Request& request) {
  std::optional<Response> response = co_await within(limits_.answering, handler_(request));
  if (response) {
    co_return std::move(*response);
  }
  co_return error_answer(http::status::gateway_timeout, "answering took too long");
}

asio::awaitable<bool> Session::write(Response response, bool keep_alive) {
  keep_alive = keep_alive && !traffic_.stopping;
  response.keep_alive(keep_alive);
  if (!response.has_content_length()) {
    response.prepare_payload();
  }
  const auto written = co_await within(limits_.writing, http::async_write(socket_, response, kAwait));
  if (!written) {
    ++traffic_.timed_out;  // a client that does not read
    beast::error_code ignored;
    socket_.close(ignored);
  }
  co_return keep_alive&& written && !std::get<0>(*written);
}

/// A socket that is closed with something unread in it takes back what was written. So reads what still comes, for a
/// while.
asio::awaitable<void> Session::take_leave() {
  beast::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  co_await within(limits_.closing, discard());
}

asio::awaitable<std::size_t> Session::discard() {
  std::size_t discarded = 0;
  for (;;) {
    buffer_.clear();
    const auto [error, size] = co_await socket_.async_read_some(buffer_.prepare(kBlock), kAwait);
    if (error) {
      co_return discarded;
    }
    discarded += size;
  }
}

}  // namespace server
