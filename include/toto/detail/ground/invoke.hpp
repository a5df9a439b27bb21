// SPDX-License-Identifier: MIT
//
// invoke: std::invoke without <functional>, which takes compilers longer than all of this library's declarations.

#ifndef TOTO_DETAIL_GROUND_INVOKE_HPP
#define TOTO_DETAIL_GROUND_INVOKE_HPP

#include <tuple>
#include <type_traits>
#include <utility>

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

/// Calls `function(args...)`, or the member that it points to of the first argument. Throws what the call throws.
template <class F, class... Args>
constexpr std::invoke_result_t<F, Args...> invoke(F&& function, Args&&... args) {
  if constexpr (std::is_member_pointer_v<std::remove_cvref_t<F>>) {
    return std::apply(std::forward<F>(function), std::forward_as_tuple(std::forward<Args>(args)...));
  } else {
    return std::forward<F>(function)(std::forward<Args>(args)...);
  }
}

/// The answer of a check: what it returns, or true if it returns void.
template <class F, class... Args>
constexpr bool invoke_check(F&& check, Args&&... args) {
  if constexpr (std::is_void_v<std::invoke_result_t<F, Args...>>) {
    detail::invoke(std::forward<F>(check), std::forward<Args>(args)...);
    return true;
  } else {
    return static_cast<bool>(detail::invoke(std::forward<F>(check), std::forward<Args>(args)...));
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_INVOKE_HPP
