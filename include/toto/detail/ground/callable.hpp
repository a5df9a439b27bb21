// SPDX-License-Identifier: MIT
//
// Callables without <functional>, which takes compilers longer than all of this library's declarations: invoke, as
// std::invoke; may_take, what a parameter's type is; check_callable, which refuses null ones; AnyFunction, as
// std::function, for callables that need not be copied.

#ifndef TOTO_DETAIL_GROUND_CALLABLE_HPP
#define TOTO_DETAIL_GROUND_CALLABLE_HPP

#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../../version.hpp"
#include "ref.hpp"

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
/// for a T: its type is T, or F is overloaded or a template, so that the type is unknown. That F accepts a T does not
/// tell: a bool converts to a number, anything to a std::any.
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

template <class T>
class Named;  // temporaries.hpp

/// What a callable or an argument is, or holds.
template <class T>
const T& in_named(const T& value) noexcept {
  return value;  // NOLINT(bugprone-return-const-ref-from-parameter): callers pass names
}
template <class T>
const T& in_named(const Named<T>& value) noexcept {
  return value.object();
}

/// False for what cannot be null. That depends on the type, not on whether it compares with nullptr: many types do,
/// through a conversion.
template <class T>
bool is_null(const T& given) {
  const auto& value = detail::in_named(given);
  using Value = std::remove_cvref_t<decltype(value)>;
  if constexpr (std::is_pointer_v<Value> || std::is_member_pointer_v<Value>) {
    return value == nullptr;
  } else if constexpr (kIsFunctionWrapper<Value>) {
    return !static_cast<bool>(value);
  } else {
    return false;
  }
}

/// Whether this is a null pointer through which the member would be accessed. False for an object of class C, even if
/// that is a pointer itself.
template <class Member, class C, class Object>
bool is_null_object(Member C::* /*member*/, const Object& object) {
  if constexpr (std::is_same_v<C, Object> || std::is_base_of_v<C, Object>) {
    return false;
  } else if constexpr (SmartPointer<Object>) {
    return object.get() == nullptr;
  } else {
    return detail::is_null(object);
  }
}

/// Throws: std::invalid_argument for a null callable, or for a member pointer and a null object.
template <class F, class... Args>
void check_callable(const F& function, const Args&... args) {
  if (detail::is_null(function)) {
    throw std::invalid_argument("toto: fn is null; pass a function, a member pointer or a callable object");
  }
  const auto& callable = detail::in_named(function);
  if constexpr (std::is_member_pointer_v<std::decay_t<decltype(callable)>> && sizeof...(Args) > 0) {
    if (detail::is_null_object(callable, detail::in_named(std::get<0>(std::tie(args...))))) {
      throw std::invalid_argument("toto: the first of args is null; pass the object to call the member on");
    }
  }
}

template <class Runtime, class Signature>
class AnyFunction;

/// Holds a callable, or none. Copies share it.
template <class Runtime, class R, class... Args>
class AnyFunction<Runtime, R(Args...)> {
 public:
  AnyFunction() noexcept = default;
  /// Holds none if `function` is null.
  /// Throws: std::bad_alloc; what copying or moving the callable throws.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, AnyFunction>)
  explicit AnyFunction(F&& function)
      : held_(Ref<Any>::adopt(detail::is_null(function) ? nullptr
                                                        : new Of<std::decay_t<F>>(std::forward<F>(function)))) {}

  explicit operator bool() const noexcept { return static_cast<bool>(held_); }
  /// Must not be empty. Throws: what the callable throws.
  R operator()(Args... args) const { return held_->call(std::forward<Args>(args)...); }

 private:
  struct Any : RefCounted<Runtime> {
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Of final : Any {
    template <class Given>
      requires(!std::is_same_v<std::remove_cvref_t<Given>, Of>)
    explicit Of(Given&& given) : function(std::forward<Given>(given)) {}
    R call(Args... args) override { return static_cast<R>(function(std::forward<Args>(args)...)); }
    F function;
  };

  Ref<Any> held_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GROUND_CALLABLE_HPP
