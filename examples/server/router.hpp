// SPDX-License-Identifier: MIT
//
// Router: finds the handler of a request, and makes a response of whatever it throws. What each exception means to a
// client is decided here and nowhere else.

#ifndef SERVER_ROUTER_HPP
#define SERVER_ROUTER_HPP

#include <exception>
#include <map>
#include <string>

#include "http.hpp"
#include "metrics.hpp"

namespace server {

/// One thread at a time.
class Router {
 public:
  explicit Router(Metrics& metrics) : metrics_(metrics) {}

  void add(http::verb method, const std::string& path, Handler handler);

  /// Never throws but for want of memory.
  asio::awaitable<Response> handle(const Request& request);

 private:
  struct Route {
    Handler handler;
    RouteMetrics& metrics;
  };
  using Methods = std::map<http::verb, Route>;

  asio::awaitable<Response> answer(const Route& route, const Request& request);

  Metrics& metrics_;
  std::map<std::string, Methods, std::less<>> paths_;
};

}  // namespace server

#endif  // SERVER_ROUTER_HPP
