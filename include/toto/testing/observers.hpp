// SPDX-License-Identifier: MIT
//
// Observers: invariants of the scenario that are checked after every operation. Read next: scheduler.hpp.

#ifndef TOTO_TESTING_OBSERVERS_HPP
#define TOTO_TESTING_OBSERVERS_HPP

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "../version.hpp"

namespace toto::inline v0_1::testing::detail {

class Observers {
 public:
  /// Returns what remove() wants. Unless `always`, the check is left out while any thread holds a mutex.
  std::size_t add(std::function<void()> function, bool always) {
    observers_.push_back({++last_, std::move(function), always});
    return last_;
  }
  void remove(std::size_t observer) noexcept {
    std::erase_if(observers_, [&](const Observer& one) { return one.id == observer; });
  }
  void clear() noexcept { observers_.clear(); }

  /// Throws: what a check throws; this object must not be used afterwards.
  void look(bool mutex_held) {
    looking_ = true;
    for (const Observer& observer : observers_) {
      if (observer.always || !mutex_held) {
        observer.function();
      }
    }
    looking_ = false;
  }
  bool looking() const noexcept { return looking_; }

 private:
  struct Observer {
    std::size_t id;
    std::function<void()> function;
    bool always;
  };

  std::vector<Observer> observers_;
  std::size_t last_ = 0;
  bool looking_ = false;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_OBSERVERS_HPP
