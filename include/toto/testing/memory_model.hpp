// SPDX-License-Identifier: MIT
//
// MemoryModel: which stores an operation on an atomic may meet under the C++20 memory model, and what it then orders.
// An operational form of [intro.races] and [atomics.order]: each atomic keeps its stores in modification order, each
// thread a vector clock. The idea is that of CDSChecker (Norris and Demsky, OOPSLA 2013) and C11Tester (Luo and Demsky,
// ASPLOS 2021), which also place a store before others that were made earlier; that happens-before decides what a load
// may return, of relacy (Vyukov). The sequentially consistent order is that of C++20 (Lahav and others, "Repairing
// sequential consistency in C/C++11", PLDI 2017), as far as it is the order of execution. Read next: weak_access.hpp.

#ifndef TOTO_TESTING_MEMORY_MODEL_HPP
#define TOTO_TESTING_MEMORY_MODEL_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "../version.hpp"
#include "trace.hpp"
#include "vector_clock.hpp"

namespace toto::inline v0_1::testing::detail {

constexpr bool acquires(std::memory_order order) noexcept {
  return order != std::memory_order_relaxed && order != std::memory_order_release;
}
constexpr bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}
/// The order of a compare-exchange that fails, if only the other one is given.
constexpr std::memory_order failure_order(std::memory_order success) noexcept {
  return success == std::memory_order_acq_rel   ? std::memory_order_acquire
         : success == std::memory_order_release ? std::memory_order_relaxed
                                                : success;
}

/// A mutex, parker or atomic, as the memory model sees it: who made and used it, what it hands on, its stores.
class Location {
 public:
  /// How many stores there are that may still be met. The newest is the last.
  std::size_t stores() const noexcept { return stores_.size(); }
  std::size_t newest() const noexcept { return stores_.size() - 1; }
  const std::byte* value(std::size_t store) const noexcept { return values_.data() + store * value_size_; }
  /// Whether a read-modify-write has met that store, so that no other store may come between the two.
  bool updated(std::size_t store) const noexcept { return stores_[store].updated; }

 private:
  friend class MemoryModel;

  struct Store {
    VectorClock released;    ///< what happens before whoever acquires it
    VectorClock seen;        ///< in which epoch each thread first met it; of its maker, in which it was made
    std::uint64_t position;  ///< of the first sequentially consistent operation that met or made it; 0: none
    TimePoint time;
    bool updated;
  };

  std::uint32_t maker_ = 0;
  Epoch made_ = 0;
  VectorClock used_;         ///< the last use by each thread
  VectorClock handed_over_;  ///< of a mutex or parker: what happens before whoever gets it
  std::vector<Store> stores_;
  std::vector<std::byte> values_;
  std::size_t value_size_ = 0;
};

/// Invariants:
///  1. stores_ of a location is its modification order, without stores that can no longer be met.
///  2. The order of sequentially consistent operations is that of execution.
///  3. Position 0 of a clock, which is no thread, counts the sequentially consistent fences up to the newest that
///     happens before.
///  4. A thread's own epoch rises after each operation, so that what it does next is not covered by what it has
///     published.
class MemoryModel {
 public:
  /// `bounded_by_time`: a store is met from the next moment of virtual time on.
  void reset(bool weak, bool bounded_by_time) noexcept {
    weak_ = weak;
    bounded_by_time_ = bounded_by_time;
    threads_.clear();
    used_locations_ = 0;
    fences_.clear();
    globals_.clear();
    position_ = 0;
    older_ = 0;
  }
  /// If not, nothing else here must be called.
  bool weak() const noexcept { return weak_; }

  // Threads.

  /// 0 starts the main thread.
  void start(std::uint32_t starter, std::uint32_t thread) {
    threads_.resize((std::max)(threads_.size(), std::size_t{thread} + 1));
    if (starter != 0) {
      threads_[thread].now = threads_[starter].now;
      tick(starter);
    }
    threads_[thread].now.set(thread, 1);
  }
  void join(std::uint32_t joiner, std::uint32_t ended) { threads_[joiner].now.join(threads_[ended].now); }

  /// Whether the epoch of `other` happens before what `thread` does now.
  bool happened(std::uint32_t thread, std::uint32_t other, Epoch epoch) const noexcept {
    return threads_[thread].now.covers(other, epoch);
  }
  Epoch epoch(std::uint32_t thread) const noexcept { return threads_[thread].now.of(thread); }

  // Mutexes, parkers and atomics, by their numbers.

  void make(std::uint32_t number, std::uint32_t thread) {
    Location& made = fresh(number);
    made.maker_ = thread;
    made.made_ = epoch(thread);
  }
  /// One that was not made in this schedule.
  void find(std::uint32_t number) { fresh(number); }
  Location& location(std::uint32_t number) noexcept { return locations_[number - 1]; }

  /// Before each use. Returns false if the construction does not happen before it.
  bool use(Location& location, std::uint32_t thread) {
    location.used_.set(thread, epoch(thread));
    return happened(thread, location.maker_, location.made_);
  }
  std::uint32_t maker(const Location& location) const noexcept { return location.maker_; }
  /// Returns a thread whose last use does not happen before what `thread` does now, or 0.
  std::uint32_t still_used_by(const Location& location, std::uint32_t thread) const noexcept {
    for (std::uint32_t other = 1; other < location.used_.size(); ++other) {
      if (!happened(thread, other, location.used_.of(other))) {
        return other;
      }
    }
    return 0;
  }

  /// A mutex is unlocked, a parker unparked.
  void hand_over(Location& location, std::uint32_t thread) {
    location.handed_over_.join(threads_[thread].now);
    tick(thread);
  }
  /// A mutex is locked, a parker's token taken.
  void take_over(const Location& location, std::uint32_t thread) { threads_[thread].now.join(location.handed_over_); }

  /// The same for what is made once and then found by its key.
  void publish(const void* key, std::uint32_t thread) {
    globals_.emplace_back(key, threads_[thread].now);
    tick(thread);
  }
  void obtain(const void* key, std::uint32_t thread) {
    for (const auto& [made, clock] : globals_) {
      if (made == key) {
        threads_[thread].now.join(clock);
      }
    }
  }

  // Operations on atomics.

  /// What an atomic was made with; once, before the others.
  void initialise(Location& location, const void* value, std::size_t size) {
    location.value_size_ = size;
    add_store(location, 0, value);
    location.stores_.front().seen.set(location.maker_, location.made_);
  }

  /// The oldest store that an operation may meet: those before it are hidden by one that the thread has to see.
  std::size_t oldest_visible(const Location& location, std::uint32_t thread, std::memory_order order,
                             TimePoint now) const noexcept {
    std::size_t store = location.newest();
    while (store > 0 && !has_to_be_seen(location.stores_[store], thread, order == std::memory_order_seq_cst, now)) {
      --store;
    }
    return store;
  }

  void read(Location& location, std::size_t store, std::uint32_t thread, std::memory_order order) {
    meet(location.stores_[store], thread, order);
    acquire(location.stores_[store].released, thread, order);
    older_ += store == location.newest() ? 0U : 1U;
    tick(thread);
  }

  /// Puts a store right behind the store `after`.
  void write(Location& location, std::size_t after, std::uint32_t thread, std::memory_order order, const void* value,
             TimePoint now) {
    place(location, after + 1, thread, order, value, now, {});
  }

  /// Meets the store `met`, and puts another one right behind it, which continues its release sequences.
  void update(Location& location, std::size_t met, std::uint32_t thread, std::memory_order order, const void* value,
              TimePoint now) {
    Location::Store& before = location.stores_[met];
    before.updated = true;
    const VectorClock continued = before.released;
    meet(before, thread, order);
    acquire(continued, thread, order);
    place(location, met + 1, thread, order, value, now, continued);
  }

  void fence(std::uint32_t thread, std::memory_order order) {
    Thread& self = threads_[thread];
    if (acquires(order)) {
      self.now.join(self.to_acquire);
    }
    if (order == std::memory_order_seq_cst) {
      Fence fence{++position_, fences_.empty() ? VectorClock() : fences_.back().before};
      fence.before.join(self.now);
      fences_.push_back(std::move(fence));
      self.now.set(0, static_cast<Epoch>(fences_.size()));
    }
    if (releases(order)) {
      self.released_by_fence = self.now;
    }
    tick(thread);
  }

  /// How many operations have met, or placed themselves behind, a store other than the newest.
  std::size_t older() const noexcept { return older_; }

 private:
  static constexpr std::size_t kKept = 16;  // stores of an atomic; when there are twice as many, the older half goes

  struct Thread {
    VectorClock now;                ///< what happens before what it does next
    VectorClock to_acquire;         ///< what it has read relaxed, for an acquire fence
    VectorClock released_by_fence;  ///< by its last release fence
  };
  struct Fence {
    std::uint64_t position;  ///< in the sequentially consistent order
    VectorClock before;      ///< what happens before it, or before one that is earlier in that order
  };

  void tick(std::uint32_t thread) { threads_[thread].now.set(thread, epoch(thread) + 1); }

  Location& fresh(std::uint32_t number) {
    // A deque keeps its elements in place, and its memory is reused in the next schedule.
    while (locations_.size() < number) {
      locations_.emplace_back();
    }
    for (; used_locations_ < number; ++used_locations_) {
      Location& location = locations_[used_locations_];
      location.maker_ = 0;
      location.made_ = 0;
      location.used_.clear();
      location.handed_over_.clear();
      location.stores_.clear();
      location.values_.clear();
    }
    return location(number);
  }

  void meet(Location::Store& store, std::uint32_t thread, std::memory_order order) {
    if (store.seen.of(thread) == 0) {
      store.seen.set(thread, epoch(thread));
    }
    if (order == std::memory_order_seq_cst) {
      ++position_;
      store.position = store.position == 0 ? position_ : store.position;
    }
  }

  void place(Location& location, std::size_t position, std::uint32_t thread, std::memory_order order, const void* value,
             TimePoint now, const VectorClock& continued) {
    add_store(location, position, value);
    Location::Store& made = location.stores_[position];
    made.time = now;
    made.released = releases(order) ? threads_[thread].now : threads_[thread].released_by_fence;
    made.released.join(continued);
    meet(made, thread, order);
    older_ += position == location.newest() ? 0U : 1U;
    tick(thread);
    drop_oldest(location);
  }

  void acquire(const VectorClock& released, std::uint32_t thread, std::memory_order order) {
    Thread& self = threads_[thread];
    (acquires(order) ? self.now : self.to_acquire).join(released);
  }

  /// Coherence: the store was met, or made, by what happens before; or, [atomics.order] 4, by what is earlier in the
  /// sequentially consistent order, on either side with a fence in between or not.
  bool has_to_be_seen(const Location::Store& store, std::uint32_t thread, bool seq_cst, TimePoint now) const noexcept {
    const VectorClock& mine = threads_[thread].now;
    const Fence* const fence = mine.of(0) == 0 ? nullptr : &fences_[mine.of(0) - 1];
    const Fence* const last = seq_cst && !fences_.empty() ? &fences_.back() : nullptr;
    for (std::uint32_t other = 1; other < store.seen.size(); ++other) {
      const Epoch seen = store.seen.of(other);
      if (seen != 0 && (mine.covers(other, seen) || (fence != nullptr && fence->before.covers(other, seen)) ||
                        (last != nullptr && last->before.covers(other, seen)))) {
        return true;
      }
    }
    return (store.position != 0 && (seq_cst || (fence != nullptr && store.position < fence->position))) ||
           (bounded_by_time_ && store.time < now);
  }

  static void add_store(Location& location, std::size_t position, const void* value) {
    location.stores_.insert(location.stores_.begin() + static_cast<std::ptrdiff_t>(position),
                            {{}, {}, 0, origin, false});
    const std::size_t size = location.value_size_;
    const auto* const bytes = static_cast<const std::byte*>(value);
    location.values_.insert(location.values_.begin() + static_cast<std::ptrdiff_t>(position * size), bytes,
                            bytes + size);
  }

  static void drop_oldest(Location& location) {
    if (location.stores_.size() == 2 * kKept) {
      location.stores_.erase(location.stores_.begin(), location.stores_.begin() + kKept);
      location.values_.erase(location.values_.begin(),
                             location.values_.begin() + static_cast<std::ptrdiff_t>(kKept * location.value_size_));
    }
  }

  bool weak_ = false;
  bool bounded_by_time_ = false;
  std::vector<Thread> threads_;
  std::deque<Location> locations_;
  std::size_t used_locations_ = 0;
  std::vector<Fence> fences_;
  std::vector<std::pair<const void*, VectorClock>> globals_;
  std::uint64_t position_ = 0;
  std::size_t older_ = 0;
};

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_MEMORY_MODEL_HPP
