// SPDX-License-Identifier: MIT
//
// Counting.

#include "metrics.hpp"

#include <algorithm>
#include <numeric>

namespace server {
namespace {

constexpr unsigned kRefused = 503;

}  // namespace

void Histogram::add(double seconds) {
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++counts_[static_cast<std::size_t>(bucket - kBounds.begin())];
  ++count_;
  sum_ += seconds;
}

std::uint64_t Histogram::up_to(std::size_t index) const {
  return std::accumulate(counts_.begin(), counts_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::uint64_t{0});
}

double Histogram::quantile(double share) const {
  const double wanted = share * static_cast<double>(count_);
  double below = 0;
  double lower = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    const double here = static_cast<double>(counts_[i]);
    if (here > 0 && below + here >= wanted) {
      return lower + (kBounds[i] - lower) * (wanted - below) / here;
    }
    below += here;
    lower = kBounds[i];
  }
  return count_ == 0 ? 0 : kBounds.back();
}

void RouteMetrics::count(unsigned status, std::chrono::steady_clock::duration time) {
  ++statuses_[status];
  if (status != kRefused) {
    times_.add(std::chrono::duration<double>(time).count());
  }
}

std::uint64_t RouteMetrics::answered() const {
  return times_.count() + refused();
}

std::uint64_t RouteMetrics::of_hundred(unsigned hundred) const {
  std::uint64_t sum = 0;
  for (const auto& [status, count] : statuses_) {
    sum += status / 100 == hundred && status != kRefused ? count : 0;
  }
  return sum;
}

std::uint64_t RouteMetrics::refused() const {
  const auto found = statuses_.find(kRefused);
  return found == statuses_.end() ? 0 : found->second;
}

std::uint64_t Metrics::answered() const {
  return std::accumulate(routes_.begin(), routes_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const RouteMetrics& route) { return sum + route.answered(); });
}

std::uint64_t Metrics::refused() const {
  return std::accumulate(routes_.begin(), routes_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const RouteMetrics& route) { return sum + route.refused(); });
}

}  // namespace server
