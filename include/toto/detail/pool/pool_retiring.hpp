// SPDX-License-Identifier: MIT
//
// Destroying instances that nobody has used for a while. A timer comes when the one that has been free longest has been
// so for long enough. It only looks; to destroy is left to the default queue, because what the user's destructor takes
// must not keep other timers. An instance that retires is leased to whoever destroys it, and its place comes back like
// any other: so there are never more instances than there may be, and whoever has come meanwhile gets the place. Part
// of PoolCore; include pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_RETIRING_HPP
#define TOTO_DETAIL_POOL_POOL_RETIRING_HPP

#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// True: there is something to look after, and from now on the caller does, by start_watch().
template <class Runtime>
bool PoolCore<Runtime>::watch_locked() noexcept {
  if (!retires() || watching_ || closed_ || free_.empty() || instances_ <= min_instances_) {
    return false;
  }
  watching_ = true;
  watch_.deadline = idle_timeout_.after(free_.front()->free_since);
  return true;
}

/// The instance that is to retire now, or null.
template <class Runtime>
PooledInstance<Runtime>* PoolCore<Runtime>::idle_locked() const noexcept {
  if (closed_ || free_.empty() || instances_ <= min_instances_) {
    return nullptr;
  }
  Instance* const oldest = free_.front();
  return idle_timeout_.after(oldest->free_since) <= Clock::now() ? oldest : nullptr;
}

/// Leaves the watch to the timer.
template <class Runtime>
void PoolCore<Runtime>::do_start_watch() noexcept {
  watch_.run = [](Continuation& node, Turn) noexcept { static_cast<Watch&>(node).pool->idle_time_is_up(); };
  try {
    TimerService<Runtime>::instance().arm(watch_, *this);
  } catch (...) {  // no memory, no thread: the next instance that comes back tries again
    const Lock lock(mutex_);
    watching_ = false;
    return;
  }
  bool too_late = false;
  {
    const Lock lock(mutex_);
    too_late = closed_;
  }
  if (too_late) {
    stop_watch();  // close() may have come before the timer was there
  }
}

/// The pool has closed: nobody needs the timer any more.
template <class Runtime>
void PoolCore<Runtime>::do_stop_watch() noexcept {
  TimerService<Runtime>::instance().disarm(watch_, *this);
}

/// On the thread of the timers.
template <class Runtime>
void PoolCore<Runtime>::idle_time_is_up() noexcept {
  const Ref<PoolCore> self = Ref<PoolCore>::adopt(this);
  bool due = false;
  bool later = false;
  {
    const Lock lock(mutex_);
    due = idle_locked() != nullptr;
    if (!due) {  // the one that was to retire has been used meanwhile
      watching_ = false;
      later = watch_locked();
    }
  }
  if (later) {
    start_watch();
  }
  if (!due) {
    return;
  }
  watch_.run = [](Continuation& node, Turn) noexcept { static_cast<Watch&>(node).pool->retire_idle(); };
  this->retain();  // for the continuation
  try {
    if (default_queue().post(watch_)) {
      return;
    }
  } catch (...) {  // no memory for the queue
  }
  retire_idle();  // nobody else is left to do it
}

/// In the default queue.
template <class Runtime>
void PoolCore<Runtime>::retire_idle() noexcept {
  const Ref<PoolCore> self = Ref<PoolCore>::adopt(this);
  const Claim claim = Claim::here(Claim::Kind::retirement, {});
  for (;;) {
    Instance* idle = nullptr;
    {
      const Lock lock(mutex_);
      idle = idle_locked();
      if (idle == nullptr) {
        watching_ = false;
        if (!watch_locked()) {
          return;
        }
      } else {
        free_.remove(*idle);
        idle->holder = claim;
        leased_.push_back(*idle);
        lose_locked(Loss::retired);
      }
    }
    if (idle == nullptr) {
      start_watch();
      return;
    }
    idle->clear();
    give_back(*idle);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_RETIRING_HPP
