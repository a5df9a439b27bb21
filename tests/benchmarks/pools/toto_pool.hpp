// SPDX-License-Identifier: MIT
//
// This library, as a contender among pools; what the others are measured against it by.

#ifndef TOTO_BENCHMARKS_POOLS_TOTO_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_TOTO_POOL_HPP

#include <cstddef>
#include <toto/tasks.hpp>
#include <utility>

namespace benchmark {

class TotoPool {
 public:
  static constexpr const char* kName = "toto";

  explicit TotoPool(std::size_t threads) : queue_(threads) {}

  template <class F>
  void post(F function) {
    queue_.add_task(std::move(function));
  }
  /// Gives something with get().
  template <class F>
  auto submit(F function) {
    return queue_.yield_task(std::move(function));
  }

 private:
  toto::TaskQueue queue_;
};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_TOTO_POOL_HPP
