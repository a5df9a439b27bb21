// SPDX-License-Identifier: MIT
//
// The pool of Debian's libthread-pool-dev: one queue a thread, and a std::future for each task.

#ifndef TOTO_BENCHMARKS_POOLS_THREAD_POOL_PACKAGE_HPP
#define TOTO_BENCHMARKS_POOLS_THREAD_POOL_PACKAGE_HPP

#include <cstddef>
#include <thread_pool/thread_pool.hpp>
#include <utility>

namespace benchmark {

class ThreadPoolPackage {
 public:
  static constexpr const char* kName = "libthread-pool";

  explicit ThreadPoolPackage(std::size_t threads) : pool_(threads) {}

  template <class F>
  void post(F function) {
    static_cast<void>(pool_.Submit(std::move(function)));
  }
  template <class F>
  auto submit(F function) {
    return pool_.Submit(std::move(function));
  }

 private:
  thread_pool::ThreadPool pool_;
};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_THREAD_POOL_PACKAGE_HPP
