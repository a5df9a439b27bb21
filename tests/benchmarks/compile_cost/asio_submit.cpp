// SPDX-License-Identifier: MIT
//
// What it costs to compile a file that posts one task to a thread_pool of Asio.

#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

void submit(asio::thread_pool& pool);

void submit(asio::thread_pool& pool) {
  asio::post(pool, [] {});
}
