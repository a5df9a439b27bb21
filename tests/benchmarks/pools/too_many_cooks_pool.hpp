// SPDX-License-Identifier: MIT
//
// TooManyCooks, as its headers come: without hwloc. Its ex_cpu, and its ex_cpu_st, which has one thread and no work
// stealing; both take part under their own names.

#ifndef TOTO_BENCHMARKS_POOLS_TOO_MANY_COOKS_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_TOO_MANY_COOKS_POOL_HPP

#include <cstddef>
#include <tmc/ex_cpu.hpp>
#include <tmc/ex_cpu_st.hpp>
#include <tmc/spawn.hpp>
#include <tmc/sync.hpp>
#include <tmc/task.hpp>
#include <type_traits>
#include <utility>

namespace benchmark {

template <class Executor>
class TooManyCooksExecutor {
 public:
  static constexpr bool kOneThread = std::is_same_v<Executor, tmc::ex_cpu_st>;
  static constexpr const char* kName = kOneThread ? "TooManyCooks st" : "TooManyCooks";

  explicit TooManyCooksExecutor([[maybe_unused]] std::size_t threads) {
    if constexpr (!kOneThread) {
      executor_.set_thread_count(threads);
    }
    executor_.init();
  }

  template <class F>
  void post(F function) {
    tmc::post(executor_, std::move(function));
  }
  template <class F>
  auto submit(F function) {
    return tmc::post_waitable(executor_, std::move(function));
  }
  Executor& executor() { return executor_; }

 private:
  Executor executor_;
};

using TooManyCooksPool = TooManyCooksExecutor<tmc::ex_cpu>;
using TooManyCooksWorker = TooManyCooksExecutor<tmc::ex_cpu_st>;

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_TOO_MANY_COOKS_POOL_HPP
