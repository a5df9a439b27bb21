// SPDX-License-Identifier: MIT
//
// What it costs to compile a program that posts one task to Asio's thread_pool.

#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

int main() {
  asio::thread_pool pool(1);
  asio::post(pool, [] {});
  pool.join();
}
