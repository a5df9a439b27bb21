// SPDX-License-Identifier: MIT
//
// WeakAccess: one operation on an atomic under Memory::weak. The memory model says which stores it may meet, the
// scheduler chooses one of them. Read next: primitives.hpp, sim_atomic.hpp.

#ifndef TOTO_TESTING_WEAK_ACCESS_HPP
#define TOTO_TESTING_WEAK_ACCESS_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "memory_model.hpp"
#include "scheduler.hpp"

namespace toto::inline v0_1::testing::detail {

/// Values are bytes here; the caller knows their type.
class WeakAccess {
 public:
  /// Without a location, nothing but weak() may be called. `newest`: the atomic's value so far.
  WeakAccess(Scheduler* scheduler, Location* location, const void* newest, std::size_t size) noexcept
      : scheduler_(scheduler), location_(location), size_(size) {
    if (location != nullptr && location->stores() == 0) {
      const Scheduler::Quiet quiet(*scheduler);
      memory().initialise(*location, newest, size);
    }
  }
  bool weak() const noexcept { return location_ != nullptr; }

  /// All return whether it was the newest that was met.
  bool load(std::memory_order order, void* value) const noexcept {
    return read(choose(oldest(order), [](std::size_t) { return true; }), order, value);
  }
  bool store(std::memory_order order, const void* value) const noexcept {
    const std::size_t after = choose_updated(order);
    const bool newest = is_newest(after);
    const Scheduler::Quiet quiet(*scheduler_);
    memory().write(*location_, after, thread(), order, value, scheduler_->now());
    return newest;
  }

  /// Chooses what a read-modify-write meets.
  std::size_t choose_updated(std::memory_order order) const noexcept {
    return choose(oldest(order), [this](std::size_t one) { return !location_->updated(one); });
  }
  void exchange_newest(std::memory_order order, const void* value) const noexcept {
    update(location_->newest(), order, value);
  }

  /// Chooses what a compare-exchange meets: a store that is `expected` and is free to be updated, or one that is not.
  template <class Expected>
  std::size_t choose_compared(std::memory_order success, std::memory_order failure, Expected expected) const noexcept {
    const std::size_t oldest_updated = oldest(success);
    const std::size_t oldest_read = oldest(failure);
    return choose((std::min)(oldest_updated, oldest_read), [&](std::size_t one) {
      return expected(location_->value(one)) ? one >= oldest_updated && !location_->updated(one) : one >= oldest_read;
    });
  }
  const std::byte* value(std::size_t store) const noexcept { return location_->value(store); }
  bool is_newest(std::size_t store) const noexcept { return store == location_->newest(); }

  bool read(std::size_t store, std::memory_order order, void* value) const noexcept {
    const bool newest = is_newest(store);
    std::memcpy(value, location_->value(store), size_);
    const Scheduler::Quiet quiet(*scheduler_);
    memory().read(*location_, store, thread(), order);
    return newest;
  }
  bool update(std::size_t met, std::memory_order order, const void* value) const noexcept {
    const bool newest = is_newest(met);
    const Scheduler::Quiet quiet(*scheduler_);
    memory().update(*location_, met, thread(), order, value, scheduler_->now());
    return newest;
  }

 private:
  MemoryModel& memory() const noexcept { return scheduler_->memory(); }
  std::uint32_t thread() const noexcept { return scheduler_->running().number; }
  std::size_t oldest(std::memory_order order) const noexcept {
    return memory().oldest_visible(*location_, thread(), order, scheduler_->now());
  }

  /// One of the stores from the newest back to `oldest` that are allowed; the newest always is.
  template <class Allowed>
  std::size_t choose(std::size_t oldest, Allowed allowed) const noexcept {
    std::size_t count = 0;
    for (std::size_t store = oldest; store < location_->stores(); ++store) {
      count += allowed(store) ? 1U : 0U;
    }
    std::size_t chosen = scheduler_->choose_store(count);
    std::size_t store = location_->stores();
    do {
      --store;
    } while (!allowed(store) || chosen-- != 0);
    return store;
  }

  Scheduler* const scheduler_;
  Location* const location_;
  const std::size_t size_;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_WEAK_ACCESS_HPP
