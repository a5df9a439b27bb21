// SPDX-License-Identifier: MIT
//
// Taskflow's executor, with asynchronous tasks rather than graphs.

#ifndef TOTO_BENCHMARKS_POOLS_TASKFLOW_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_TASKFLOW_POOL_HPP

#include <cstddef>
#include <taskflow/taskflow.hpp>
#include <utility>

namespace benchmark {

class TaskflowPool {
 public:
  static constexpr const char* kName = "Taskflow";

  explicit TaskflowPool(std::size_t threads) : executor_(threads) {}

  template <class F>
  void post(F function) {
    executor_.silent_async(std::move(function));
  }
  template <class F>
  auto submit(F function) {
    return executor_.async(std::move(function));
  }
  tf::Executor& executor() { return executor_; }

 private:
  tf::Executor executor_;
};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_TASKFLOW_POOL_HPP
