// SPDX-License-Identifier: MIT
//
// CallTraits: how a callable is called with its arguments, and the type of the result. call_on: calls one with an
// object and further arguments. Read next: call_state.hpp.

#ifndef TOTO_DETAIL_TASK_BOUND_CALL_HPP
#define TOTO_DETAIL_TASK_BOUND_CALL_HPP

#include <type_traits>
#include <utility>

#include "../../task.hpp"
#include "../ground/callable.hpp"
#include "../ground/temporaries.hpp"

namespace toto::inline v0_1::detail {

/// How a callable is called with its arguments: as std::thread would, or with a stop token in front if it cannot be
/// called without one.
template <class Runtime, class F, class... Args>
struct CallTraits {
  using Token = typename Runtime::StopToken;
  static constexpr bool kPlain = std::is_invocable_v<Stored<F>, Stored<Args>...>;
  static constexpr bool kTakesToken = [] {
    if constexpr (kPlain) {
      return false;  // not even asked: a generic lambda's body would be instantiated with the token
    } else {
      return detail::may_take<Stored<F>, 0, Token>() && std::is_invocable_v<Stored<F>, Token, Stored<Args>...>;
    }
  }();
  static constexpr bool kValid = kPlain || kTakesToken;

  using Returned = typename std::conditional_t<
      kTakesToken, std::invoke_result<Stored<F>, Token, Stored<Args>...>,
      std::conditional_t<kPlain, std::invoke_result<Stored<F>, Stored<Args>...>, std::type_identity<void>>>::type;
  static constexpr bool kCoroutine = IsTask<std::remove_cvref_t<Returned>>::value;
  using Result = typename TaskResult<ResultOf<Returned>>::Type;
};

template <class Runtime, class F, class... Args>
consteval void require_callable() {
  constexpr bool kResult = IsTask<std::remove_cvref_t<F>>::value || std::is_arithmetic_v<std::remove_cvref_t<F>> ||
                           std::is_enum_v<std::remove_cvref_t<F>>;
  static_assert(!kResult,
                "toto: this is a Task or a value; pass the function that returns it, and its arguments: "
                "yield_task(fn, args...) and not yield_task(fn(args...))");
  constexpr bool kValid = kResult || CallTraits<Runtime, F, Args...>::kValid;
  constexpr bool kTokenLast = [] {
    if constexpr (!kValid) {
      return std::is_invocable_v<Stored<F>, Stored<Args>..., typename Runtime::StopToken>;
    }
    return false;
  }();
  static_assert(!kTokenLast, "toto: fn takes its StopToken last; let it be the first parameter: fn(token, args...)");
  static_assert(kValid || kTokenLast,
                "toto: fn cannot be called with these arguments; they are copied or moved as with std::thread: use "
                "std::ref to pass a reference");
}

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

#endif  // TOTO_DETAIL_TASK_BOUND_CALL_HPP
