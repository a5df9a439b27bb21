// SPDX-License-Identifier: MIT
//
// The result of awaiting a value of any type, by the language's own rules.

#ifndef TOTO_DETAIL_TASK_AWAITABLE_HPP
#define TOTO_DETAIL_TASK_AWAITABLE_HPP

#include <type_traits>
#include <utility>

#include "../../task.hpp"
#include "../../task_handle.hpp"
#include "../ground/annotations.hpp"

namespace toto::inline v0_1::detail {

template <class A>
decltype(auto) get_awaiter(A&& awaitable) {
  if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); }) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return std::forward<A>(awaitable);
  }
}

/// What had to be stored is stored, wherever the library itself awaits it.
template <class A>
decltype(auto) as_stored(A& awaitable) noexcept {
  if constexpr (IsHandle<std::remove_cv_t<A>>::value || IsTask<std::remove_cv_t<A>>::value ||
                requires { A::kMustBeStored; }) {
    return (awaitable);  // awaited as an lvalue
  } else {
    return std::move(awaitable);
  }
}

/// What co_await asks; the A itself, if it is no awaitable.
template <class A>
using AwaiterOf = std::remove_reference_t<decltype(detail::get_awaiter(
    detail::as_stored(std::declval<std::remove_reference_t<A>&>())))>;

template <class A>
inline constexpr bool kCanBeAwaited = requires(AwaiterOf<A>& awaiter) {
  awaiter.await_ready();
  awaiter.await_resume();
};

/// The result type of `co_await` on an A, with an rvalue reference turned into a value.
template <class A>
struct AwaitTraits {
  static_assert(kCanBeAwaited<A>,
                "toto: this cannot be awaited: pass a handle, a Task or another awaitable; call a function that "
                "returns one: fn(), not fn");
  static constexpr auto result() {
    if constexpr (kCanBeAwaited<A>) {
      return std::type_identity<ResultOf<decltype(std::declval<AwaiterOf<A>&>().await_resume())>>();
    } else {
      return std::type_identity<void>();
    }
  }
  using Result = typename decltype(result())::type;
};
template <class A>
using AwaitResult = typename AwaitTraits<A>::Result;

TOTO_COROUTINES_BEGIN

/// A task that awaits `awaitable`. A is its type, and the task keeps it; or a reference, to what outlives the task.
template <class A, class Value = std::remove_reference_t<A>>
Task<AwaitResult<Value>> await_one(A awaitable) {
  if constexpr (!kCanBeAwaited<Value>) {
    co_return;  // refused by AwaitTraits
  } else if constexpr (requires { awaitable.await_ready(); }) {
    co_return co_await awaitable;  // its own awaiter, by its name: GCC 12 would copy what a function refers to
  } else {
    co_return co_await detail::as_stored(awaitable);
  }
}

TOTO_COROUTINES_END

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_AWAITABLE_HPP
