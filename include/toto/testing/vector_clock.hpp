// SPDX-License-Identifier: MIT
//
// VectorClock: what happens before some point of a schedule. Read next: memory_model.hpp.

#ifndef TOTO_TESTING_VECTOR_CLOCK_HPP
#define TOTO_TESTING_VECTOR_CLOCK_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../version.hpp"

namespace toto::inline v0_1::testing::detail {

/// Counts the operations of one thread.
using Epoch = std::uint32_t;

/// An epoch for each thread, by its number; 0 where there is none (Lamport, Fidge and Mattern; as race detectors use
/// them: Flanagan and Freund, "FastTrack", PLDI 2009).
class VectorClock {
 public:
  Epoch of(std::uint32_t thread) const noexcept {
    return thread < kInline ? first_[thread] : thread - kInline < rest_.size() ? rest_[thread - kInline] : 0;
  }
  bool covers(std::uint32_t thread, Epoch epoch) const noexcept { return epoch <= of(thread); }

  void set(std::uint32_t thread, Epoch epoch) {
    if (thread < kInline) {
      first_[thread] = epoch;
      size_ = (std::max)(size_, thread + 1);
      return;
    }
    if (thread - kInline >= rest_.size()) {
      rest_.resize(thread - kInline + 1);
    }
    rest_[thread - kInline] = epoch;
    size_ = kInline + static_cast<std::uint32_t>(rest_.size());
  }

  void join(const VectorClock& other) {
    for (std::uint32_t thread = 0; thread < other.size_; ++thread) {
      if (!covers(thread, other.of(thread))) {
        set(thread, other.of(thread));
      }
    }
  }

  /// Threads from here on have epoch 0.
  std::uint32_t size() const noexcept { return size_; }

  void clear() noexcept {
    first_.fill(0);
    rest_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::uint32_t kInline = 12;  // most schedules have fewer threads

  std::array<Epoch, kInline> first_{};
  std::vector<Epoch> rest_;
  std::uint32_t size_ = 0;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_VECTOR_CLOCK_HPP
