// SPDX-License-Identifier: MIT
//
// Whereabouts: whether a coroutine that a loop owns is on that loop, or away. A loop that ends destroys the coroutines
// that wait for it to resume them; those that are away may be running on another thread. Read next:
// ../loop/loop_core.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_WHEREABOUTS_HPP
#define TOTO_DETAIL_EXECUTOR_WHEREABOUTS_HPP

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../../runtime.hpp"
#include "../ground/annotations.hpp"
#include "../ground/ref.hpp"
#include "executor_core.hpp"

namespace toto::inline v0_1::detail {

/// Counts how many strands of a coroutine are away from `home`: its own, and those of the Tasks and combinators of
/// Tasks that it awaits. Shared by the owner and the strands.
class alignas(8) Whereabouts : public RefCounted<StdRuntime> {
 public:
  /// On home's thread, or while that runs nothing. Once false, whatever is suspended will be resumed only by home.
  bool any_away() const noexcept { return away_.load(std::memory_order_acquire) != 0; }  // pairs with one_less()

 protected:
  explicit Whereabouts(const void* home) noexcept : home_(home) {}

 private:
  friend class Traveller;

  void one_more() noexcept { away_.fetch_add(1, std::memory_order_relaxed); }  // the caller is on the owner's thread
  void one_less() noexcept { away_.fetch_sub(1, std::memory_order_release); }

  const void* const home_;  // an executor. Compared only
  StdRuntime::Atomic<std::size_t> away_{0};
};

/// What a Task's promise knows of that: nothing, or which strand it belongs to, and whether that is away. A Task that
/// is awaited is part of its awaiter's strand; anything started otherwise is a separate strand.
///
/// Only awaits that name a place move a strand away, or back. What awaitables of other libraries do is not known.
/// One thread at a time: the strand's.
class Traveller {
 public:
  Traveller() noexcept = default;
  Traveller(const Traveller&) = delete;
  Traveller& operator=(const Traveller&) = delete;
  ~Traveller() { settle(); }

  /// This is the coroutine that the owner has; it begins at home. If it ends away, it stays away: the owner is notified
  /// of its end, and until then must not believe that everything is at home.
  void begin_at_home(Whereabouts& whereabouts) noexcept {
    word_ = reinterpret_cast<std::uintptr_t>(&whereabouts) | kOwner | kFirst;
    whereabouts.retain();
  }
  /// This begins a strand where `starter` is, which may be null.
  void begin_where(const Traveller* starter) noexcept {
    if (starter != nullptr && starter->whereabouts() != nullptr) {
      word_ = (starter->word_ & ~kOwn) | kOwner;
      whereabouts()->retain();
      if (is_away()) {
        whereabouts()->one_more();
      }
    }
  }
  /// This is awaited by `awaiter`, which may be null.
  void follow(const Traveller* awaiter) noexcept { word_ = awaiter != nullptr ? awaiter->word_ & ~kOwn : 0; }
  /// `awaiter` continues where this has ended.
  void lead(Traveller& awaiter) const noexcept { awaiter.word_ = (awaiter.word_ & kOwn) | (word_ & ~kOwn); }

  /// Whether it is part of an owned strand; the next two functions are for those.
  bool is_owned() const noexcept { return word_ != 0; }
  /// It is about to suspend, and will be resumed in a place that the await names.
  TOTO_COLD void depart() noexcept {
    if (!is_away()) {
      word_ |= kAway;
      whereabouts()->one_more();
    }
  }
  /// It has been resumed on `executor`.
  TOTO_COLD void arrive(const void* executor) noexcept {
    if (is_away() && whereabouts()->home_ == executor) {
      word_ &= ~kAway;
      whereabouts()->one_less();
    }
  }
  /// The strand has ended. After this its frames may be gone.
  void settle() noexcept {
    if ((word_ & kOwner) != 0) {
      Whereabouts* const whereabouts = this->whereabouts();
      const bool counts = is_away() && (word_ & kFirst) == 0;
      word_ = 0;
      if (counts) {
        whereabouts->one_less();
      }
      whereabouts->release();
    }
  }

 private:
  static constexpr std::uintptr_t kAway = 1;
  static constexpr std::uintptr_t kOwner = 2;  // of a reference: the first promise of a strand
  static constexpr std::uintptr_t kFirst = 4;  // and that strand is the owner's coroutine itself
  static constexpr std::uintptr_t kOwn = kOwner | kFirst;

  Whereabouts* whereabouts() const noexcept {
    static_assert(alignof(Whereabouts) >= 8, "the lower bits of its address are in use");
    // NOLINTNEXTLINE(performance-no-int-to-ptr): as in Home, one word in each promise
    return reinterpret_cast<Whereabouts*>(word_ & ~(kAway | kOwn));
  }
  bool is_away() const noexcept { return (word_ & kAway) != 0; }

  std::uintptr_t word_ = 0;
};

/// The traveller in a coroutine's promise; null if that is of another library.
template <class Promise>
Traveller* traveller_in(std::coroutine_handle<Promise> coroutine) noexcept {
  if constexpr (std::is_base_of_v<Traveller, Promise>) {
    return &coroutine.promise();
  } else {
    return nullptr;
  }
}

/// Part of an awaiter that resumes its coroutine in a place of the caller's choice.
class Journey {
 public:
  template <class Promise>
  void begin(std::coroutine_handle<Promise> coroutine) noexcept {
    Traveller* const traveller = detail::traveller_in(coroutine);
    if (traveller != nullptr && traveller->is_owned()) [[unlikely]] {  // most have no owner
      traveller_ = traveller;
      traveller->depart();
    }
  }
  /// On the thread on which the coroutine continues.
  template <class Runtime>
  void end() noexcept {
    if (traveller_ != nullptr) [[unlikely]] {
      traveller_->arrive(ThreadContext<Runtime>::current().executor);
    }
  }

 private:
  Traveller* traveller_ = nullptr;  // null: no one needs to know
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_WHEREABOUTS_HPP
