// SPDX-License-Identifier: MIT
//
// The children of a combinator, made from arguments or from a range, and their results. Read next: awaiter.hpp.

#ifndef TOTO_DETAIL_GATHER_CHILDREN_HPP
#define TOTO_DETAIL_GATHER_CHILDREN_HPP

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../ground/lean_std.hpp"
#include "child.hpp"

namespace toto::inline v0_1::detail {

/// What one child contributes to a tuple or vector of results.
template <class T>
using Element = std::conditional_t<
    std::is_void_v<T>, std::monostate,
    std::conditional_t<std::is_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>>;

/// Constant if the value cannot be moved, so that containers copy it.
template <class E>
using Passed = std::conditional_t<std::is_move_constructible_v<E>, E, const E>;

struct TakeElement {
  template <class Child>
  using Type = Element<typename Child::Result>;

  template <class Child>
  Passed<Type<Child>> operator()(Child& child) const {
    if constexpr (std::is_void_v<typename Child::Result>) {
      child.take();
      return {};
    } else {
      return child.take();
    }
  }
};

/// The common type if all are the same; otherwise a variant with one alternative per argument.
template <class First, class... Rest>
struct AnyOf {
  static constexpr bool kSame = (std::is_same_v<First, Rest> && ...);
  using Type = std::conditional_t<kSame, First, std::variant<First, Rest...>>;
};

/// Children of different types.
template <class... Cs>
class TupleOfChildren {
 public:
  template <class... As>
  explicit TupleOfChildren(As&... awaitables) : children_{detail::give(awaitables)...} {}

  template <class Function>
  void for_each(Function function) {
    std::apply([&](auto&... child) { (static_cast<void>(function(child)), ...); }, children_);
  }
  /// Returns the results, made by `take`, from left to right. Every child has ended.
  template <class Take>
  auto take_all(Take take) {
    return std::apply([&](auto&... child) { return std::tuple<typename Take::template Type<Cs>...>{take(child)...}; },
                      children_);
  }
  /// Returns the result of one child.
  template <template <class> class Result>
  auto take_one(std::size_t index) {
    return take_from<0, Result<typename AnyOf<Element<typename Cs::Result>...>::Type>>(index);
  }

 private:
  template <std::size_t kIndex, class Result>
  Result take_from(std::size_t index) {
    if constexpr (kIndex + 1 < sizeof...(Cs)) {
      if (index != kIndex) {
        return take_from<kIndex + 1, Result>(index);
      }
    }
    using Any = AnyOf<Element<typename Cs::Result>...>;
    auto& child = std::get<kIndex>(children_);
    if constexpr (Any::kSame) {
      return Result{kIndex, TakeElement()(child)};
    } else {
      return Result{kIndex, typename Any::Type(std::in_place_index<kIndex>, TakeElement()(child))};
    }
  }

  std::tuple<Cs...> children_;
};

/// Children of one type, from a range, which is consumed.
template <class Child>
class VectorOfChildren {
 public:
  template <class Range>
  explicit VectorOfChildren(Range& awaitables) {
    if constexpr (requires { std::ranges::size(awaitables); }) {
      children_.reserve(static_cast<std::size_t>(std::ranges::size(awaitables)));
    }
    for (auto&& awaitable : awaitables) {
      children_.emplace_back(detail::give(awaitable));
    }
  }

  template <class Function>
  void for_each(Function function) {
    for (Child& child : children_) {
      function(child);
    }
  }
  template <class Take>
  auto take_all(Take take) {
    using Taken = typename Take::template Type<Child>;
    if constexpr (std::is_void_v<typename Child::Result> && std::is_same_v<Taken, std::monostate>) {
      for_each(take);
    } else {
      std::vector<Taken> results;
      results.reserve(children_.size());
      for_each([&](Child& child) { results.push_back(take(child)); });
      return results;
    }
  }
  template <template <class> class Result>
  auto take_one(std::size_t index) {
    return Result<Element<typename Child::Result>>{index, TakeElement()(children_[index])};
  }

 private:
  std::vector<Child> children_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_CHILDREN_HPP
