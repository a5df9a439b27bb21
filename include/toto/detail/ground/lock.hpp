// SPDX-License-Identifier: MIT
//
// Lock: holds a runtime's mutex for a scope, and can unlock and lock it again in between. The standard guards
// would do, but Clang's thread-safety analysis cannot see through them.

#ifndef TOTO_DETAIL_GROUND_LOCK_HPP
#define TOTO_DETAIL_GROUND_LOCK_HPP

#include "annotations.hpp"

namespace toto::inline v0_1::detail {

template <class Mutex>
class TOTO_SCOPED_CAPABILITY Lock {
 public:
  explicit Lock(Mutex& mutex) TOTO_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Lock() TOTO_RELEASE() {
    if (held_) {
      mutex_.unlock();
    }
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  void lock() TOTO_ACQUIRE() {
    mutex_.lock();
    held_ = true;
  }
  void unlock() TOTO_RELEASE() {
    held_ = false;
    mutex_.unlock();
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_LOCK_HPP
