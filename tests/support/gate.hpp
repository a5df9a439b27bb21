// SPDX-License-Identifier: MIT
//
// How the tests make threads wait for each other: a gate that opens once, arrivals that are counted, a meeting of
// several. Every wait gives up after kPatience, so that a bug shows as a failed assertion rather than as a hang.

#ifndef TOTO_TESTS_SUPPORT_GATE_HPP
#define TOTO_TESTS_SUPPORT_GATE_HPP

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace toto_tests {

/// Much longer than anything that works takes, on a loaded machine and instrumented.
inline constexpr std::chrono::seconds kPatience{10};

/// Things that arrive and are waited for. Thread-safe; may be destroyed while threads are in arrive() or wait_for().
/// Copies are one and the same.
class Arrivals {
 public:
  void arrive() {
    const auto state = state_;
    const std::lock_guard lock(state->mutex);
    ++state->count;
    state->changed.notify_all();
  }

  /// True as soon as `count` have arrived; false after kPatience.
  bool wait_for(int count) {
    const auto state = state_;
    std::unique_lock lock(state->mutex);
    return state->changed.wait_for(lock, kPatience, [&] { return state->count >= count; });
  }

  int count() const {
    const std::lock_guard lock(state_->mutex);
    return state_->count;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    int count = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// Opens once; any number of threads wait for it. Thread-safe. Declare it before the queue whose tasks wait for it: it
/// has to be there until they do.
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
    Arrivals arrived = arrived_;  // *this may be gone as soon as the last one has come
    const int parties = parties_;
    arrived.arrive();
    return arrived.wait_for(parties);
  }

 private:
  const int parties_;
  Arrivals arrived_;
};

}  // namespace toto_tests

#endif  // TOTO_TESTS_SUPPORT_GATE_HPP
