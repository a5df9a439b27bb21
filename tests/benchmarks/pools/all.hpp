// SPDX-License-Identifier: MIT
//
// The pools that take part: this library, the baseline, and those of the peers that CMake found (TOTO_BENCHMARK_* are
// defined by CMakeLists.txt). Each has a constructor that takes the number of threads, post(f), and submit(f), which
// gives something with get(). Not every destructor runs what is still queued: whoever posts waits.

#ifndef TOTO_BENCHMARKS_POOLS_ALL_HPP
#define TOTO_BENCHMARKS_POOLS_ALL_HPP

#include <cstddef>
#include <type_traits>

#include "baseline_pool.hpp"
#include "toto_pool.hpp"
#if defined(TOTO_BENCHMARK_ASIO)
#include "asio_pool.hpp"
#endif
#if defined(TOTO_BENCHMARK_TBB)
#include "tbb_pool.hpp"
#endif
#if defined(TOTO_BENCHMARK_THREAD_POOL)
#include "thread_pool_package.hpp"
#endif
#if defined(TOTO_BENCHMARK_CONCURRENCPP)
#include "concurrencpp_pool.hpp"
#endif
#if defined(TOTO_BENCHMARK_TOO_MANY_COOKS)
#include "too_many_cooks_pool.hpp"
#endif
#if defined(TOTO_BENCHMARK_BS_THREAD_POOL)
#include "bs_thread_pool.hpp"
#endif
#if defined(TOTO_BENCHMARK_TASKFLOW)
#include "taskflow_pool.hpp"
#endif

namespace benchmark {

/// Calls `visit(std::type_identity<Pool>())` for each of them that can have `threads` threads.
template <class Visitor>
void for_each_pool([[maybe_unused]] std::size_t threads, Visitor visit) {
  visit(std::type_identity<TotoPool>());
  visit(std::type_identity<BaselinePool>());
#if defined(TOTO_BENCHMARK_ASIO)
  visit(std::type_identity<AsioPool>());
#endif
#if defined(TOTO_BENCHMARK_TBB)
  visit(std::type_identity<TbbPool>());
#endif
#if defined(TOTO_BENCHMARK_THREAD_POOL)
  visit(std::type_identity<ThreadPoolPackage>());
#endif
#if defined(TOTO_BENCHMARK_CONCURRENCPP)
  visit(std::type_identity<ConcurrencppPool>());
  if (threads == 1) {
    visit(std::type_identity<ConcurrencppWorker>());
  }
#endif
#if defined(TOTO_BENCHMARK_TOO_MANY_COOKS)
  visit(std::type_identity<TooManyCooksPool>());
  if (threads == 1) {
    visit(std::type_identity<TooManyCooksWorker>());
  }
#endif
#if defined(TOTO_BENCHMARK_BS_THREAD_POOL)
  visit(std::type_identity<BsThreadPool>());
#endif
#if defined(TOTO_BENCHMARK_TASKFLOW)
  visit(std::type_identity<TaskflowPool>());
#endif
}

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_ALL_HPP
