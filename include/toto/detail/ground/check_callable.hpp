// SPDX-License-Identifier: MIT
//
// Refuses null callables where they are handed over, rather than where they would be called. Read next: call_state.hpp,
// ../event_loop.hpp.

#ifndef TOTO_DETAIL_GROUND_CHECK_CALLABLE_HPP
#define TOTO_DETAIL_GROUND_CHECK_CALLABLE_HPP

#include <stdexcept>
#include <tuple>
#include <type_traits>

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

/// False for whatever cannot be null.
template <class F>
bool is_null(const F& value) {
  if constexpr (!std::is_function_v<F> && requires { value == nullptr; }) {
    return value == nullptr;
  } else {
    return false;
  }
}

/// Throws: std::invalid_argument for a null callable, or for a member pointer and a null object.
template <class F, class... Args>
void check_callable(const F& function, const Args&... args) {
  if (is_null(function)) {
    throw std::invalid_argument("toto: fn is null; give a function, a member pointer or a callable object");
  }
  if constexpr (std::is_member_pointer_v<F> && sizeof...(Args) > 0) {
    if (is_null(std::get<0>(std::tie(args...)))) {
      throw std::invalid_argument("toto: the first of args is null; give the object to call the member of");
    }
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_CHECK_CALLABLE_HPP
