// SPDX-License-Identifier: MIT
//
// oneTBB: an arena whose slots are all for its own threads, so that whoever waits does not run tasks in their place.
// Debian: libtbb-dev.

#ifndef TOTO_BENCHMARKS_POOLS_TBB_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_TBB_POOL_HPP

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <cstddef>
#include <memory>
#include <utility>

namespace benchmark {

class TbbPool {
 public:
  static constexpr const char* kName = "oneTBB";

  explicit TbbPool(std::size_t threads)
      : limit_(tbb::global_control::max_allowed_parallelism, threads + 1), arena_(static_cast<int>(threads), 0) {}

  template <class F>
  void post(F function) {
    arena_.enqueue(std::move(function));
  }

  /// The result of one task, which the caller waits for in a task_group.
  template <class T>
  class Result {
   public:
    T get() {
      group_->wait();
      return *value_;
    }

   private:
    friend TbbPool;
    std::unique_ptr<tbb::task_group> group_ = std::make_unique<tbb::task_group>();
    std::unique_ptr<T> value_ = std::make_unique<T>();
  };

  template <class F>
  auto submit(F function) {
    Result<decltype(function())> result;
    arena_.enqueue(
        result.group_->defer([function = std::move(function), value = result.value_.get()] { *value = function(); }));
    return result;
  }

 private:
  tbb::global_control limit_;
  tbb::task_arena arena_;
};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_TBB_POOL_HPP
