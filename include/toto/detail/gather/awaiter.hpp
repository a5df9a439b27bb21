// SPDX-License-Identifier: MIT
//
// What a combinator returns: an awaitable that owns a block with a gathering and its children, which are made from
// arguments or from a range. Read next: ../../when_all.hpp.

#ifndef TOTO_DETAIL_GATHER_AWAITER_HPP
#define TOTO_DETAIL_GATHER_AWAITER_HPP

#include <coroutine>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "../../errors.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/ref.hpp"
#include "../ground/temporaries.hpp"
#include "all_or_first.hpp"
#include "child.hpp"
#include "fail_fast.hpp"

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

/// `Kind` is a combinator: it names the Gathering, has take(gathering, children), which returns the result, and may
/// have examine(gathering), which throws.
template <class Kind, class Runtime, class Children>
class GatheredBlock final : public Kind::template Gathering<Runtime> {
 public:
  template <class... As>
  explicit GatheredBlock(As&... awaitables) : children_(awaitables...) {
    children_.for_each([this](auto& child) { this->add(child); });
    if constexpr (requires { Kind::examine(*this); }) {
      Kind::examine(*this);
    }
  }

  auto take() { return Kind::take(*this, children_); }

 protected:
  ~GatheredBlock() override = default;

 private:
  Children children_;
};

/// Once.
template <class Block>
class GatherAwaiter {
 public:
  template <class... As>
  explicit GatherAwaiter(std::in_place_t, As&... awaitables) : block_(Ref<Block>::adopt(new Block(awaitables...))) {}
  GatherAwaiter(GatherAwaiter&&) noexcept = default;
  GatherAwaiter& operator=(GatherAwaiter&&) = delete;
  ~GatherAwaiter() {
    if (block_) {
      block_->leave();
      block_->forsake();
    }
  }

  bool await_ready() const {
    if (block_.get() == nullptr) {
      throw NoState("toto: this when_all, when_any or the like was already awaited; it can be awaited only once");
    }
    return block_->ready();
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    block_->arm(coroutine);
    try {
      // Children cannot resume the coroutine before all have been started: the coroutine, and with it *this, exists
      // until then.
      return !block_->start();  // after true, *this may be gone
    } catch (...) {
      block_->leave();
      static_cast<void>(block_->continues());
      throw;
    }
  }
  auto await_resume() {
    const Ref<Block> block = std::move(block_);
    block->leave();
    return block->take();
  }

 private:
  Ref<Block> block_;
};

/// The combinators that wait for all, and return what Take makes of each child.
template <template <class> class AllOfThem, class Take>
struct WhenAll {
  template <class Runtime>
  using Gathering = AllOfThem<Runtime>;

  template <class Runtime, class Children>
  static auto take(AllOfThem<Runtime>& gathering, Children& children) {
    gathering.rethrow_failure();
    return children.take_all(Take());
  }
};

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

template <class Kind, class... As>
auto gather(std::remove_reference_t<As>&... awaitables) {
  using What = Gathered<As...>;
  using Block = GatheredBlock<Kind, typename What::Runtime, typename What::Children>;
  return Awaitable<GatherAwaiter<Block>, What::kTemporary>(std::in_place, awaitables...);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_AWAITER_HPP
