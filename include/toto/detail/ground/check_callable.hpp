// SPDX-License-Identifier: MIT
//
// Refuses null callables where they are passed, rather than where they would be called. Whether a value may be null
// depends on its type, not on whether it compares with nullptr: many types do, through a conversion.

#ifndef TOTO_DETAIL_GROUND_CHECK_CALLABLE_HPP
#define TOTO_DETAIL_GROUND_CHECK_CALLABLE_HPP

#include <stdexcept>
#include <tuple>
#include <type_traits>

#include "../../version.hpp"
#include "temporaries.hpp"

namespace toto::inline v0_1::detail {

/// std::function and its like: a template of a signature, which is false when it is empty.
template <class F>
inline constexpr bool kIsFunctionWrapper = false;
template <template <class> class Function, class Signature>
  requires std::is_function_v<Signature>
inline constexpr bool kIsFunctionWrapper<Function<Signature>> =
    std::is_constructible_v<bool, const Function<Signature>&>;

/// Owns or refers to the object of a raw pointer, as std::unique_ptr and std::shared_ptr do.
template <class P>
concept SmartPointer = requires(const P& pointer) {
  typename P::element_type;
  pointer.operator->();
  requires std::is_pointer_v<decltype(pointer.get())>;
};

/// False for a callable that cannot be null.
template <class F>
bool is_null(const F& function) {
  if constexpr (kIsNamed<F>) {
    return detail::is_null(function.object());
  } else if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) {
    return function == nullptr;
  } else if constexpr (kIsFunctionWrapper<F>) {
    return !static_cast<bool>(function);
  } else {
    return false;
  }
}

/// Whether this is a null pointer through which a member of class C would be accessed. False for an object of that
/// class, even if it is a pointer itself.
template <class C, class Object>
bool is_null_object(const Object& object) {
  if constexpr (kIsNamed<Object>) {
    return detail::is_null_object<C>(object.object());
  } else if constexpr (std::is_same_v<C, Object> || std::is_base_of_v<C, Object>) {
    return false;
  } else if constexpr (std::is_pointer_v<Object>) {
    return object == nullptr;
  } else if constexpr (SmartPointer<Object>) {
    return object.get() == nullptr;
  } else {
    return false;
  }
}

template <class MemberPointer>
struct ClassOf;
template <class Member, class C>
struct ClassOf<Member C::*> {
  using Type = C;
};

/// Throws: std::invalid_argument for a null callable, or for a member pointer and a null object.
template <class F, class... Args>
void check_callable(const F& function, const Args&... args) {
  if (detail::is_null(function)) {
    throw std::invalid_argument("toto: fn is null; pass a function, a member pointer or a callable object");
  }
  if constexpr (std::is_member_pointer_v<F> && sizeof...(Args) > 0) {
    if (detail::is_null_object<typename ClassOf<F>::Type>(std::get<0>(std::tie(args...)))) {
      throw std::invalid_argument("toto: the first of args is null; pass the object to call the member on");
    }
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_CHECK_CALLABLE_HPP
