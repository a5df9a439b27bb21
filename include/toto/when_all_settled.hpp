// SPDX-License-Identifier: MIT
//
// when_all_settled: awaits several handles or tasks, and keeps their failures apart.

#ifndef TOTO_WHEN_ALL_SETTLED_HPP
#define TOTO_WHEN_ALL_SETTLED_HPP

#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "detail/ground/ranges.hpp"
#include "when_all.hpp"

namespace toto::inline v0_1 {

/// How one of several ended: with a value, or with an exception. T may be void or a reference.
/// Thread safety: One thread at a time.
template <class T>
class Settled {
 public:
  using value_type = T;

  /// From what `function` returns or throws.
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

  /// The value, for T& the object itself.
  /// Throws: the exception, if there is one instead.
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

  /// The exception, or null.
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

template <class Child>
Settled<typename Child::Result> settle(Child& child) {
  return Settled<typename Child::Result>(std::in_place,
                                         [&]() -> decltype(auto) { return detail::take_element(child); });
}

template <class... Children>
class SettlingTuple : public TupleOfChildren<Children...> {
 public:
  using TupleOfChildren<Children...>::TupleOfChildren;

  auto take() {
    return std::apply(
        [](auto&... child) { return std::tuple<Settled<typename Children::Result>...>{detail::settle(child)...}; },
        this->children_);
  }
};

template <class Child>
class SettlingVector : public VectorOfChildren<Child> {
 public:
  using VectorOfChildren<Child>::VectorOfChildren;

  auto take() {
    std::vector<Settled<typename Child::Result>> results;
    results.reserve(this->children_.size());
    for (Child& child : this->children_) {
      results.push_back(detail::settle(child));
    }
    return results;
  }
};

}  // namespace detail

/// To be awaited: the same as when_all, but gives a tuple of Settled, and throws none of the failures.
/// Throws: NoState, at once, for a handle or task that is empty; that includes the same one twice.
/// Resumes on: where the coroutine was running.
template <class... As>
  requires(detail::kIsChild<As> && ...)
auto when_all_settled(As&&... awaitables) {
  using Runtime = typename detail::RuntimeOf<std::remove_cvref_t<As>...>::Type;
  using Children = detail::SettlingTuple<typename detail::ChildOf<std::remove_cvref_t<As>>::template Type<Runtime>...>;
  constexpr bool kTemporary = ((detail::kUnstored<std::remove_cvref_t<As>> && !std::is_lvalue_reference_v<As>) || ...);
  return detail::WhenAll<Runtime, Children, kTemporary>(Children{
      typename detail::ChildOf<std::remove_cvref_t<As>>::template Type<Runtime>(detail::as_child(awaitables))...});
}

/// The same for a range of handles or of tasks, which are consumed: gives a vector of Settled, also for void.
template <detail::RangeOfChildren Range>
auto when_all_settled(Range&& awaitables) {
  using A = detail::ElementOf<Range>;
  using Runtime = typename detail::RuntimeOf<A>::Type;
  using Child = typename detail::ChildOf<A>::template Type<Runtime>;
  using Children = detail::SettlingVector<Child>;
  return detail::WhenAll<Runtime, Children, detail::kDestroyedTwice<Range>>(
      Children(detail::children_of<Child>(awaitables)));
}

/// Anything else is refused in words.
template <class... As>
  requires(!detail::Gatherable<As...>)
auto when_all_settled(As&&... /*awaitables*/) {
  return detail::refuse_children<As...>();
}

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_SETTLED_HPP
