// SPDX-License-Identifier: MIT
//
// From exceptions to statuses.

#include "router.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstdio>
#include <toto/tasks.hpp>
#include <utility>

#include "connection.hpp"

namespace server {
namespace {

std::string name_of(http::verb method) {
  const beast::string_view name = http::to_string(method);
  return {name.data(), name.size()};
}

/// The session has cancelled the handler, and answers itself.
Response late_answer() {
  return error_answer(http::status::gateway_timeout, "answering took too long");
}

Response internal_error(const std::exception& error) {
  std::fprintf(stderr, "server: %s\n", error.what());
  return error_answer(http::status::internal_server_error, error.what());
}

Response answer_to(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const HttpError& error) {
    Response response = error_answer(error.status(), error.what());
    if (error.status() == http::status::unauthorized) {
      response.set(http::field::www_authenticate, "Bearer");
    }
    return response;
  } catch (const toto::QueueFull&) {
    return busy_answer("there is too much to do; try again in a moment");
  } catch (const Overloaded& error) {
    return busy_answer(error.what());
  } catch (const ConnectionLost& error) {
    std::fprintf(stderr, "server: database: %s\n", error.what());
    return busy_answer(error.what());
  } catch (const toto::TaskCancelled&) {
    return late_answer();
  } catch (const boost::system::system_error& error) {
    return error.code() == asio::error::operation_aborted ? late_answer() : internal_error(error);
  } catch (const std::exception& error) {
    return internal_error(error);
  }
}

}  // namespace

void Router::add(http::verb method, const std::string& path, Handler handler) {
  paths_[path].insert({method, Route{std::move(handler), metrics_.add_route(name_of(method) + ' ' + path)}});
}

asio::awaitable<Response> Router::handle(const Request& request) {
  const auto path = paths_.find(path_of(request));
  if (path == paths_.end()) {
    metrics_.count_unknown();
    co_return error_answer(http::status::not_found, "there is nothing here");
  }
  const Methods& methods = path->second;
  const http::verb method = request.method() == http::verb::head ? http::verb::get : request.method();
  if (const auto route = methods.find(method); route != methods.end()) {
    co_return co_await answer(route->second, request);
  }
  metrics_.count_unknown();
  std::string allowed;
  for (const auto& [known, route] : methods) {
    allowed += (allowed.empty() ? "" : ", ") + name_of(known);
  }
  Response response = error_answer(http::status::method_not_allowed, "use " + allowed);
  response.set(http::field::allow, allowed);
  co_return response;
}

asio::awaitable<Response> Router::answer(const Route& route, const Request& request) {
  const auto begin = std::chrono::steady_clock::now();
  std::exception_ptr failure;
  Response response;
  try {
    response = co_await route.handler(request);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    response = answer_to(failure);
  }
  route.metrics.count(response.result_int(), std::chrono::steady_clock::now() - begin);
  co_return response;
}

}  // namespace server
