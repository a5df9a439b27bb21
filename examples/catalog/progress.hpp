// SPDX-License-Identifier: MIT
//
// The progress line: files, bytes, rate, time left. Redrawn in place on stderr if that is a terminal,
// and not drawn otherwise, so that a pipe or a log stays quiet. Messages are written through it, too, so that
// they do not collide with the line. Used from the event loop's thread alone; the workers only add to the meter.

#ifndef CATALOG_PROGRESS_HPP
#define CATALOG_PROGRESS_HPP

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "hash.hpp"

namespace catalog {

class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Whether anyone sees it; if not, the tree need not be counted in advance either.
  bool visible() const noexcept { return visible_; }

  /// What the workers have hashed. Thread-safe.
  Meter& meter() noexcept { return meter_; }

  /// There is more to do. `all_found` ends the counting: from then on the time left is shown.
  void found(std::uint64_t files, std::uint64_t bytes);
  void all_found() { all_found_ = true; }

  /// Files that need not be read.
  void skipped(std::uint64_t files, std::uint64_t bytes);

  void draw();

  /// Erases the line, if there is one.
  void clear();

  /// Writes one line to stderr, terminal or not.
  void message(std::string_view line);

 private:
  using Clock = std::chrono::steady_clock;

  struct Work {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;

    double effort() const noexcept;
  };

  /// A rate that decays: what happened three seconds ago weighs a third of what happens now.
  class Speed {
   public:
    void update(double done, Clock::time_point now);
    double per_second() const noexcept { return per_second_; }

   private:
    Clock::time_point updated_ = Clock::now();
    double done_ = 0;
    double per_second_ = 0;
    bool known_ = false;
  };

  Work done() const;
  std::string line();

  const bool visible_;
  Meter meter_;
  Work found_;
  Work skipped_;
  bool all_found_ = false;
  bool drawn_ = false;
  Speed reading_;   // bytes
  Speed progress_;  // effort
};

}  // namespace catalog

#endif  // CATALOG_PROGRESS_HPP
