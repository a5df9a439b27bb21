// SPDX-License-Identifier: MIT
//
// A list that several threads write to, and threads that are joined at the end of their scope.

#ifndef TOTO_TESTS_SUPPORT_RECORD_HPP
#define TOTO_TESTS_SUPPORT_RECORD_HPP

#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace toto_tests {

/// Remembers values in the order in which they were added. Thread-safe.
template <class T>
class Record {
 public:
  void add(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
  }
  std::vector<T> values() const {
    const std::lock_guard lock(mutex_);
    return values_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<T> values_;
};

/// Threads of the test's own. (std::jthread is missing from libc++ before 20.)
class Threads {
 public:
  Threads() = default;
  ~Threads() { join(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  template <class Body>
  void start(Body body) {
    threads_.emplace_back(std::move(body));
  }
  void join() {
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_RECORD_HPP
