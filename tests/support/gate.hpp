// SPDX-License-Identifier: MIT
//
// How the tests make threads wait for each other: a gate that opens once, arrivals that are counted, a meeting of
// several. Every wait gives up after kPatience, so that a bug shows as a failed assertion rather than as a hang.

#ifndef TOTO_TESTS_SUPPORT_GATE_HPP
#define TOTO_TESTS_SUPPORT_GATE_HPP

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace toto_tests {

/// Much longer than anything that works takes, on a loaded machine and instrumented.
inline constexpr std::chrono::seconds kPatience{10};

/// Things that arrive and are waited for. Thread-safe.
class Arrivals {
 public:
  void arrive() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();  // under the lock: whoever waits may destroy this as soon as it has it
  }

  /// True as soon as `count` have arrived; false after kPatience.
  bool wait_for(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }

  int count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

/// Opens once; any number of threads wait for it. Thread-safe. Declare it before the queue whose tasks wait for it:
/// it has to outlive them.
class Gate {
 public:
  void open() { opened_.arrive(); }
  /// True as soon as it is open; false after kPatience.
  bool wait() { return opened_.wait_for(1); }
  bool is_open() const { return opened_.count() > 0; }

 private:
  Arrivals opened_;
};

/// A number of threads that have to be in one place at the same time. Thread-safe.
class Meeting {
 public:
  explicit Meeting(int parties) : parties_(parties) {}

  /// True if all came; false after kPatience.
  bool arrive_and_wait() {
    arrived_.arrive();
    return arrived_.wait_for(parties_);
  }

 private:
  const int parties_;
  Arrivals arrived_;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_GATE_HPP
