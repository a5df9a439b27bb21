// SPDX-License-Identifier: MIT
//
// concurrencpp: its thread_pool_executor, and its worker_thread_executor, which has one thread and no work stealing;
// both take part under their own names. The pool's threads sleep in a semaphore with a timeout; that of libstdc++ 12
// looks again after pauses that grow to 64 ms, which shows in hand-over, wake-up and idle.

#ifndef TOTO_BENCHMARKS_POOLS_CONCURRENCPP_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_CONCURRENCPP_POOL_HPP

#include <concurrencpp/concurrencpp.h>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace benchmark {

template <class Executor>
class ConcurrencppExecutor {
 public:
  static constexpr bool kOneThread = std::is_same_v<Executor, concurrencpp::worker_thread_executor>;
  static constexpr const char* kName = kOneThread ? "concurrencpp worker" : "concurrencpp";

  explicit ConcurrencppExecutor(std::size_t threads) : runtime_(options(threads)) {
    if constexpr (kOneThread) {
      executor_ = runtime_.make_worker_thread_executor();
    } else {
      executor_ = runtime_.thread_pool_executor();
    }
  }

  template <class F>
  void post(F function) {
    executor_->post(std::move(function));
  }
  template <class F>
  auto submit(F function) {
    return executor_->submit(std::move(function));
  }
  Executor& executor() { return *executor_; }

 private:
  static concurrencpp::runtime_options options(std::size_t threads) {
    concurrencpp::runtime_options result;
    result.max_cpu_threads = threads;
    return result;
  }

  concurrencpp::runtime runtime_;  // its executors start no thread before they have a task
  std::shared_ptr<Executor> executor_;
};

using ConcurrencppPool = ConcurrencppExecutor<concurrencpp::thread_pool_executor>;
using ConcurrencppWorker = ConcurrencppExecutor<concurrencpp::worker_thread_executor>;

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_CONCURRENCPP_POOL_HPP
