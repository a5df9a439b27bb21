// SPDX-License-Identifier: MIT
//
// Asio's thread_pool, with callbacks. Debian: libasio-dev.

#ifndef TOTO_BENCHMARKS_POOLS_ASIO_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_ASIO_POOL_HPP

#include <asio/packaged_task.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <cstddef>
#include <future>
#include <utility>

namespace benchmark {

class AsioPool {
 public:
  static constexpr const char* kName = "Asio";

  explicit AsioPool(std::size_t threads) : pool_(threads) {}
  ~AsioPool() { pool_.join(); }

  template <class F>
  void post(F function) {
    asio::post(pool_, std::move(function));
  }
  template <class F>
  auto submit(F function) {
    return asio::post(pool_, std::packaged_task<decltype(function())()>(std::move(function)));
  }

 private:
  asio::thread_pool pool_;
};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_ASIO_POOL_HPP
