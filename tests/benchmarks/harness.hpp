// SPDX-License-Identifier: MIT
//
// What every benchmark program shares: its settings, a stopwatch, samples on stdout, and contests. A program does one
// round: each contender once, and says so in one line of JSON a sample. run.sh runs many rounds of all programs in
// turn, so that contenders are interleaved and a slow minute of the machine hits all of them; report.py makes medians.

#ifndef TOTO_BENCHMARKS_HARNESS_HPP
#define TOTO_BENCHMARKS_HARNESS_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace benchmark {

/// The command line: `program [--quick] [--round N]`.
class Settings {
 public:
  Settings(int count, char** arguments) {
    for (int i = 1; i < count; ++i) {
      if (std::strcmp(arguments[i], "--quick") == 0) {
        quick_ = true;
      } else if (std::strcmp(arguments[i], "--round") == 0 && i + 1 < count) {
        round_ = std::strtoul(arguments[++i], nullptr, 10);
      } else {
        std::fprintf(stderr, "usage: %s [--quick] [--round N]\n", arguments[0]);
        std::exit(2);
      }
    }
  }

  bool quick() const noexcept { return quick_; }
  /// Says whose turn is first.
  std::size_t round() const noexcept { return round_; }
  /// How often to do something: a tenth with --quick.
  std::size_t amount(std::size_t full) const noexcept { return quick_ ? std::max<std::size_t>(full / 10, 1) : full; }

 private:
  bool quick_ = false;
  std::size_t round_ = 0;
};

class Stopwatch {
 public:
  double nanoseconds() const noexcept {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Time for each of `count` calls of `operation()`, in ns.
template <class Operation>
double time_per_call(std::size_t count, Operation operation) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    operation();
  }
  return watch.nanoseconds() / static_cast<double>(count);
}

/// Makes the compiler believe that `value` is read.
template <class T>
void keep(const T& value) noexcept {
  asm volatile("" : : "g"(&value) : "memory");
}

inline void print_sample(const char* workload, const std::string& variant, const char* contender, double value,
                         const char* unit) {
  std::printf("{\"workload\": \"%s\", \"variant\": \"%s\", \"contender\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n",
              workload, variant.c_str(), contender, value, unit);
  std::fflush(stdout);
}

/// Has the system's malloc put together now what was freed in small pieces. It would do so at the next contender's
/// expense: a hundred milliseconds after a million tasks that were allocated one by one.
inline void tidy_heap() noexcept {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

/// Contenders that do the same, one after another, each on a tidy heap; who is first changes from round to round.
class Contest {
 public:
  Contest(const Settings& settings, const char* workload, std::string variant, const char* unit)
      : settings_(settings), workload_(workload), variant_(std::move(variant)), unit_(unit) {}

  /// `measure()` gives one sample.
  void enter(const char* contender, std::function<double()> measure) {
    entries_.push_back({contender, std::move(measure)});
  }

  void run() const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const Entry& entry = entries_[(i + settings_.round()) % entries_.size()];
      tidy_heap();
      print_sample(workload_, variant_, entry.contender, entry.measure(), unit_);
    }
  }

 private:
  struct Entry {
    const char* contender;
    std::function<double()> measure;
  };

  const Settings& settings_;
  const char* workload_;
  std::string variant_;
  const char* unit_;
  std::vector<Entry> entries_;
};

/// The variant with that many workers, as the tables call it.
inline std::string workers(std::size_t count) {
  return "T" + std::to_string(count);
}

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_HARNESS_HPP
