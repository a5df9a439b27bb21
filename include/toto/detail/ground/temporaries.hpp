// SPDX-License-Identifier: MIT
//
// GCC before 13 destroys twice every brace- or aggregate-initialised temporary with a non-trivial destructor inside a
// co_await expression: a closure with such a capture, `Row{...}`. This header decides which callables and arguments are
// of that kind, so that awaiting a handle made from them in the same expression is refused at compile time rather than
// corrupting memory. On other compilers it refuses nothing.

#ifndef TOTO_DETAIL_GROUND_TEMPORARIES_HPP
#define TOTO_DETAIL_GROUND_TEMPORARIES_HPP

#include <string_view>
#include <type_traits>
#include <utility>

#include "annotations.hpp"
#include "callable.hpp"

#define TOTO_STORE_THE_HANDLE_FIRST                                                                         \
  "toto: GCC before 13 destroys such a temporary twice; store the handle first, and await it by its name: " \
  "auto handle = ...; co_await handle;"

namespace toto::inline v0_1 {

namespace detail {

/// Whether T is the type of a lambda, as far as the compiler's name for it shows.
#if defined(__clang__)
template <class T>
consteval bool is_closure() {
  return std::string_view(__PRETTY_FUNCTION__).find("[T = (lambda") != std::string_view::npos;
}
#elif defined(__GNUC__)
// Whether the name of T ends in "<lambda(...)>", and not only in the argument of a template.
template <class T>
consteval bool is_closure() {
  const std::string_view function = __PRETTY_FUNCTION__;  // "... [with T = use()::<lambda()>]"
  std::size_t place = function.rfind('>');
  for (int depth = 0; place != std::string_view::npos && place > 0; --place) {
    depth += function[place] == '>' ? 1 : function[place] == '<' ? -1 : 0;
    if (depth == 0) {
      const bool last = function.find_first_not_of(" ];", function.rfind('>') + 1) == std::string_view::npos;
      return last && function.substr(place).starts_with("<lambda");
    }
  }
  return false;
}
#else
template <class T>
consteval bool is_closure() {
  return false;
}
#endif

/// A function, a pointer to one, a std::function or its like, or a lambda: nothing but a callable.
template <class F>
inline constexpr bool kBareCallable = std::is_function_v<std::remove_pointer_t<F>> || detail::is_closure<F>();
template <template <class> class Function, class Signature>
  requires std::is_function_v<Signature>
inline constexpr bool kBareCallable<Function<Signature>> = true;

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
/// T is deduced as for a forwarding reference.
template <class T>
inline constexpr bool kDestroyedTwice = !std::is_lvalue_reference_v<T> && !std::is_trivially_destructible_v<T> &&
                                        (std::is_aggregate_v<T> || detail::is_closure<T>());
#else
template <class T>
inline constexpr bool kDestroyedTwice = false;
#endif

/// Something that can be awaited once and releases its awaiter. `kTemporary`: it may have been made from a temporary
/// that the compiler would destroy twice.
template <class Awaiter, bool kTemporary>
class [[nodiscard(
    "nothing happens unless this is awaited: tasks do not start, and handles are not waited for")]] Awaitable {
 public:
  static constexpr bool kMustBeStored = kTemporary;

  template <class... Args>
  explicit Awaitable(std::in_place_t, Args&&... args) : awaiter_(std::in_place, std::forward<Args>(args)...) {}
  explicit Awaitable(Awaiter&& awaiter) noexcept : awaiter_(std::move(awaiter)) {}

  Awaiter operator co_await() & noexcept { return std::move(awaiter_); }
  template <class Self = Awaitable>
  Awaiter operator co_await() && noexcept {
    static_assert(!kTemporary || !std::is_same_v<Self, Awaitable>, TOTO_STORE_THE_HANDLE_FIRST);
    return std::move(awaiter_);
  }

 private:
  Awaiter awaiter_;
};

/// Holds an object in a class that has a constructor, which is what saves it from being destroyed twice.
template <class T>
class Named {
 public:
  explicit Named(T&& object) : object_(std::move(object)) {}
  explicit Named(const T& object) : object_(object) {}

  template <class... Args>
    requires std::is_invocable_v<T, Args...>
  decltype(auto) operator()(Args&&... args) && {
    return detail::invoke(std::move(object_), std::forward<Args>(args)...);
  }
  operator T() && { return std::move(object_); }  // NOLINT(google-explicit-constructor)

  const T& object() const noexcept { return object_; }

 private:
  T object_;
};

/// The type that is stored for an argument: std::decay_t of it, or, for a Named object, the type of that object.
template <class T>
using Stored = std::decay_t<decltype(detail::in_named(std::declval<std::decay_t<T>&>()))>;

}  // namespace detail

/// Declares that a moved object is a named one, which only looks like a temporary: `co_await
/// queue.yield_task(toto::not_a_temporary(std::move(work)))`. Returns something that can be called like `object`, or
/// that converts to it as an argument.
template <class T>
auto not_a_temporary(T&& object) {
  return detail::Named<std::remove_cvref_t<T>>(std::forward<T>(object));
}

}  // namespace toto::inline v0_1

#endif  // TOTO_DETAIL_GROUND_TEMPORARIES_HPP
