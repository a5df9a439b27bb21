// SPDX-License-Identifier: MIT
//
// What it costs to compile a file that has a coroutine which awaits one that runs on a thread_pool of Asio.

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>

asio::awaitable<int> sum(asio::thread_pool& pool, int a, int b);

asio::awaitable<int> sum(asio::thread_pool& pool, int a, int b) {
  co_return co_await asio::co_spawn(pool, [a, b]() -> asio::awaitable<int> { co_return a + b; }, asio::use_awaitable);
}
