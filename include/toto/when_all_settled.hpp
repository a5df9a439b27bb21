// SPDX-License-Identifier: MIT
//
// when_all_settled: awaits several handles, Tasks or other awaitables, and returns each one's result or failure.

#ifndef TOTO_WHEN_ALL_SETTLED_HPP
#define TOTO_WHEN_ALL_SETTLED_HPP

#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

#include "detail/gather/awaiter.hpp"

namespace toto::inline v0_1 {

/// How one of several awaited things ended: with a value, or with an exception. T may be void or a reference.
/// Thread safety: One thread at a time.
template <class T>
class Settled {
 public:
  using value_type = T;

  /// Keeps what `function` returns or throws.
  template <class Function>
    requires std::is_invocable_v<Function&>
  explicit Settled(std::in_place_t, Function function) : kept_(std::in_place_index<1>) {
    try {
      kept_.template emplace<0>(function());
    } catch (...) {
      kept_.template emplace<1>(std::current_exception());
    }
  }

  bool has_value() const noexcept { return kept_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// Returns the value; for T&, the object itself.
  /// Throws: the stored exception, if there is no value.
  std::add_lvalue_reference_t<T> value() & {
    rethrow();
    if constexpr (!std::is_void_v<T>) {
      return std::get<0>(kept_);
    }
  }
  std::add_lvalue_reference_t<const T> value() const& {
    rethrow();
    if constexpr (!std::is_void_v<T>) {
      return std::get<0>(kept_);
    }
  }
  /// The same, moved out.
  T value() && {
    rethrow();
    if constexpr (!std::is_void_v<T>) {
      return static_cast<T>(std::get<0>(std::move(kept_)));
    }
  }

  /// Returns the exception, or null.
  std::exception_ptr exception() const noexcept { return has_value() ? nullptr : std::get<1>(kept_); }

 private:
  void rethrow() const {
    if (!has_value()) {
      std::rethrow_exception(std::get<1>(kept_));
    }
  }

  std::variant<detail::Element<T>, std::exception_ptr> kept_;
};

namespace detail {

struct TakeSettled {
  template <class Child>
  using Type = Settled<typename Child::Result>;

  template <class Child>
  Type<Child> operator()(Child& child) const {
    return Type<Child>(std::in_place, [&]() -> decltype(auto) { return TakeElement()(child); });
  }
};

}  // namespace detail

/// Awaitable: as when_all, but returns a tuple of Settled (for a range a vector of Settled, even for void), and does
/// not throw failures.
/// Throws: at once, NoState for an empty handle or Task, or if the same one is passed twice; std::bad_alloc.
/// Resumes on: the home of the coroutine.
/// Thread safety: Thread-safe, except with other uses of the arguments.
template <class... As>
  requires detail::CanBeGathered<As...>
auto when_all_settled(As&&... awaitables) {
  return detail::gather<detail::Until::all, detail::TakeSettled, As...>(awaitables...);
}

template <class... As>
void when_all_settled(As&&...) = delete;  // when_all, when_any and the like accept only what can be awaited and moved

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_SETTLED_HPP
