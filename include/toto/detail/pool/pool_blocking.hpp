// SPDX-License-Identifier: MIT
//
// Using an instance on the calling thread: HeldInstance, which blocks until it has one and gives it back at the end of
// its scope, and BlockingCall, what a call with it gives. Read next: ../instance_pool.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_BLOCKING_HPP
#define TOTO_DETAIL_POOL_POOL_BLOCKING_HPP

#include <type_traits>
#include <utility>

#include "../../call_site.hpp"
#include "../task/call_state.hpp"
#include "pool_core.hpp"
#include "pool_transaction.hpp"

namespace toto::inline v0_1::detail {

/// What a blocking call gives, checked in words.
template <class F, class... Args>
struct BlockingCall {
  static_assert(std::is_invocable_v<F, Args...>,
                "toto: fn cannot be called with an instance of the pool and these arguments");
  using Returned = typename std::conditional_t<std::is_invocable_v<F, Args...>, std::invoke_result<F, Args...>,
                                               std::type_identity<void>>::type;
  static_assert(!IsTask<std::remove_cvref_t<Returned>>::value,
                "toto: fn returns a Task, which would run on without the instance; pool.await_transaction(fn) keeps it "
                "until the coroutine has ended");
  using Type = typename PooledValue<Returned>::Type;
};
template <class F, class... Args>
using BlockingResult = typename BlockingCall<F, Args...>::Type;

/// An instance in the hands of a function that is running.
template <class T, class Runtime>
class HeldInstance {
 public:
  using Kind = typename Claim<Runtime>::Kind;

  HeldInstance(Ref<PoolCore<Runtime>> pool, Kind kind, CallSite where)
      : pool_(std::move(pool)),
        instance_(take(*pool_, Claim<Runtime>::here(kind, where), (Runtime::Clock::time_point::max)())) {
    instance_->bind();
    pool_->lend(*instance_);
  }
  HeldInstance(const HeldInstance&) = delete;
  HeldInstance& operator=(const HeldInstance&) = delete;
  ~HeldInstance() { pool_->take_back(*instance_); }

  T& operator*() const noexcept { return *static_cast<T*>(instance_->object); }

  /// An instance that can be used. Null: not before the deadline.
  static PooledInstance<Runtime>* take(PoolCore<Runtime>& pool, const Claim<Runtime>& claim,
                                       typename Runtime::Clock::time_point deadline) {
    PooledInstance<Runtime>* instance = pool.take_until(claim, deadline);
    while (instance != nullptr && pool.needs_preparing(*instance) && !pool.prepare(*instance)) {
      instance = pool.take_until(claim, deadline, true);
    }
    return instance;
  }

 private:
  const Ref<PoolCore<Runtime>> pool_;
  PooledInstance<Runtime>* const instance_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_BLOCKING_HPP
