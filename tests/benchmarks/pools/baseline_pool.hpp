// SPDX-License-Identifier: MIT
//
// The baseline: the pool that people write by hand, one mutex, one condition variable, a deque of std::function, and
// std::future for results.

#ifndef TOTO_BENCHMARKS_POOLS_BASELINE_POOL_HPP
#define TOTO_BENCHMARKS_POOLS_BASELINE_POOL_HPP

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace benchmark {

class BaselinePool {
 public:
  static constexpr const char* kName = "baseline";

  explicit BaselinePool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this] { work(); });
    }
  }
  BaselinePool(const BaselinePool&) = delete;
  BaselinePool& operator=(const BaselinePool&) = delete;
  ~BaselinePool() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    added_.notify_all();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

  template <class F>
  void post(F function) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.emplace_back(std::move(function));
    }
    added_.notify_one();
  }

  template <class F>
  auto submit(F function) {
    using Result = decltype(function());
    auto task = std::make_shared<std::packaged_task<Result()>>(std::move(function));
    auto future = task->get_future();
    post([task] { (*task)(); });
    return future;
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      added_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
      if (tasks_.empty()) {
        return;
      }
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable added_;
  std::deque<std::function<void()>> tasks_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_POOLS_BASELINE_POOL_HPP
