// SPDX-License-Identifier: MIT
//
// One line on a terminal: carriage return, text cut to the width, erase the rest.

#include "progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "text.hpp"

namespace catalog {
namespace {

std::size_t terminal_width() {
  struct winsize size = {};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : std::size_t{80};
}

}  // namespace

Progress::Progress() : visible_(isatty(STDERR_FILENO) == 1) {}

void Progress::found(std::uint64_t files, std::uint64_t bytes) {
  found_.files += files;
  found_.bytes += bytes;
}

void Progress::skipped(std::uint64_t files, std::uint64_t bytes) {
  skipped_.files += files;
  skipped_.bytes += bytes;
}

void Progress::draw() {
  if (visible_) {
    write(stderr, fmt::format("\r{}\x1b[K", line().substr(0, terminal_width() - 1)));
    drawn_ = true;
  }
}

void Progress::message(std::string_view line) {
  clear();
  write(stderr, fmt::format("{}\n", line));
}

// A file costs time even if it is empty: opening it weighs as much as reading this many bytes.
double Progress::Work::effort() const noexcept {
  constexpr double bytes_per_file = 32 * 1024;
  return static_cast<double>(bytes) + static_cast<double>(files) * bytes_per_file;
}

void Progress::Speed::update(double done, Clock::time_point now) {
  constexpr double memory_seconds = 3;
  const double seconds = std::chrono::duration<double>(now - updated_).count();
  if (seconds <= 0) {
    return;
  }
  const double recent = (done - done_) / seconds;
  const double weight = known_ ? 1 - std::exp(-seconds / memory_seconds) : 1;
  per_second_ += weight * (recent - per_second_);
  updated_ = now;
  done_ = done;
  known_ = true;
}

Progress::Work Progress::done() const {
  return {.files = skipped_.files + meter_.files.load(std::memory_order_relaxed),
          .bytes = skipped_.bytes + meter_.bytes.load(std::memory_order_relaxed)};
}

std::string Progress::line() {
  const Work work = done();
  const auto now = Clock::now();
  reading_.update(static_cast<double>(work.bytes - skipped_.bytes), now);
  progress_.update(work.effort(), now);

  const std::string rate = human_size(static_cast<std::uint64_t>(std::max(0.0, reading_.per_second()))) + "/s";
  if (!all_found_) {
    return fmt::format("{} files  {}  {}  counting", work.files, human_size(work.bytes), rate);
  }
  const double effort_left = std::max(0.0, found_.effort() - work.effort());
  const double seconds_left = effort_left / std::max(1.0, progress_.per_second());
  const std::chrono::seconds left(static_cast<std::int64_t>(std::min(std::ceil(seconds_left), 359'999.0)));
  return fmt::format("{} of {} files  {} of {}  {}  {} left", work.files, std::max(found_.files, work.files),
                     human_size(work.bytes), human_size(std::max(found_.bytes, work.bytes)), rate,
                     human_duration(left));
}

void Progress::clear() {
  if (drawn_) {
    write(stderr, "\r\x1b[K");
    drawn_ = false;
  }
}

}  // namespace catalog
