// SPDX-License-Identifier: MIT
//
// What it costs to compile a program that makes a thread_pool of Asio, and posts one task to it.

#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

int main() {
  asio::thread_pool pool(1);
  asio::post(pool, [] {});
  pool.join();
}
