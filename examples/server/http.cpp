// SPDX-License-Identifier: MIT
//
// From JSON to HTTP and back.

#include "http.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

namespace server {
namespace {

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

Response text_answer(http::status status, std::string_view type, std::string text) {
  Response response;
  response.result(status);
  response.set(http::field::content_type, beast::string_view(type.data(), type.size()));
  response.set(http::field::cache_control, "no-store");
  response.body() = std::move(text);
  return response;
}

Response json_answer(http::status status, const json::object& content) {
  return text_answer(status, "application/json", json::serialize(content) + '\n');
}

Response error_answer(http::status status, std::string_view text) {
  return json_answer(status, {{"error", json::string_view(text.data(), text.size())}});
}

Response busy_answer(std::string_view text) {
  Response response = error_answer(http::status::service_unavailable, text);
  response.set(http::field::retry_after, "1");
  return response;
}

json::object json_body(const Request& request) {
  if (!view(request[http::field::content_type]).starts_with("application/json")) {
    throw HttpError(http::status::unsupported_media_type, "send JSON, with Content-Type: application/json");
  }
  json::error_code error;
  json::value body = json::parse(request.body(), error);
  if (error || !body.is_object()) {
    throw HttpError(http::status::bad_request, "the body is not a JSON object");
  }
  return std::move(body.get_object());
}

std::string text_in(const json::object& body, std::string_view name, std::size_t shortest, std::size_t longest) {
  const json::value* const value = body.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string() || value->get_string().size() < shortest ||
      value->get_string().size() > longest || value->get_string().find('\0') != json::string::npos) {
    throw HttpError(http::status::unprocessable_entity, '"' + std::string(name) + "\" has to be a text of " +
                                                            std::to_string(shortest) + " to " +
                                                            std::to_string(longest) + " bytes");
  }
  return {value->get_string().data(), value->get_string().size()};
}

std::string_view path_of(const Request& request) {
  const std::string_view target = view(request.target());
  return target.substr(0, target.find('?'));
}

std::string bearer_token(const Request& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = view(request[http::field::authorization]);
  if (!given.starts_with(kScheme)) {
    throw HttpError(http::status::unauthorized, "sign in with POST /sessions, and send Authorization: Bearer TOKEN");
  }
  return std::string(given.substr(kScheme.size()));
}

}  // namespace server
