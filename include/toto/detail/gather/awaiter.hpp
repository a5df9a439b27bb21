// SPDX-License-Identifier: MIT
//
// What a combinator returns: an awaitable that owns a block with a gathering and its children, which are made from
// arguments or from a range. Read next: ../../when_all.hpp.

#ifndef TOTO_DETAIL_GATHER_AWAITER_HPP
#define TOTO_DETAIL_GATHER_AWAITER_HPP

#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../../task.hpp"
#include "../ground/annotations.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/temporaries.hpp"
#include "child.hpp"
#include "gathering.hpp"

namespace toto::inline v0_1 {

template <class T>
struct WhenAnyResult;

namespace detail {

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

/// The gathering of a combinator, and its children. Take makes a result of each child, if all are awaited.
template <Until kUntil, class Take, class Runtime, class Children>
class GatheredBlock final : public Gathering<Runtime> {
 public:
  template <class... As>
  explicit GatheredBlock(As&... awaitables) : Gathering<Runtime>(kUntil), children_(awaitables...) {
    children_.for_each([this](auto& child) { this->add(child); });
    if (kUntil == Until::first && this->empty()) {
      throw std::invalid_argument("toto: awaitables is empty: when_any of an empty range would never complete");
    }
  }

  auto take() {
    if constexpr (kUntil == Until::first) {
      return children_.template take_one<WhenAnyResult>(this->detach_losers());
    } else {
      if (this->decider() != nullptr) {
        this->decider()->rethrow();
      }
      return children_.take_all(Take());
    }
  }

 protected:
  ~GatheredBlock() override = default;

 private:
  Children children_;
};

/// Once.
template <class Block>
class GatherAwaiter : public GatherWait<Block> {
 public:
  using GatherWait<Block>::GatherWait;

  auto await_resume() { return this->take(); }
};

TOTO_COROUTINES_BEGIN

/// Cancels the others when one has failed, and then waits for them, too.
template <class Block>
auto await_or_cancel(GatherWait<Block> all) -> Task<decltype(all.take())> {
  co_await all;
  if (all->decider() != nullptr) {
    all->cancel();
    co_await all;
  }
  co_return all.take();
}

TOTO_COROUTINES_END

/// What becomes of several awaitables, or of one range of them. As: deduced as for forwarding references.
template <class... As>
struct Gathered {
  using Runtime = typename RuntimeOf<std::remove_reference_t<As>...>::Type;
  using Children = TupleOfChildren<ChildOf<Runtime, As>...>;
  static constexpr bool kTemporary = (detail::is_unstored<As>() || ...);
};
template <GatherableRange Range>
struct Gathered<Range> {
  using Element = std::remove_reference_t<std::iter_reference_t<IteratorOf<Range>>>;
  using Runtime = typename RuntimeOf<Element>::Type;
  using Children = VectorOfChildren<ChildOf<Runtime, Element>>;
  static constexpr bool kTemporary = kDestroyedTwice<Range>;
};

template <Until kUntil, class Take, class... As>
auto gather(std::remove_reference_t<As>&... awaitables) {
  using What = Gathered<As...>;
  using Block = GatheredBlock<kUntil, Take, typename What::Runtime, typename What::Children>;
  if constexpr (kUntil == Until::failure) {
    return detail::stored_task<What::kTemporary>(
        detail::await_or_cancel(GatherWait<Block>(std::in_place, awaitables...)));
  } else {
    return Awaitable<GatherAwaiter<Block>, What::kTemporary>(std::in_place, awaitables...);
  }
}

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_DETAIL_GATHER_AWAITER_HPP
