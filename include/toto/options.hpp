// SPDX-License-Identifier: MIT
//
// How a queue is set up. Options are aggregates of trivially destructible members, so that a temporary of them is safe
// inside a co_await expression on GCC 12 (see docs/guide.md, "GCC 12 and temporaries").

#ifndef TOTO_OPTIONS_HPP
#define TOTO_OPTIONS_HPP

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "duration.hpp"

namespace toto::inline v0 {

/// What close() does with tasks that are queued and have not begun.
enum class Pending {
  run,     ///< run them all
  cancel,  ///< complete them with TaskCancelled
};

/// What a TaskQueue is made of: `TaskQueue queue({.thread_count = 4, .name = "db"});`
struct QueueOptions {
  /// The most tasks that run at a time, 1 to 1,000,000. No thread is started before it is needed.
  std::size_t thread_count = 1;
  /// A thread without work for this long ends. 0: at once. Duration::never(): not at all.
  Duration idle_timeout = std::chrono::seconds(60);
  /// Not empty. Copied by the queue's constructor.
  std::string_view name = "TaskQueue";
};
static_assert(std::is_trivially_destructible_v<QueueOptions>);

namespace detail {

inline constexpr std::size_t kMostThreads = 1'000'000;

inline void check_duration(Duration value, const char* parameter) {
  if (value.is_nan()) {
    throw std::invalid_argument(std::string("toto: ") + parameter + " is NaN; give a length of time of 0 or more");
  }
  if (value.is_negative()) {
    throw std::invalid_argument(std::string("toto: ") + parameter + " is negative (" +
                                std::to_string(value.nanoseconds().count()) +
                                " ns); give a length of time of 0 or more");
  }
}

inline void check_name(std::string_view value, const char* parameter) {
  if (value.empty()) {
    throw std::invalid_argument(std::string("toto: ") + parameter + " is empty (\"\"); give the queue a name");
  }
}

inline void check_options(const QueueOptions& options) {
  if (options.thread_count == 0 || options.thread_count > kMostThreads) {
    throw std::invalid_argument("toto: thread_count is " + std::to_string(options.thread_count) +
                                "; give a number from 1 to " + std::to_string(kMostThreads));
  }
  check_duration(options.idle_timeout, "idle_timeout");
  check_name(options.name, "name");
}

}  // namespace detail
}  // namespace toto::inline v0

#endif  // TOTO_OPTIONS_HPP
