// SPDX-License-Identifier: MIT
//
// The pools that take part: this library, the baseline, and those of the peers that were installed when CMake looked
// (TOTO_BENCHMARK_* are defined by CMakeLists.txt). Each has a constructor that takes the number of threads, post(f),
// and submit(f), which gives something with get(). The destructor waits for what was posted, except oneTBB's.

#ifndef TOTO_BENCHMARKS_POOLS_ALL_HPP
#define TOTO_BENCHMARKS_POOLS_ALL_HPP

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

namespace benchmark {

/// Calls `visit(std::type_identity<Pool>())` for each of them.
template <class Visitor>
void for_each_pool(Visitor visit) {
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
}

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_ALL_HPP
