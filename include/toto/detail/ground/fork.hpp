// SPDX-License-Identifier: MIT
//
// What happens when the process forks. Only the forking thread exists in the child; a mutex held by any other thread
// would stay locked there forever. So everything shared is registered here: a fork first locks all of its mutexes, in a
// fixed order, and unlocks them on both sides; in the child, each object also forgets the lost threads and the work it
// had for them.

#ifndef TOTO_DETAIL_GROUND_FORK_HPP
#define TOTO_DETAIL_GROUND_FORK_HPP

#include <initializer_list>
#include <string>

#include "annotations.hpp"
#include "linked_list.hpp"
#include "lock.hpp"

namespace toto::inline v0_1::detail {

/// The order in which mutexes are taken. An object's mutex may be held while one of a later rank is taken.
enum class ForkRank { registry, timers, waits, pools, executors, memory };

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
  /// must not meet a half-constructed object.
  void watch_forks() {
    if constexpr (Runtime::forks) {
      everything().add(*this);
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
    TOTO_COLD Everything() { Runtime::at_fork(&before, &after_in_parent, &after_in_child); }

    void add(ForkAware& object) {
      const Lock lock(mutex_);
      objects_.push_front(object);
    }
    void describe(std::string& text) const {
      const Lock lock(mutex_);
      for (const ForkAware* object = objects_.front(); object != nullptr; object = object->next) {
        object->describe(text);
      }
    }
    void remove(ForkAware& object) noexcept {
      const Lock lock(mutex_);
      objects_.remove(object);
    }

   private:
    TOTO_COLD static void before() TOTO_NO_THREAD_SAFETY_ANALYSIS {
      Everything& all = everything();
      all.mutex_.lock();
      for (const ForkRank rank : {ForkRank::registry, ForkRank::timers, ForkRank::waits, ForkRank::pools,
                                  ForkRank::executors, ForkRank::memory}) {
        for (ForkAware* object = all.objects_.front(); object != nullptr; object = object->next) {
          if (object->rank_ == rank) {
            object->before_fork();
          }
        }
      }
    }
    static void after_in_parent() { after(false); }
    static void after_in_child() { after(true); }
    TOTO_COLD static void after(bool in_child) TOTO_NO_THREAD_SAFETY_ANALYSIS {
      Everything& all = everything();
      for (ForkAware* object = all.objects_.front(); object != nullptr; object = object->next) {
        object->after_fork(in_child);
      }
      all.mutex_.unlock();
    }

    mutable typename Runtime::Mutex mutex_;
    LinkedList<ForkAware> objects_ TOTO_GUARDED_BY(mutex_);
  };

  static Everything& everything() { return Runtime::template global<Everything>(); }

  friend LinkedList<ForkAware>;
  ForkRank rank_;
  ForkAware* next = nullptr;
  ForkAware* previous = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_FORK_HPP
