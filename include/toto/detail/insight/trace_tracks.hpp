// SPDX-License-Identifier: MIT
//
// TraceTracks: the rows of a trace, one for each thread and its name. Read next: trace_text.hpp, ../../trace.hpp.

#ifndef TOTO_DETAIL_INSIGHT_TRACE_TRACKS_HPP
#define TOTO_DETAIL_INSIGHT_TRACE_TRACKS_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trace_text.hpp"

namespace toto::inline v0_1::detail {

/// One thread at a time. Tracks are numbered from 1.
class TraceTracks {
 public:
  /// Throws: std::bad_alloc; then nothing has changed.
  std::uint32_t make(std::string_view name) {
    tracks_.push_back({detail::json_text(name), false});
    return static_cast<std::uint32_t>(tracks_.size());
  }
  std::uint32_t make_for_thread() { return make("thread " + std::to_string(tracks_.size() + 1)); }
  /// Returns the track of a worker of the same name that has ended, or a new one.
  std::uint32_t make_for_worker(const std::string& name) {
    const auto free = free_.find(name);
    if (free == free_.end()) {
      return make(name);
    }
    const std::uint32_t track = free->second;
    free_.erase(free);
    return track;
  }
  /// A worker has ended; the next one of that name continues there.
  void give_back(std::string name, std::uint32_t track) { free_.emplace(std::move(name), track); }

  /// `json`: the name, as json_text() gives it.
  void rename(std::uint32_t track, std::string json) noexcept { tracks_[track - 1] = {std::move(json), false}; }

  /// Appends the names that are new.
  void write_names(TraceText& text) {
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (!tracks_[i].announced) {
        text.thread_name(static_cast<std::uint32_t>(i + 1), tracks_[i].json);
        tracks_[i].announced = true;
      }
    }
  }

 private:
  struct Track {
    std::string json;
    bool announced = false;
  };

  std::vector<Track> tracks_;
  std::multimap<std::string, std::uint32_t, std::less<>> free_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_INSIGHT_TRACE_TRACKS_HPP
