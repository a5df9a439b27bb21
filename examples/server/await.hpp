// SPDX-License-Identifier: MIT
//
// Two ways of waiting in the coroutines of Asio: for a function that runs on a queue, and for anything, but not longer
// than a limit.

#ifndef SERVER_AWAIT_HPP
#define SERVER_AWAIT_HPP

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>
#include <utility>
#include <variant>

namespace server {

namespace asio = boost::asio;

/// Calls `fn(args...)` on a thread of the queue; the loop serves others meanwhile. Takes copies: nothing that dies
/// before the call ends is referred to.
/// Throws: what `fn` throws; toto::QueueFull if the queue is bounded, rejects, and has no room.
template <class F, class... Args>
asio::awaitable<std::invoke_result_t<F, Args...>> run_on(toto::TaskQueue& queue, F fn, Args... args) {
  auto handle = queue.yield_task(std::move(fn), std::move(args)...);
  co_return co_await toto::async_get(handle, asio::use_awaitable);
}

/// Waits for the operation, and cancels it when the time is up. Empty: it was cancelled, and has ended. The operation
/// must not throw, or the limit would be waited for: use asio::as_tuple.
template <class T>
asio::awaitable<std::optional<T>> within(std::chrono::nanoseconds limit, asio::awaitable<T> operation) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, limit);
  std::variant<T, std::monostate> first = co_await (std::move(operation) || timer.async_wait(asio::use_awaitable));
  if (T* const result = std::get_if<0>(&first)) {
    co_return std::move(*result);
  }
  co_return std::nullopt;
}

}  // namespace server

#endif  // SERVER_AWAIT_HPP
