// SPDX-License-Identifier: MIT
//
// What awaiting something gives, asked of any type with the language's own rules.

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

/// The result type of `co_await` on an A, with an rvalue reference turned into a value.
template <class A>
struct AwaitTraits {
  using Awaiter = decltype(detail::get_awaiter(detail::as_stored(std::declval<std::remove_reference_t<A>&>())));
  using Result = ResultOf<decltype(std::declval<std::remove_reference_t<Awaiter>&>().await_resume())>;
};
template <class A>
using AwaitResult = typename AwaitTraits<A>::Result;

TOTO_COROUTINES_BEGIN

/// A task that awaits `awaitable`, which outlives it.
template <class A>
Task<AwaitResult<A>> await_one(A& awaitable) {
  if constexpr (requires { awaitable.await_ready(); }) {
    co_return co_await awaitable;  // its own awaiter, by its name: GCC 12 would copy what a function refers to
  } else {
    co_return co_await detail::as_stored(awaitable);
  }
}

TOTO_COROUTINES_END

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_AWAITABLE_HPP
