// SPDX-License-Identifier: MIT
//
// when_any: awaits several handles or tasks, and goes on with the first one that ends.

#ifndef TOTO_WHEN_ANY_HPP
#define TOTO_WHEN_ANY_HPP

#include <array>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "detail/gather/shared_children.hpp"
#include "detail/ground/ranges.hpp"
#include "detail/ground/temporaries.hpp"
#include "task.hpp"
#include "task_handle.hpp"

namespace toto::inline v0_1 {

/// What when_any gives: which one was the first, counted from 0, and its result.
template <class T>
struct WhenAnyResult {
  std::size_t index;
  T result;
};

namespace detail {

/// Remembers which child ended first.
template <class Runtime>
class Race final : public Gathering<Runtime> {
 public:
  /// The coroutine takes the losers out before they begin: some may stand in front of it, where it lives.
  explicit Race(std::size_t children) noexcept : Gathering<Runtime>(children, 1) { this->hurry(); }

  void ended(ChildNode<Runtime>& child, Worker<Runtime>*, QueueCore<Runtime>*) noexcept override {
    ChildNode<Runtime>* nobody = nullptr;
    // Release: pairs with first(). The count that follows publishes too late: another child, which has lost, may be
    // counted before.
    first_.compare_exchange_strong(nobody, &child, std::memory_order_release, std::memory_order_relaxed);
  }
  const ChildNode<Runtime>* first() const noexcept { return first_.load(std::memory_order_acquire); }

 protected:
  ~Race() override = default;

 private:
  typename Runtime::template Atomic<ChildNode<Runtime>*> first_{nullptr};
};

/// Arguments of one type give that; different ones a variant with an alternative for each argument.
template <class First, class... Rest>
struct AnyOf {
  static constexpr bool kSame = (std::is_same_v<First, Rest> && ...);
  using Type = std::conditional_t<kSame, First, std::variant<First, Rest...>>;
};

template <class... Children>
class RacingTuple : public TupleOfChildren<Children...> {
 public:
  using TupleOfChildren<Children...>::TupleOfChildren;
  using Any = AnyOf<Element<typename Children::Result>...>;
  using Result = WhenAnyResult<typename Any::Type>;

  Result take(std::size_t index) { return take(index, std::index_sequence_for<Children...>()); }

 private:
  template <std::size_t... kIndices>
  Result take(std::size_t index, std::index_sequence<kIndices...>) {
    using Take = Result (*)(RacingTuple&);
    static constexpr std::array<Take, sizeof...(Children)> takes{[](RacingTuple& self) -> Result {
      auto& child = std::get<kIndices>(self.children_);
      if constexpr (Any::kSame) {
        return Result{kIndices, detail::take_element(child)};
      } else {
        return Result{kIndices, typename Any::Type(std::in_place_index<kIndices>, detail::take_element(child))};
      }
    }...};
    return takes[index](*this);
  }
};

template <class Child>
class RacingVector : public VectorOfChildren<Child> {
 public:
  using VectorOfChildren<Child>::VectorOfChildren;
  using Result = WhenAnyResult<Element<typename Child::Result>>;

  Result take(std::size_t index) { return Result{index, detail::take_element(this->children_[index])}; }
};

template <class Runtime, class Children>
class WhenAnyAwaiter {
 public:
  explicit WhenAnyAwaiter(Children children) noexcept : children_(std::move(children)) {}
  WhenAnyAwaiter(WhenAnyAwaiter&& other) noexcept
      : children_(std::move(other.children_)), empty_(std::exchange(other.empty_, true)) {}
  WhenAnyAwaiter& operator=(WhenAnyAwaiter&&) = delete;
  ~WhenAnyAwaiter() {
    if (race_ != nullptr) {
      race_->abandon();
      children_.for_each([](auto& child) { child.node().forsake(); });
    }
  }

  /// A handle that is ready has won, before any task is started.
  bool await_ready() {
    if (empty_) {
      throw NoState("toto: what when_any gave was awaited already");
    }
    bool any = false;
    children_.for_each([&](const auto& child) { any = any || child.ready(); });
    if (any) {
      // Only now: one that has ended before that is seen here, too.
      find_first([](const auto& child) { return child.ready(); });
    }
    return any;
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    auto* const race = new Race<Runtime>(children_.size());
    race_ = race;
    race->arm(coroutine);
    // The race cannot run out before started(): the coroutine, and with it *this, stays.
    children_.for_each([&](auto& child) {
      if (race->first() == nullptr) {
        child.node().start(*race);
      }
    });
    return !race->started();  // after false from started(), *this may be gone
  }
  typename Children::Result await_resume() {
    if (Race<Runtime>* const race = std::exchange(race_, nullptr)) {
      const ChildNode<Runtime>* const first = race->first();
      race->abandon();
      find_first([first](auto& child) { return std::addressof(child.node()) == first; });
    }
    // The last first: one that stops at once shall not let the next one begin.
    children_.for_each_backwards([&](std::size_t index, auto& child) {
      if (index != first_) {
        child.node().cancel();
      }
    });
    return children_.take(first_);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  template <class IsFirst>
  void find_first(IsFirst is_first) {
    std::size_t index = 0;
    children_.for_each([&](auto& child) {
      if (first_ == kNone && is_first(child)) {
        first_ = index;
      }
      ++index;
    });
  }

  Children children_;
  Race<Runtime>* race_ = nullptr;
  std::size_t first_ = kNone;
  bool empty_ = false;
};

template <class Runtime, class Children, bool kTemporary>
class [[nodiscard("co_await it: tasks do not start, and handles are not waited for, otherwise")]] WhenAny {
 public:
  static constexpr bool kMustBeStored = kTemporary;

  explicit WhenAny(Children children) noexcept : awaiter_(std::move(children)) {}

  auto operator co_await() & noexcept { return std::move(awaiter_); }
  template <class Self = WhenAny>
  auto operator co_await() && noexcept {
    static_assert(!kTemporary || !std::is_same_v<Self, WhenAny>, TOTO_STORE_THE_HANDLE_FIRST);
    return std::move(awaiter_);
  }

 private:
  WhenAnyAwaiter<Runtime, Children> awaiter_;
};

}  // namespace detail

/// To be awaited: waits until one of the handles and tasks is over, and gives its index and its result (void as
/// std::monostate, T& as std::reference_wrapper; if they are of different types, a variant with an alternative for each
/// argument), or throws what it threw: the first to end decides, however it ends.
///
/// The others are cancelled, as by TaskHandle::cancel(), before the coroutine goes on: what has not begun never runs,
/// what is running is asked to stop through its StopToken. Nobody waits for them; their results are destroyed when they
/// end, their failures go to on_error. A Task cannot be stopped: one that has begun runs on to its end, and is
/// destroyed there. So tasks must not refer to what goes away with the awaiting coroutine. If handles are ready when
/// this is awaited, the first of them in the order of the arguments wins, and no task is started. If the awaiting
/// coroutine is destroyed, handles are dropped and tasks destroyed.
/// Throws: NoState, at once, for a handle or task that is empty; that includes the same one twice.
/// Resumes on: where the coroutine was running.
template <class... As>
  requires(sizeof...(As) > 0 && (detail::kIsChild<As> && ...))
auto when_any(As&&... awaitables) {
  using Runtime = typename detail::RuntimeOf<std::remove_cvref_t<As>...>::Type;
  using Children = detail::RacingTuple<typename detail::ChildOf<std::remove_cvref_t<As>>::template Shared<Runtime>...>;
  constexpr bool kTemporary = ((detail::kUnstored<std::remove_cvref_t<As>> && !std::is_lvalue_reference_v<As>) || ...);
  return detail::WhenAny<Runtime, Children, kTemporary>(Children{
      typename detail::ChildOf<std::remove_cvref_t<As>>::template Shared<Runtime>(detail::as_child(awaitables))...});
}

/// Of nothing, there is no first.
void when_any() = delete;

/// The same for a range of handles or of tasks, which are consumed.
/// Throws: std::invalid_argument, at once, if it is empty.
template <detail::RangeOfChildren Range>
auto when_any(Range&& awaitables) {
  using A = detail::ElementOf<Range>;
  using Runtime = typename detail::RuntimeOf<A>::Type;
  using Child = typename detail::ChildOf<A>::template Shared<Runtime>;
  std::vector<Child> children = detail::children_of<Child>(awaitables);
  if (children.empty()) {
    throw std::invalid_argument("toto: awaitables is empty: when_any of nothing would wait for ever");
  }
  using Children = detail::RacingVector<Child>;
  return detail::WhenAny<Runtime, Children, detail::kDestroyedTwice<Range>>(Children(std::move(children)));
}

/// Anything else is refused in words.
template <class... As>
  requires(!detail::Gatherable<As...>)
auto when_any(As&&... /*awaitables*/) {
  return detail::refuse_children<As...>();
}

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ANY_HPP
