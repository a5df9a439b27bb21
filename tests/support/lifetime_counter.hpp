// SPDX-License-Identifier: MIT
//
// An object that counts what happens to its kind: how many were made, copied, moved and destroyed, and where the last
// one was destroyed. For captures, arguments, results and exceptions.

#ifndef TOTO_TESTS_SUPPORT_LIFETIME_COUNTER_HPP
#define TOTO_TESTS_SUPPORT_LIFETIME_COUNTER_HPP

#include <atomic>
#include <thread>

namespace toto_tests {

/// What has happened to all Counted objects that refer to this. Thread-safe.
struct Lifetimes {
  std::atomic<int> made{0};  // in any way: also by copying and moving
  std::atomic<int> copied{0};
  std::atomic<int> moved{0};
  std::atomic<int> destroyed{0};
  std::atomic<std::thread::id> last_destroyed_on{};

  int alive() const { return made - destroyed; }
};

/// Refers to its counters, which outlive it.
class Counted {
 public:
  explicit Counted(Lifetimes& lifetimes) noexcept : lifetimes_(&lifetimes) { ++lifetimes_->made; }
  Counted(const Counted& other) noexcept : lifetimes_(other.lifetimes_) {
    ++lifetimes_->made;
    ++lifetimes_->copied;
  }
  Counted(Counted&& other) noexcept : lifetimes_(other.lifetimes_) {
    ++lifetimes_->made;
    ++lifetimes_->moved;
  }
  Counted& operator=(const Counted& other) noexcept {
    ++other.lifetimes_->copied;
    return *this;
  }
  Counted& operator=(Counted&& other) noexcept {
    ++other.lifetimes_->moved;
    return *this;
  }
  ~Counted() {
    lifetimes_->last_destroyed_on = std::this_thread::get_id();
    ++lifetimes_->destroyed;
  }

  Lifetimes& lifetimes() const noexcept { return *lifetimes_; }

 private:
  Lifetimes* lifetimes_;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_LIFETIME_COUNTER_HPP
