// SPDX-License-Identifier: MIT
//
// What is done to an instance between the pool and its users: making it, validating it, asking whether it may come
// back, destroying it. All of it is the user's code, and runs without the mutex, in the hands of whoever holds the
// place. Part of PoolCore; include pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_PREPARING_HPP
#define TOTO_DETAIL_POOL_POOL_PREPARING_HPP

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include "../ground/text.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
void PoolCore<Runtime>::set_check(std::unique_ptr<InstanceCheck>& which, std::unique_ptr<InstanceCheck> check,
                                  const char* name) {
  const Lock lock(mutex_);
  if (leases_ != 0) {
    throw std::logic_error(join({"toto: ", name, " is set after an instance of the pool was taken; set it before"}));
  }
  std::swap(which, check);  // the old one, if there was one, is the caller's to destroy
}

/// While a hook or the factory runs, its thread has the place, and nobody else gives it back: a hook that waits for an
/// instance of its own pool there is told if it could never get one.
template <class Runtime>
class InHook {
 public:
  explicit InHook(PooledInstance<Runtime>& place) noexcept
      : place_(place.bound_to.load(std::memory_order_relaxed) == 0 ? &place : nullptr) {
    if (place_ != nullptr) {
      place_->bind();
    }
  }
  ~InHook() {
    if (place_ != nullptr) {
      place_->unbind();
    }
  }
  InHook(const InHook&) = delete;
  InHook& operator=(const InHook&) = delete;

 private:
  PooledInstance<Runtime>* const place_;  // null: it was bound before
};

/// A check that throws does not approve.
/// Throws: a forced unwind of the thread, and nothing else; the caller still holds the place.
template <class Runtime>
bool PoolCore<Runtime>::approves(InstanceCheck& check, Instance& instance, bool failed) {
  const InHook<Runtime> bound(instance);
  try {
    return check.good(instance.object, failed);
  } catch (...) {
    if (!std::current_exception()) {
      throw;
    }
    return false;
  }
}

/// Makes the instance of a vacant place that the caller holds.
/// Throws: what the factory throws; the caller does not hold the place any more then.
template <class Runtime>
void PoolCore<Runtime>::furnish(Instance& place) {
  try {
    const InHook<Runtime> bound(place);
    factory_->make(place);
  } catch (...) {
    give_back(place);
    throw;
  }
  const Lock lock(mutex_);
  ++instances_;
  ++made_;
}

template <class Runtime>
bool PoolCore<Runtime>::prepare(Instance& taken) {
  if (taken.object != nullptr) {
    bool valid = false;
    try {
      valid = validate_ == nullptr || approves(*validate_, taken, false);
    } catch (...) {  // a forced unwind: nobody knows
      discard(taken, Loss::rejected);
      throw;
    }
    if (valid) {
      return true;
    }
    if (factory_ == nullptr) {
      discard(taken, Loss::rejected);
      return false;
    }
    taken.clear();
    const Lock lock(mutex_);
    lose_locked(Loss::rejected);
  }
  furnish(taken);  // not validated: a factory whose instances are never good would be asked for ever
  return true;
}

template <class Runtime>
void PoolCore<Runtime>::discard(Instance& broken, Loss why) noexcept {
  broken.clear();
  LinkedList<Waiter> to_refuse;
  {
    const Lock lock(mutex_);
    lose_locked(why);
    if (factory_ == nullptr) {
      leased_.remove(broken);
      --places_;
      --capacity_;
      if (capacity_ == 0) {
        close_locked(to_refuse);
      }
      for (Waiter* waiter = waiting_.front(); waiter != nullptr; waiter = waiter->next) {
        waiter->look_again_locked();
      }
    }
  }
  if (factory_ != nullptr) {
    give_back(broken);
  } else {
    delete &broken;
  }
  refuse_all(to_refuse);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_PREPARING_HPP
