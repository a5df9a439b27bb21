// SPDX-License-Identifier: MIT
//
// What the tests of InstancePool share: an instance that notices a second user, and ways to see what a pool does
// without sleeping.

#ifndef TOTO_TESTS_SUPPORT_POOL_PROBE_HPP
#define TOTO_TESTS_SUPPORT_POOL_PROBE_HPP

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "eventually.hpp"
#include "toto/instance_pool.hpp"

namespace toto_tests {

/// The seed's class, word for word, with a guard: nothing in it is synchronised but the guard.
class Counter {
 public:
  Counter() = default;
  explicit Counter(int start) : value_(start) {}

  int increment() {
    const Use use(*this);
    return ++value_;
  }
  int add(int a, int b) {
    const Use use(*this);
    return value_ += a + b;
  }
  void fail() { throw std::runtime_error("the counter failed"); }
  int value() const { return value_; }
  const std::string& name() const { return name_; }
  int& reference() { return value_; }

  /// How often two users were in an instance at the same time.
  static int overlaps() { return overlaps_.load(); }

 private:
  struct Use {
    explicit Use(Counter& counter) : counter_(counter) {
      if (counter_.users_.fetch_add(1, std::memory_order_relaxed) != 0) {
        overlaps_.fetch_add(1);
      }
    }
    ~Use() { counter_.users_.fetch_sub(1, std::memory_order_relaxed); }
    Counter& counter_;
  };
  struct Copied : std::atomic<int> {  // so that a Counter can be copied
    Copied() : std::atomic<int>(0) {}
    Copied(const Copied&) : std::atomic<int>(0) {}
  };

  int value_ = 0;
  std::string name_ = "a counter with a name that is too long for the small string";
  Copied users_;
  static inline std::atomic<int> overlaps_{0};
};

/// Counts its instances that live.
struct Alive {
  explicit Alive(std::atomic<int>& living) : count(&living) { ++*count; }
  Alive(Alive&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
  ~Alive() {
    if (count != nullptr) {
      --*count;
    }
  }
  std::atomic<int>* count;
  int uses = 0;
};

/// True as soon as that many wait for an instance; false after kPatience.
template <class Pool>
bool until_waiting(const Pool& pool, std::size_t count) {
  return eventually([&] { return pool.stats().waiting == count; });
}

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_POOL_PROBE_HPP
