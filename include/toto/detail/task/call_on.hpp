// SPDX-License-Identifier: MIT
//
// call_on: calls a callable with an object and further arguments, of which the first may be a stop token.

#ifndef TOTO_DETAIL_TASK_CALL_ON_HPP
#define TOTO_DETAIL_TASK_CALL_ON_HPP

#include <type_traits>
#include <utility>

#include "../ground/callable.hpp"

namespace toto::inline v0_1::detail {

/// A callable that is no member pointer, and takes it there, has the token in front of the object.
template <class Token, class F, class T, class... Args>
inline constexpr bool kTokenFirst = false;
template <class Token, class F, class T, class... Args>
  requires(!std::is_member_pointer_v<F>)
inline constexpr bool kTokenFirst<Token, F, T, Token, Args...> =
    detail::may_take<F, 0, Token>() && std::is_invocable_v<F, Token, T&, Args...>;

/// Others have it behind the object, which counts among the arguments of what is no member function.
template <class Token, class F, class T, class... Args>
inline constexpr bool kObjectFirst = std::is_invocable_v<F, T&, Args...>;
template <class Token, class F, class T, class... Args>
inline constexpr bool kObjectFirst<Token, F, T, Token, Args...> =
    detail::may_take<F, std::is_member_function_pointer_v<F> ? 0 : 1, Token>() &&
    std::is_invocable_v<F, T&, Token, Args...>;

/// The second is not even asked after the first: the body of a generic lambda would be instantiated.
template <class Token, class F, class T, class... Args>
concept CallableOn = kTokenFirst<Token, F, T, Args...> || kObjectFirst<Token, F, T, Args...>;

/// `std::invoke(function, object, args...)`, but for kTokenFirst.
template <class Token, class F, class T, class... Args>
  requires CallableOn<Token, F, T, Args...>
decltype(auto) call_on(F&& function, T& object, Args&&... args) {
  if constexpr (kTokenFirst<Token, F, T, Args...>) {
    return [&](Token&& token, auto&&... rest) -> decltype(auto) {
      return detail::invoke(std::forward<F>(function), std::move(token), object, std::move(rest)...);
    }(std::move(args)...);
  } else {
    return detail::invoke(std::forward<F>(function), object, std::forward<Args>(args)...);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_CALL_ON_HPP
