// SPDX-License-Identifier: MIT
//
// TraceOptions: how a TraceWriter is set up. Part of <toto/trace.hpp>.

#ifndef TOTO_TRACE_OPTIONS_HPP
#define TOTO_TRACE_OPTIONS_HPP

#include <chrono>
#include <cstddef>
#include <type_traits>

#include "duration.hpp"
#include "options.hpp"

namespace toto::inline v0_1 {

/// How a TraceWriter is set up.
struct TraceOptions {
  /// How many bytes of events to keep in memory before writing them. When the limit is reached, the thread that
  /// recorded the last event writes them all, and its task waits meanwhile. 0: after about 250 events of a thread.
  std::size_t buffer = std::size_t{64} << 20;
  /// The timer thread writes the recorded events at least this often, so the trace of a program that was killed or that
  /// hangs lacks no more than that. Must be positive. Duration::never(): only when the buffer is full.
  Duration flush_every = std::chrono::seconds(1);
};
static_assert(std::is_trivially_destructible_v<TraceOptions>);

namespace detail {

/// Throws: std::invalid_argument.
inline const TraceOptions& checked(const TraceOptions& options) {
  check_duration(options.flush_every, "flush_every");
  if (options.flush_every == Duration()) {
    refuse_argument({"toto: flush_every is 0; it must be positive, or Duration::never()"});
  }
  return options;
}

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_TRACE_OPTIONS_HPP
