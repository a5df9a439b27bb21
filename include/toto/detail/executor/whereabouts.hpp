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
#include <type_traits>
#include <utility>

#include "../../runtime.hpp"
#include "../ground/annotations.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "executor_core.hpp"

namespace toto::inline v0_1::detail {

class Strand;

/// Of a coroutine and of all that it has started, by awaiting Tasks or combinators of Tasks: how many strands of it are
/// away from `home`, and whether its owner has gone meanwhile. Shared by the owner and by the strands.
class Whereabouts : public RefCounted<StdRuntime> {
 public:
  /// On home's thread, or while that runs nothing. Once false, whatever is suspended will be resumed only by home.
  bool any_away() const noexcept { return word_.load(std::memory_order_acquire) >= kOne; }  // pairs with one_less()

  /// Whether the owner has gone: none of these strands is resumed at home any more.
  /// Relaxed: on home's thread, or where a lock has ordered what comes from there.
  bool forsaken() const noexcept { return (word_.load(std::memory_order_relaxed) & kForsaken) != 0; }
  /// The owner ends, on home's thread. Destroys the strands that are suspended there, except frames to which strands
  /// that are away may refer: these are destroyed when the last strand that is away has ended, or would come home.
  void forsake() noexcept;

 protected:
  /// `scoped`: it may be forsaken.
  Whereabouts(ExecutorIdentity home, bool scoped) noexcept : home_(home), scoped_(scoped) {}

 private:
  friend Strand;

  /// Destroys the coroutine itself, which is not running and will not run, unless it is destroyed already or has ended.
  /// It is the last one left, or no strand needs it.
  virtual void stranded() noexcept = 0;

  static constexpr std::size_t kForsaken = 1;
  static constexpr std::size_t kOne = 2;

  void one_more() noexcept { word_.fetch_add(kOne, std::memory_order_relaxed); }  // the caller is where the owner looks
  /// A strand that is away has ended, or is home, or a visitor leaves. After this the frames of all may be gone, if
  /// this is forsaken.
  void one_less() noexcept {
    // acq_rel: pairs with itself, with any_away() and with forsake(). Whoever destroys the frames comes last.
    if (word_.fetch_sub(kOne, std::memory_order_acq_rel) == (kOne | kForsaken)) {
      stranded();
    }
  }
  /// Keeps the frames of forsaken strands until one_less(). Returns false if they are being destroyed. Relaxed, like
  /// one_more(): it only must not count from nothing.
  bool visit() noexcept {
    std::size_t seen = word_.load(std::memory_order_relaxed);
    while (seen >= kOne) {
      if (word_.compare_exchange_weak(seen, seen + kOne, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  const ExecutorIdentity home_;
  const bool scoped_;
  StdRuntime::Atomic<std::size_t> word_{0};
  Strand* first_ = nullptr;  // of the coroutine itself, once that has begun
  StdRuntime::Mutex mutex_;
  LinkedList<Strand> strands_ TOTO_GUARDED_BY(mutex_);  // if it is scoped, but for the first: those that have not ended
};

/// One line of coroutines that await each other, so that one of them runs, or none: what an owner has started, or a
/// child of a combinator. The strand lives with the outermost coroutine. A Task that is awaited is part of its
/// awaiter's strand.
///
/// Only awaits that name a place move a strand away, or back. What awaitables of other libraries do is not known.
/// Thread safety: One thread at a time, the strand's.
class Strand {
 public:
  // For the owner's list, if that is scoped, and guarded by its mutex.
  Strand* next = nullptr;
  Strand* previous = nullptr;

  Strand() noexcept = default;
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;
  virtual ~Strand() { end(); }

  /// Whether the strand has an owner: the following functions are for strands that have.
  bool is_owned() const noexcept { return owner_ != nullptr; }

  /// This is the strand of the coroutine that the owner has, and begins at home. If it ends away, it stays away: the
  /// owner is notified of its end, and until then must not believe that everything is at home.
  void begin_at_home(Whereabouts& owner) noexcept {
    owner_ = &owner;
    owner.first_ = this;
  }
  /// The strand begins where `starter`, which may be null, is; `starter` needs it.
  void begin_where(Strand* starter) noexcept {
    if (starter != nullptr && starter->is_owned()) {
      owner_ = starter->owner_;
      owner_->retain();
      away_ = starter->away_;
      if (away_) {
        owner_->one_more();
      }
      if (owner_->scoped_) {
        const Lock lock(owner_->mutex_);
        owner_->strands_.push_front(*this);
        parent_ = starter;
        ++parent_->children_;
      }
    }
  }
  /// The strand's `starter` no longer needs it. On the starter's thread; this strand may be ending on its own.
  void detach(const Strand* starter) noexcept {
    if (starter != nullptr && starter->is_owned() && starter->owner_->scoped_) {
      const Lock lock(starter->owner_->mutex_);  // they have the same owner
      detach_locked();
    }
  }
  /// The strand is over. After this all frames may be gone.
  void end() noexcept {
    if (owner_ == nullptr || owner_->first_ == this) {
      return;
    }
    Whereabouts* const owner = std::exchange(owner_, nullptr);
    if (owner->scoped_) {
      const Lock lock(owner->mutex_);
      detach_locked();
      owner->strands_.remove(*this);
    }
    if (away_) {
      owner->one_less();
    }
    owner->release();
  }

  /// The strand is about to suspend, and to be resumed at the place that the await names; null: anywhere. Returns true
  /// if the strand is away, and comes home by this.
  template <class Runtime>
  TOTO_COLD bool depart(const ExecutorCore<Runtime>* where) noexcept {
    const bool homeward = where != nullptr && where->identity() == owner_->home_;
    if (!homeward && !away_) {
      away_ = true;
      owner_->one_more();
    }
    return homeward && away_;
  }
  /// The strand has been resumed on `executor`.
  template <class Runtime>
  TOTO_COLD void arrive(const ExecutorCore<Runtime>* executor) noexcept {
    if (away_ && executor != nullptr && executor->identity() == owner_->home_ && !owner_->forsaken()) {
      away_ = false;
      owner_->one_less();
    }
  }
  /// Returns what decides whether this strand may be resumed. `homebound`: it is away, and comes home then.
  Whereabouts* keeper(bool homebound) const noexcept { return !away_ || homebound ? owner_ : nullptr; }

  /// Called instead of resuming the strand at home, where `keeper` is forsaken: destroys it, unless others need its
  /// frames. `is_there()`: whether it is still to be resumed.
  template <class IsThere>
  TOTO_COLD static void keep_away(Strand& strand, Whereabouts& keeper, IsThere is_there) noexcept {
    if (keeper.visit()) {
      if (is_there()) {
        const bool was_away = std::exchange(strand.away_, false);
        strand.give_up(keeper);
        if (was_away) {
          keeper.one_less();
        }
      }
      keeper.one_less();
    }
  }

 private:
  friend Whereabouts;

  /// Destroys the strand's frames, and notifies whoever waits for it. It is at home and suspended. After this it may be
  /// gone.
  virtual void abandon() noexcept {}

  void give_up(Whereabouts& owner) noexcept {
    {
      const Lock lock(owner.mutex_);
      if (children_ != 0) {
        return;
      }
    }
    if (owner.first_ == this) {
      owner.stranded();
    } else {
      abandon();
    }
  }
  void detach_locked() noexcept {
    if (parent_ != nullptr) {
      --std::exchange(parent_, nullptr)->children_;
    }
  }

  Whereabouts* owner_ = nullptr;  // it is one of the owners of that, unless it is the first strand
  bool away_ = false;             // written at home, or before it is listed
  // If the owner is scoped. Guarded by its mutex.
  Strand* parent_ = nullptr;  // that needs it; it is there as long as it does
  std::size_t children_ = 0;  // that it needs
};

inline void Whereabouts::forsake() noexcept {
  const auto kept = Ref<Whereabouts>::share(this);
  // Once, and as a visitor. Acquire: pairs with one_less(), and the one at the end releases what was written here.
  if (word_.fetch_add(kOne + kForsaken, std::memory_order_acquire) < kOne) {
    stranded();
  }
  for (Strand* leaf = nullptr;;) {
    {
      const Lock lock(mutex_);
      for (leaf = strands_.front(); leaf != nullptr && (leaf->away_ || leaf->children_ != 0); leaf = leaf->next) {
      }
    }
    if (leaf == nullptr) {
      break;
    }
    leaf->abandon();
  }
  if (first_ != nullptr && !first_->away_) {
    first_->give_up(*this);
  }
  one_less();
}

/// Base of a Task's promise.
struct Traveller {
  Strand* strand = nullptr;  // null: none that somebody may own
};

/// The strand that the coroutine is part of; null if the promise is of another library.
template <class Promise>
Strand* strand_of(std::coroutine_handle<Promise> coroutine) noexcept {
  if constexpr (std::is_base_of_v<Traveller, Promise>) {
    return coroutine.promise().strand;
  } else {
    return nullptr;
  }
}
/// The same if that strand has an owner, otherwise null.
template <class Promise>
Strand* owned_strand_of(std::coroutine_handle<Promise> coroutine) noexcept {
  Strand* const strand = detail::strand_of(coroutine);
  return strand != nullptr && strand->is_owned() ? strand : nullptr;
}

/// Part of an awaiter that resumes its coroutine in a place of the caller's choice.
class Journey {
 public:
  /// Returns true if the coroutine has an owner, and comes home.
  template <class Promise, class Runtime>
  bool begin(std::coroutine_handle<Promise> coroutine, const ExecutorCore<Runtime>* where) noexcept {
    strand_ = detail::owned_strand_of(coroutine);
    return strand_ != nullptr && strand_->depart(where);
  }
  /// On the thread on which the coroutine continues.
  template <class Runtime>
  void end() noexcept {
    if (strand_ != nullptr) [[unlikely]] {  // most have no owner
      strand_->arrive(ThreadContext<Runtime>::current().executor);
    }
  }

 private:
  Strand* strand_ = nullptr;  // null: the strand has no owner
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_WHEREABOUTS_HPP
