// SPDX-License-Identifier: MIT
//
// PoolWaiter: a place in a pool's line. Read next: pool_core.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_WAITER_HPP
#define TOTO_DETAIL_POOL_POOL_WAITER_HPP

#include "../queue/wait_graph.hpp"
#include "pool_instance.hpp"

namespace toto::inline v0_1::detail {

/// Somebody who waits for an instance: a thread, a coroutine or a transaction.
template <class Runtime>
class PoolWaiter {
 public:
  using Instance = PooledInstance<Runtime>;

  explicit PoolWaiter(const Claim<Runtime>& who) noexcept : claim(who) {}
  PoolWaiter(const PoolWaiter&) = delete;
  PoolWaiter& operator=(const PoolWaiter&) = delete;

  /// Under the pool's mutex, after the waiter has left the list: `instance` is its own now, or, if that is null, the
  /// pool has closed. True: that was all, and the waiter may be gone when the mutex is free. False: proceed() or
  /// refuse() follows, without the mutex.
  virtual bool tell_locked() noexcept = 0;
  /// Goes on with the instance. Returns it, as a leased one, if it cannot use it. The waiter may be gone then.
  virtual Instance* proceed() noexcept = 0;
  /// Goes on with PoolClosed. The waiter may be gone then.
  virtual void refuse() noexcept = 0;
  /// Under the pool's mutex, before the waiter is put into the list.
  /// Throws: TimedOut if its time is up already.
  virtual void check_time_locked() {}
  /// Under the pool's mutex: there are fewer instances than there were.
  virtual void look_again_locked() noexcept {}
  /// Whether it may go on, and give the instance back, once it has one; see Awaited.
  virtual bool may_end_with_instance(const WaitGraph<Runtime>&) { return true; }
  /// Whether it also waits in the child of a fork. Not so threads, which are not there, and tasks, which run in the
  /// parent.
  virtual bool survives_fork() const noexcept { return false; }

  // Guarded by the pool's mutex.
  Instance* instance = nullptr;
  bool waiting = false;
  Claim<Runtime> claim;
  PoolWaiter* next = nullptr;
  PoolWaiter* previous = nullptr;

 protected:
  ~PoolWaiter() = default;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_WAITER_HPP
