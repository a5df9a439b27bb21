// SPDX-License-Identifier: MIT
//
// Whereabouts: whether a coroutine that an executor or a scope owns is on that executor, or away. An owner that ends
// destroys the coroutines that wait there to be resumed; those that are away may be running on another thread. Read
// next: ../loop/loop_core.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_WHEREABOUTS_HPP
#define TOTO_DETAIL_EXECUTOR_WHEREABOUTS_HPP

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "../../runtime.hpp"
#include "../ground/annotations.hpp"
#include "../ground/ref.hpp"
#include "executor_core.hpp"

namespace toto::inline v0_1::detail {

/// Of a coroutine and of all that it has started, by awaiting Tasks or combinators of Tasks: how many strands of it are
/// away from `home`, and whether its owner has gone meanwhile. Shared by the owner and by the strands.
class alignas(8) Whereabouts : public RefCounted<StdRuntime> {
 public:
  /// On home's thread, or while that runs nothing. Once false, whatever is suspended will be resumed only by home.
  bool any_away() const noexcept { return word_.load(std::memory_order_acquire) >= kOneAway; }  // pairs with one_less()

  /// The owner ends, on home's thread: none of these strands is resumed at home any more. Returns true if some strands
  /// are away; the last of them that ends or would come home then calls stranded().
  bool forsake() noexcept { return word_.fetch_or(kForsaken, std::memory_order_acq_rel) >= kOneAway; }
  bool forsaken() const noexcept { return (word_.load(std::memory_order_acquire) & kForsaken) != 0; }

 protected:
  explicit Whereabouts(ExecutorIdentity home) noexcept : home_(home) {}

 private:
  friend class Traveller;

  /// No strand runs, and none will: the coroutine is to be destroyed.
  virtual void stranded() noexcept = 0;

  static constexpr std::size_t kForsaken = 1;
  static constexpr std::size_t kOneAway = 2;

  /// A strand that is away has ended, or is home. After this the frames of all may be gone, if this is forsaken.
  void one_less() noexcept {
    // acq_rel: pairs with itself, with any_away() and with forsake(). Whoever destroys the frames comes last.
    if (word_.fetch_sub(kOneAway, std::memory_order_acq_rel) == (kOneAway | kForsaken)) {
      stranded();
    }
  }
  void one_more() noexcept {
    word_.fetch_add(kOneAway, std::memory_order_relaxed);
  }  // the caller is on the owner's thread

  const ExecutorIdentity home_;
  StdRuntime::Atomic<std::size_t> word_{0};
};

/// What a Task's promise stores: nothing, or which strand the Task belongs to, and whether that strand is away. A Task
/// that is awaited is part of its awaiter's strand; anything started otherwise is a separate strand.
///
/// Only awaits that name a place move a strand away, or back. What awaitables of other libraries do is not known.
/// Thread safety: One thread at a time, the strand's.
class Traveller {
 public:
  Traveller() noexcept = default;
  Traveller(Traveller&& other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Traveller& operator=(Traveller&&) = delete;
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
  /// The strand is about to suspend, and to be resumed at `where`, the place that the await names; null: anywhere.
  /// Returns true if the strand is away, and comes home by this.
  template <class Runtime>
  TOTO_COLD bool depart(const ExecutorCore<Runtime>* where) noexcept {
    const bool homeward = where != nullptr && where->identity() == whereabouts()->home_;
    if (!homeward && !is_away()) {
      word_ |= kAway;
      whereabouts()->one_more();
    }
    return homeward && is_away();
  }
  /// The strand has been resumed on `executor`.
  template <class Runtime>
  TOTO_COLD void arrive(const ExecutorCore<Runtime>* executor) noexcept {
    if (is_away() && executor != nullptr && executor->identity() == whereabouts()->home_ &&
        !whereabouts()->forsaken()) {
      come_home();
    }
  }
  /// The strand is away, and will be resumed only by its home, if at all. After this all frames may be gone.
  TOTO_COLD void come_home() noexcept {
    word_ &= ~kAway;
    whereabouts()->one_less();
  }
  /// Returns what decides whether this strand may be resumed. `homebound`: it is away, and comes home then.
  Whereabouts* keeper(bool homebound) const noexcept { return !is_away() || homebound ? whereabouts() : nullptr; }
  bool is_away() const noexcept { return (word_ & kAway) != 0; }

 private:
  static constexpr std::uintptr_t kAway = 1;
  static constexpr std::uintptr_t kOwner = 2;  // of a reference: the first promise of a strand
  static constexpr std::uintptr_t kFirst = 4;  // and that strand is the owner's coroutine itself
  static constexpr std::uintptr_t kOwn = kOwner | kFirst;

  /// The strand has ended. After this the frames of all may be gone.
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

  Whereabouts* whereabouts() const noexcept {
    static_assert(alignof(Whereabouts) >= 8, "the lower bits of its address are in use");
    // NOLINTNEXTLINE(performance-no-int-to-ptr): as in Home, one word in each promise
    return reinterpret_cast<Whereabouts*>(word_ & ~(kAway | kOwn));
  }

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
  /// Returns true if the coroutine has an owner, and comes home.
  template <class Promise, class Runtime>
  bool begin(std::coroutine_handle<Promise> coroutine, const ExecutorCore<Runtime>* where) noexcept {
    Traveller* const traveller = detail::traveller_in(coroutine);
    if (traveller != nullptr && traveller->is_owned()) [[unlikely]] {  // most have no owner
      traveller_ = traveller;
      return traveller->depart(where);
    }
    return false;
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
