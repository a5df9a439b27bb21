// SPDX-License-Identifier: MIT
//
// What happens when the process forks. Only the forking thread exists in the child; a mutex held by any other thread
// would stay locked there forever. So everything shared is registered here: a fork first locks all of its mutexes, in a
// fixed order, and unlocks them on both sides; in the child, each object also forgets the lost threads and the work it
// had for them.

#ifndef TOTO_DETAIL_GROUND_FORK_HPP
#define TOTO_DETAIL_GROUND_FORK_HPP

#include <atomic>
#include <initializer_list>
#include <string>

#include "annotations.hpp"
#include "lock.hpp"

namespace toto::inline v0_1::detail {

/// The order in which mutexes are taken. An object's mutex may be held while one of a later rank is taken.
enum class ForkRank { registry, timers, waits, pools, executors, posts, memory };

template <class Runtime>
class ForkAware {
 public:
  ForkAware(const ForkAware&) = delete;
  ForkAware& operator=(const ForkAware&) = delete;

  /// Locks the object's mutex.
  virtual void before_fork() noexcept = 0;
  /// Unlocks it; in the child, after forgetting what other threads were doing.
  virtual void after_fork(bool in_child) noexcept = 0;
  /// Appends the object's report about itself, in whole lines.
  /// Throws: std::bad_alloc.
  virtual void describe([[maybe_unused]] std::string& text) const {}

  /// Appends each object's report about itself, the newest first.
  /// Throws: std::bad_alloc.
  TOTO_COLD static void describe_all(std::string& text) { everything().describe(text); }

 protected:
  explicit ForkAware(ForkRank rank) noexcept : rank_(rank) {}
  ~ForkAware() = default;

  /// From now on this object takes part in forks. Last in the constructor of the final class: a fork on another thread
  /// must not meet a half-constructed object. A process's only object of a type calls this whenever it is asked for,
  /// and not in its constructor: the child of a fork would wait forever for a constructor that has waited for the fork.
  void watch_forks() {
    if constexpr (Runtime::forks) {
      if (!watched_.load(std::memory_order_relaxed)) {
        everything().add(*this);
      }
    }
  }
  /// First in its destructor.
  void ignore_forks() noexcept {
    if constexpr (Runtime::forks) {
      everything().remove(*this);
    }
  }

 private:
  class Everything {
   public:
    TOTO_COLD Everything() {
      Runtime::at_fork(&before, [] { after(false); }, [] { after(true); });
    }

    void add(ForkAware& object) {
      const Lock lock(mutex_);
      if (object.watched_.load(std::memory_order_relaxed)) {
        return;
      }
      object.watched_.store(true, std::memory_order_relaxed);  // a hint: who is in the list is known under the mutex
      object.next_ = first_;
      if (first_ != nullptr) {
        first_->previous_ = &object;
      }
      first_ = &object;
    }
    void describe(std::string& text) const {
      const Lock lock(mutex_);
      for (const ForkAware* object = first_; object != nullptr; object = object->next_) {
        object->describe(text);
      }
    }
    void remove(ForkAware& object) noexcept {
      const Lock lock(mutex_);
      (object.previous_ != nullptr ? object.previous_->next_ : first_) = object.next_;
      if (object.next_ != nullptr) {
        object.next_->previous_ = object.previous_;
      }
    }

   private:
    TOTO_COLD static void before() TOTO_NO_THREAD_SAFETY_ANALYSIS {
      Everything& all = everything();
      all.mutex_.lock();
      for (const ForkRank rank : {ForkRank::registry, ForkRank::timers, ForkRank::waits, ForkRank::pools,
                                  ForkRank::executors, ForkRank::posts, ForkRank::memory}) {
        for (ForkAware* object = all.first_; object != nullptr; object = object->next_) {
          if (object->rank_ == rank) {
            object->before_fork();
          }
        }
      }
    }
    TOTO_COLD static void after(bool in_child) TOTO_NO_THREAD_SAFETY_ANALYSIS {
      Everything& all = everything();
      for (ForkAware* object = all.first_; object != nullptr; object = object->next_) {
        object->after_fork(in_child);
      }
      all.mutex_.unlock();
    }

    mutable typename Runtime::Mutex mutex_;
    ForkAware* first_ TOTO_GUARDED_BY(mutex_) = nullptr;
  };

  static Everything& everything() { return Runtime::template global<Everything>(); }

  typename Runtime::template Atomic<bool> watched_{false};
  ForkRank rank_;
  ForkAware* next_ = nullptr;
  ForkAware* previous_ = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_FORK_HPP
