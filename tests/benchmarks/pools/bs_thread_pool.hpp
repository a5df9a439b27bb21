// SPDX-License-Identifier: MIT
//
// BS::thread_pool, without any of its optional features.

#ifndef TOTO_BENCHMARKS_POOLS_BS_THREAD_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_BS_THREAD_POOL_HPP

#include <BS_thread_pool.hpp>
#include <cstddef>
#include <utility>

namespace benchmark {

class BsThreadPool {
 public:
  static constexpr const char* kName = "BS::thread_pool";

  explicit BsThreadPool(std::size_t threads) : pool_(threads) {}

  template <class F>
  void post(F function) {
    pool_.detach_task(std::move(function));
  }
  template <class F>
  auto submit(F function) {
    return pool_.submit_task(std::move(function));
  }

 private:
  BS::light_thread_pool pool_;
};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_BS_THREAD_POOL_HPP
