// SPDX-License-Identifier: MIT
//
// What a pool tells of itself: counts, who holds its instances, who waits. Part of PoolCore; include pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_REPORT_HPP
#define TOTO_DETAIL_POOL_REPORT_HPP

#include <cstddef>
#include <string>

#include "pool_core.hpp"
#include "seconds_text.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
PoolStats PoolCore<Runtime>::stats() const {
  const Lock lock(mutex_);
  PoolStats stats;
  stats.capacity = capacity_;
  stats.instances = instances_;
  stats.free = free_.size();
  stats.leased = leased_.size();
  stats.changing = free_.size() + leased_.size() - instances_;
  stats.waiting = waiting_.size();
  stats.leases = leases_;
  stats.made = made_;
  stats.discarded = lost_[static_cast<std::size_t>(Loss::discarded)];
  stats.rejected = lost_[static_cast<std::size_t>(Loss::rejected)];
  stats.retired = lost_[static_cast<std::size_t>(Loss::retired)];
  stats.closed = lost_[static_cast<std::size_t>(Loss::closed)];
  return stats;
}

template <class Runtime>
std::string PoolCore<Runtime>::holders_locked(const char* before_each) const {
  const TimePoint now = Clock::now();
  std::string text;
  std::size_t shown = 0;
  for (const Instance* held = leased_.front(); held != nullptr && shown < kMostShown; ++shown) {
    text += before_each + held->holder.text(now);
    held = held->next;
  }
  if (leased_.size() > shown) {
    text += before_each + std::to_string(leased_.size() - shown) + " more";
  }
  return text;
}

template <class Runtime>
std::string PoolCore<Runtime>::dump() const {
  const Lock lock(mutex_);
  std::string text = "pool (default queue '" + default_name_ + "'): " + std::to_string(instances_) +
                     " instance(s) of at most " + std::to_string(capacity_) + ", " + std::to_string(free_.size()) +
                     " free, " + std::to_string(leased_.size()) + " leased, " + std::to_string(waiting_.size()) +
                     " waiting" + (closed_ ? ", closed" : "") + holders_locked("\n  held: ");
  const TimePoint now = Clock::now();
  std::size_t shown = 0;
  for (const Waiter* waiter = waiting_.front(); waiter != nullptr && shown < kMostShown; ++shown) {
    text += "\n  waiting: " + waiter->claim.text(now);
    waiter = waiter->next;
  }
  if (waiting_.size() > shown) {
    text += "\n  waiting: " + std::to_string(waiting_.size() - shown) + " more";
  }
  return text + '\n';
}

template <class Runtime>
TimedOut PoolCore<Runtime>::late_error_locked(Duration limit) const {
  return TimedOut("toto: no instance of the pool came " + within_text(limit) + holders_locked("; held: "));
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_REPORT_HPP
