// SPDX-License-Identifier: MIT
//
// How instances are used: BlockingResult, LeaseAwaiter, Transaction. Read next: ../../instance_pool.hpp.

#ifndef TOTO_DETAIL_POOL_POOL_USE_HPP
#define TOTO_DETAIL_POOL_POOL_USE_HPP

#include <coroutine>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../../lease.hpp"
#include "../../task.hpp"
#include "../../task_handle.hpp"
#include "../task/bound_call.hpp"
#include "../task/permit_task.hpp"
#include "../task/permit_wait.hpp"
#include "pool_core.hpp"

namespace toto::inline v0_1::detail {

/// The result of a call with an instance: a value. A reference might refer into an instance that has been returned.
template <class R>
struct PooledValue {
  static_assert(!std::is_reference_v<R> || std::is_constructible_v<std::remove_cvref_t<R>, R>,
                "toto: fn returns a reference to something that cannot be copied; the instance goes back to the pool "
                "when fn returns: return a value, or use pool.instance()");
  using Type = std::remove_cvref_t<R>;
};

template <class F, class... Args>
struct BlockingCall {
  static constexpr bool kValid = std::is_invocable_v<F, Args...>;
  static_assert(kValid, "toto: fn cannot be called with an instance of the pool and these arguments");
  using Returned = typename std::conditional_t<kValid, std::invoke_result<F, Args...>, std::type_identity<void>>::type;
  static_assert(!IsTask<std::remove_cvref_t<Returned>>::value,
                "toto: fn returns a Task, which would continue without the instance; "
                "pool.await_transaction(fn) keeps it until the coroutine has ended");
  using Type = typename PooledValue<Returned>::Type;
};
template <class F, class... Args>
using BlockingResult = typename BlockingCall<F, Args...>::Type;

template <class T, class Runtime>
class [[nodiscard("co_await it: it takes no instance before that")]] LeaseAwaiter {
 public:
  LeaseAwaiter(PoolCore<Runtime>& pool, CallSite where, Duration limit = Duration::never()) noexcept
      : pool_(Ref<PoolCore<Runtime>>::share(&pool)), where_(where), limit_(limit) {}

  bool await_ready() {
    waiting_ = {};  // of an earlier await
    taken_ = detail::in_hand(*pool_, pool_->try_take(request().claim));
    return taken_ != nullptr && pool_->ready(*taken_);
  }
  template <class Promise>
  TOTO_NOINLINE auto await_suspend(std::coroutine_handle<Promise> coroutine) {
    waiting_ = detail::take_permit(Ref<Permits<Runtime>>(pool_), request(), std::move(taken_));
    return waiting_.operator co_await().await_suspend(coroutine);
  }
  Lease<T, Runtime> await_resume() {
    if (waiting_.valid()) {
      taken_ = waiting_.operator co_await().await_resume();
    }
    return Lease<T, Runtime>(LeaseKind::awaited, pool_, *taken_.release());
  }

  template <class Self = LeaseAwaiter>
  T* operator->() const {
    static_assert(!std::is_same_v<Self, LeaseAwaiter>,
                  "toto: pool.lease() is no lease before it is awaited: auto lease = co_await pool.lease()");
    return nullptr;
  }

 private:
  PermitRequest<Runtime> request() const noexcept {
    PermitRequest<Runtime> wanted{Claim<Runtime>::here("lease awaited", where_)};
    wanted.deadline = limit_.is_never() ? wanted.deadline : limit_.after(wanted.claim.since);
    return wanted;
  }

  Ref<PoolCore<Runtime>> pool_;
  CallSite where_;
  Duration limit_;
  HeldPermit<Runtime> taken_;  // without waiting for it
  Task<HeldPermit<Runtime>> waiting_;
};

/// What the task of a transaction calls: `fn(instance, args...)`, or that with a stop token; see call_on(). Gives the
/// instance back when it is destroyed, after everything else.
template <class T, class Runtime, class F, class... Args>
class TransactionCall {
 public:
  using Token = typename Runtime::StopToken;

  template <class Fn, class... As>
  explicit TransactionCall(PermitSlot<Runtime>& slot, Fn&& fn, As&&... args)
      : back_{slot}, fn_(std::forward<Fn>(fn)), args_(std::forward<As>(args)...) {}

  template <class... MaybeToken>
    requires CallableOn<Token, F, T, MaybeToken..., Args...>
  auto operator()(MaybeToken... token) {
    auto& instance = static_cast<PooledInstance<Runtime>&>(back_.slot.use());
    const auto call = [&](Args&... args) -> decltype(auto) {
      return detail::call_on<Token>(std::move(fn_), *static_cast<T*>(instance.object), std::move(token)...,
                                    std::move(args)...);
    };
    using Returned = decltype(std::apply(call, args_));
    if constexpr (!IsTask<std::remove_cvref_t<Returned>>::value) {
      instance.bind();  // fn runs in this very frame
    }
    return static_cast<typename PooledValue<Returned>::Type>(std::apply(call, args_));
  }

 private:
  struct Back {
    PermitSlot<Runtime>& slot;
    ~Back() { slot.give_back(); }
  };

  const Back back_;  // the last to be destroyed
  F fn_;
  std::tuple<Args...> args_;
};

template <class T, class Runtime, class F, class... Args>
using Transaction = TransactionCall<T, Runtime, Stored<F>, Stored<Args>...>;

template <class T, class Runtime, class F, class... Args>
using TransactionHandle =
    HandleFrom<typename CallTraits<Runtime, Transaction<T, Runtime, F, Args...>>::Result, Runtime, F, Args...>;

/// Makes and begins a transaction. `Handle`: void for none.
/// Throws: std::bad_alloc, what copying throws, std::invalid_argument for a null callable; what begin() throws.
template <class T, class Handle, class Runtime, class F, class... Args>
Handle submit_transaction(QueueCore<Runtime>& queue, const Ref<PoolCore<Runtime>>& pool, CallSite where, F&& fn,
                          Args&&... args) {
  using Call = Transaction<T, Runtime, F, Args...>;
  static_assert(CallTraits<Runtime, Call>::kValid,
                "toto: fn cannot be called with an instance of the pool and these arguments, which are copied "
                "or moved, as with std::thread; use std::ref to pass a reference");
  detail::check_callable(fn);
  auto* const state = new PermitTask<Runtime, Call, Stored<F>>(
      queue, Ref<Permits<Runtime>>::share(pool.get()),
      Claim<Runtime>::in_queue("transaction in a queue, added", queue.name(), where), std::forward<F>(fn),
      std::forward<Args>(args)...);
  state->begin(std::is_void_v<Handle>);
  if constexpr (!std::is_void_v<Handle>) {
    return Access::make<Handle>(state);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_POOL_POOL_USE_HPP
