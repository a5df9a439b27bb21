// SPDX-License-Identifier: MIT
//
// SpinBudget: how long it pays off to spin before going to sleep. A thread that is woken right after it has gone to
// sleep has lost time on both; a thread that spins for an event which does not happen wastes a processor.

#ifndef TOTO_DETAIL_GROUND_SPIN_HPP
#define TOTO_DETAIL_GROUND_SPIN_HPP

#include <atomic>

#include "annotations.hpp"

namespace toto::inline v0_1::detail {

/// Adapts to success and failure: after a few failures in a row, hardly allows spinning, but tries again now and then.
/// Thread-safe; threads that share a budget may overwrite each other's updates.
template <class Runtime>
class SpinBudget {
 public:
  /// Spins until `done()` is true, or for as long as it pays off. The caller then reports success or failure.
  template <class Done>
  void spin(Done done) const noexcept {
    if constexpr (Runtime::spins) {
      if (Runtime::processors() > 1) {
        const unsigned failures = failures_.load(std::memory_order_relaxed);  // a hint
        const unsigned most = failures < kPatience || failures % kRetry == 0 ? kMost : kLeast;
        for (unsigned look = 0; look < most && !done(); ++look) {
          Runtime::relax();
        }
      }
    }
  }

  /// Reports that spinning paid off: the event came without sleeping, or soon after.
  void paid(bool so) noexcept {
    if constexpr (Runtime::spins) {
      const unsigned failures = failures_.load(std::memory_order_relaxed);
      if (!so || failures != 0) {
        failures_.store(so ? 0 : failures + 1, std::memory_order_relaxed);
      }
    }
  }

 private:
  static constexpr unsigned kMost = 1024;  // looks: some ten to fifty microseconds
  static constexpr unsigned kLeast = 16;
  static constexpr unsigned kPatience = 4;  // failures in a row until it looks for the shorter time
  static constexpr unsigned kRetry = 16;

  typename Runtime::template Atomic<unsigned> failures_{0};
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_SPIN_HPP
