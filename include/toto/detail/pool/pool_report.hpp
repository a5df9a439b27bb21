// SPDX-License-Identifier: MIT
//
// What a pool tells of itself: counts, who holds its instances, who waits. Part of PoolCore; include pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_REPORT_HPP
#define TOTO_DETAIL_POOL_POOL_REPORT_HPP

#include <cstddef>
#include <string>

#include "../ground/seconds_text.hpp"
#include "../ground/text.hpp"
#include "pool_core.hpp"

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
    detail::append(text, {before_each, held->holder.text(now)});
    held = held->next;
  }
  if (leased_.size() > shown) {
    append(text, {before_each, Digits(leased_.size() - shown), " more"});
  }
  return text;
}

template <class Runtime>
std::string PoolCore<Runtime>::dump() const {
  const Lock lock(mutex_);
  std::string text =
      detail::join({"pool (default queue '", default_name_, "'): ", Digits(instances_), " instance(s) of at most ",
                    Digits(capacity_), ", ", Digits(free_.size()), " free, ", Digits(leased_.size()), " leased, ",
                    Digits(waiting_.size()), " waiting", closed_ ? ", closed" : "", holders_locked("\n  held: ")});
  const TimePoint now = Clock::now();
  std::size_t shown = 0;
  for (const Waiter* waiter = waiting_.front(); waiter != nullptr && shown < kMostShown; ++shown) {
    detail::append(text, {"\n  waiting: ", waiter->claim.text(now)});
    waiter = waiter->next;
  }
  if (waiting_.size() > shown) {
    append(text, {"\n  waiting: ", Digits(waiting_.size() - shown), " more"});
  }
  text += '\n';
  return text;
}

template <class Runtime>
TimedOut PoolCore<Runtime>::late_error_locked(Duration limit) const {
  return TimedOut(
      detail::join({"toto: no instance of the pool came ", within_text(limit), holders_locked("; held: ")}));
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_REPORT_HPP
