// SPDX-License-Identifier: MIT
//
// The vocabulary of the handlers: Boost.Beast's messages, Boost.JSON's values, and how one becomes the other. A handler
// is a coroutine from a request to a response; what it throws becomes a response in router.cpp. Read router.hpp next.

#ifndef SERVER_HTTP_HPP
#define SERVER_HTTP_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

/// The request outlives the coroutine.
using Handler = std::function<asio::awaitable<Response>(const Request&)>;

/// The request cannot be answered as it was meant; the client gets this status and this text.
class HttpError : public std::runtime_error {
 public:
  HttpError(http::status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  http::status status() const noexcept { return status_; }

 private:
  http::status status_;
};

/// There is more to do than the server has room for; the client may try again in a moment.
class Overloaded : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

Response text_answer(http::status status, std::string_view type, std::string text);
Response json_answer(http::status status, const json::object& content);

/// {"error": "..."}
Response error_answer(http::status status, std::string_view text);

/// 503, with a Retry-After.
Response busy_answer(std::string_view text);

/// The body of the request.
/// Throws: HttpError: 415 if it is not sent as JSON, 400 if it is not a JSON object.
json::object json_body(const Request& request);

/// A member of the body that has to be a string, of `shortest` to `longest` bytes.
/// Throws: HttpError, 422.
std::string text_in(const json::object& body, std::string_view name, std::size_t shortest, std::size_t longest);

/// The path without the query.
std::string_view path_of(const Request& request);

/// What follows "Authorization: Bearer".
/// Throws: HttpError, 401.
std::string bearer_token(const Request& request);

}  // namespace server

#endif  // SERVER_HTTP_HPP
