// SPDX-License-Identifier: MIT
//
// How often the process has called operator new, which allocation_count.cpp replaces.

#ifndef TOTO_BENCHMARKS_COUNTS_ALLOCATION_COUNT_HPP
#define TOTO_BENCHMARKS_COUNTS_ALLOCATION_COUNT_HPP

#include <atomic>
#include <cstdint>

namespace benchmark {

inline std::atomic<std::uint64_t> allocations{0};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_COUNTS_ALLOCATION_COUNT_HPP
