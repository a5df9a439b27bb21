// SPDX-License-Identifier: MIT
//
// The type of a callable's parameter, where the callable has one signature. That the callable accepts an argument does
// not tell its parameter's type: a bool converts to a number, anything to a std::any.

#ifndef TOTO_DETAIL_GROUND_PARAMETERS_HPP
#define TOTO_DETAIL_GROUND_PARAMETERS_HPP

#include <cstddef>
#include <type_traits>
#include <utility>

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

template <class... Parameters>
struct ParameterList {
  template <class T>
  static constexpr bool has(std::size_t index) noexcept {
    bool is_there = false;
    ((is_there = is_there || (index-- == 0 && std::is_same_v<std::remove_cvref_t<Parameters>, T>)), ...);
    return is_there;
  }
};

// Never called. A function that is noexcept is deduced, too.
template <class R, class... P>
ParameterList<P...> parameters_of(R (*)(P...));
template <class R, class C, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...));
template <class R, class C, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) const);
template <class R, class C, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) &);
template <class R, class C, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) const&);
template <class R, class C, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) &&);
template <class R, class C, class... P>
ParameterList<P...> parameters_of(R (C::*)(P...) const&&);

/// Whether the parameter of F with that index, counted from 0 and without the object of a member function, may be meant
/// for a T: its type is T, or F is overloaded or a template, so that the type is unknown.
template <class F, std::size_t kIndex, class T>
constexpr bool may_take() {
  if constexpr (requires { detail::parameters_of(std::declval<F>()); }) {
    return decltype(detail::parameters_of(std::declval<F>()))::template has<T>(kIndex);
  } else if constexpr (requires { detail::parameters_of(&std::remove_cvref_t<F>::operator()); }) {
    return decltype(detail::parameters_of(&std::remove_cvref_t<F>::operator()))::template has<T>(kIndex);
  } else {
    return true;
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_PARAMETERS_HPP
