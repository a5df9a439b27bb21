// SPDX-License-Identifier: MIT
//
// SimAtomic: std::atomic as simulated threads see it. Read next: sim_runtime.hpp.

#ifndef TOTO_TESTING_SIM_ATOMIC_HPP
#define TOTO_TESTING_SIM_ATOMIC_HPP

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include "primitives.hpp"
#include "scheduler.hpp"
#include "weak_access.hpp"

namespace toto::inline v0_1::testing {

/// std::atomic's members: SimRuntime::Atomic. Sequentially consistent whatever the memory order, unless
/// SimulationOptions::memory is Memory::weak: then an operation may meet each store that C++20 allows it to meet.
template <class T>
class SimAtomic : private detail::Primitive {
 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  constexpr SimAtomic() noexcept(std::is_nothrow_default_constructible_v<T>) : value_() {}
  // NOLINTNEXTLINE(google-explicit-constructor): as std::atomic
  constexpr SimAtomic(T value) noexcept : value_(value) {}

  T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
    detail::Scheduler* const scheduler = begin();
    T value = value_;
    bool newest = true;
    if (const auto access = weak_access(scheduler); access.weak()) {
      newest = access.load(order, &value);
    }
    end(scheduler, detail::Operation::load, value, newest);
    return value;
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    detail::Scheduler* const scheduler = begin();
    bool newest = true;
    if (const auto access = weak_access(scheduler); access.weak()) {
      newest = access.store(order, &value);
    }
    if (newest) {
      value_ = value;
    }
    end(scheduler, detail::Operation::store, value, newest);
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return update(detail::Operation::exchange, order, [value](T) { return value; });
  }

  /// May fail spuriously, up to SimulationOptions::weak_failures times in a schedule.
  bool compare_exchange_weak(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return compare_exchange(expected, desired, order, detail::failure_order(order), true);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    return compare_exchange(expected, desired, success, failure, true);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order order = std::memory_order_seq_cst) noexcept {
    return compare_exchange(expected, desired, order, detail::failure_order(order), false);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    return compare_exchange(expected, desired, success, failure, false);
  }

  T fetch_add(T operand, std::memory_order order = std::memory_order_seq_cst) noexcept
    requires std::integral<T>
  {
    return update(detail::Operation::fetch_add, order, [operand](T value) { return static_cast<T>(value + operand); });
  }
  T fetch_sub(T operand, std::memory_order order = std::memory_order_seq_cst) noexcept
    requires std::integral<T>
  {
    return update(detail::Operation::fetch_sub, order, [operand](T value) { return static_cast<T>(value - operand); });
  }
  T fetch_and(T operand, std::memory_order order = std::memory_order_seq_cst) noexcept
    requires std::integral<T>
  {
    return update(detail::Operation::fetch_and, order, [operand](T value) { return static_cast<T>(value & operand); });
  }
  T fetch_or(T operand, std::memory_order order = std::memory_order_seq_cst) noexcept
    requires std::integral<T>
  {
    return update(detail::Operation::fetch_or, order, [operand](T value) { return static_cast<T>(value | operand); });
  }

 private:
  /// Before an operation.
  detail::Scheduler* begin() const noexcept {
    check_alive("an atomic is used after its destruction");
    return detail::Scheduler::current();
  }
  /// After it: it has met or left `value`. *this may be gone on return.
  void end(detail::Scheduler* scheduler, detail::Operation operation, const T& value, bool newest,
           bool refused = false) const noexcept {
    if (scheduler == nullptr) {
      return;
    }
    meet(*scheduler);
    const auto outcome = !newest ? detail::Outcome::older : refused ? detail::Outcome::refused : detail::Outcome::plain;
    detail::Event event{.operation = operation, .outcome = outcome, .object = number()};
    detail::set_value(event, value);
    scheduler->step(event);
  }

  detail::WeakAccess weak_access(detail::Scheduler* scheduler) const noexcept {
    return {scheduler, location(scheduler), &value_, sizeof value_};
  }

  T from_bytes(const std::byte* bytes) const noexcept {
    T value = value_;
    std::memcpy(static_cast<void*>(&value), bytes, sizeof value);
    return value;
  }

  static bool same(const T& left, const T& right) noexcept {
    if constexpr (std::equality_comparable<T>) {
      return left == right;
    } else {
      return std::memcmp(&left, &right, sizeof left) == 0;
    }
  }

  template <class Next>
  T update(detail::Operation operation, std::memory_order order, Next next) noexcept {
    detail::Scheduler* const scheduler = begin();
    T before = value_;
    T after = next(before);
    bool newest = true;
    if (const auto access = weak_access(scheduler); access.weak()) {
      const std::size_t met = access.choose_updated(order);
      before = from_bytes(access.value(met));
      after = next(before);
      newest = access.update(met, order, &after);
    }
    if (newest) {
      value_ = after;
    }
    end(scheduler, operation, after, newest);
    return before;
  }

  bool compare_exchange(T& expected, T desired, std::memory_order success, std::memory_order failure,
                        bool weak) noexcept {
    detail::Scheduler* const scheduler = begin();
    const auto access = weak_access(scheduler);
    std::size_t met = 0;
    T before = value_;
    if (access.weak()) {
      met = access.choose_compared(success, failure,
                                   [&](const std::byte* bytes) { return same(from_bytes(bytes), expected); });
      before = from_bytes(access.value(met));
    }
    const bool equal = same(before, expected);
    const bool fault =
        equal && weak && scheduler != nullptr && scheduler->choose_fault(scheduler->faults().weak_exchanges);
    bool newest = true;
    if (equal && !fault) {
      newest = !access.weak() || access.update(met, success, &desired);
      if (newest) {
        value_ = desired;
      }
      end(scheduler, detail::Operation::compare_exchange, desired, newest);
      return true;
    }
    if (access.weak()) {
      newest = access.read(met, failure, &before);
    }
    expected = before;
    end(scheduler, detail::Operation::compare_exchange, before, newest, true);
    return false;
  }

  T value_;
};

}  // namespace toto::inline v0_1::testing

#endif  // TOTO_TESTING_SIM_ATOMIC_HPP
