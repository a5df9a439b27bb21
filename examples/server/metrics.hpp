// SPDX-License-Identifier: MIT
//
// Metrics: how often each route was asked, what it answered, and how long that took. The loop's thread alone uses them,
// hence no lock.

#ifndef SERVER_METRICS_HPP
#define SERVER_METRICS_HPP

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

namespace server {

/// How many durations were at most so long, as Prometheus has it.
class Histogram {
 public:
  /// In seconds; one more bucket has what is longer.
  static constexpr std::array<double, 14> kBounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                                  0.025,  0.05,    0.1,    0.25,  0.5,    1.0,   10.0};

  void add(double seconds);

  std::uint64_t count() const noexcept { return count_; }
  double sum() const noexcept { return sum_; }
  /// Those of at most kBounds[index].
  std::uint64_t up_to(std::size_t index) const;
  /// The duration that a share of them did not exceed, estimated within its bucket; 0 if there is none.
  double quantile(double share) const;

 private:
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

class RouteMetrics {
 public:
  explicit RouteMetrics(std::string name) : name_(std::move(name)) {}

  void count(unsigned status, std::chrono::steady_clock::duration time);

  const std::string& name() const noexcept { return name_; }
  const std::map<unsigned, std::uint64_t>& statuses() const noexcept { return statuses_; }
  /// How long it took to answer, refusals not counted.
  const Histogram& times() const noexcept { return times_; }
  std::uint64_t answered() const;
  /// Responses with a status of 100 * hundred to 100 * hundred + 99; 503 counts as refused, not as one of these.
  std::uint64_t of_hundred(unsigned hundred) const;
  std::uint64_t refused() const;

 private:
  std::string name_;
  std::map<unsigned, std::uint64_t> statuses_;
  Histogram times_;
};

class Metrics {
 public:
  /// The reference stays valid.
  RouteMetrics& add_route(const std::string& name) { return routes_.emplace_back(name); }
  /// A request for which there is no route.
  void count_unknown() { ++unknown_; }

  const std::deque<RouteMetrics>& routes() const noexcept { return routes_; }
  std::uint64_t unknown() const noexcept { return unknown_; }
  /// All requests that were answered by a route, and those of them that were refused.
  std::uint64_t answered() const;
  std::uint64_t refused() const;

 private:
  std::deque<RouteMetrics> routes_;
  std::uint64_t unknown_ = 0;
};

}  // namespace server

#endif  // SERVER_METRICS_HPP
