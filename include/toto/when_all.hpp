// SPDX-License-Identifier: MIT
//
// when_all: awaits several handles or tasks at once.

#ifndef TOTO_WHEN_ALL_HPP
#define TOTO_WHEN_ALL_HPP

#include <coroutine>
#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

#include "detail/gather/children.hpp"
#include "detail/ground/ranges.hpp"
#include "detail/ground/temporaries.hpp"
#include "task.hpp"
#include "task_handle.hpp"

namespace toto::inline v0_1 {

namespace detail {

/// The part of when_all that does not depend on how the children are kept. `Children` has for_each(function).
template <class Runtime, class Children>
class WhenAllAwaiter {
 public:
  explicit WhenAllAwaiter(Children children) noexcept : children_(std::move(children)) {}
  WhenAllAwaiter(WhenAllAwaiter&& other) noexcept
      : children_(std::move(other.children_)), empty_(std::exchange(other.empty_, true)) {}
  WhenAllAwaiter& operator=(WhenAllAwaiter&&) = delete;
  ~WhenAllAwaiter() {
    if (join_ != nullptr) {
      join_->abandon();
    }
  }

  bool await_ready() const {
    if (empty_) {
      throw NoState("toto: what when_all gave was awaited already");
    }
    bool ready = true;
    children_.for_each([&](const auto& child) { ready = ready && child.ready(); });
    return ready;
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    const std::size_t count = children_.size();
    auto* const join = new JoinOfAll<Runtime>(count);
    join_ = join;
    join->arm(coroutine);
    std::size_t over = 0;
    // The join cannot run out before started(): the coroutine, and with it *this, stays.
    children_.for_each([&](auto& child) { over += child.start(*join) ? 0U : 1U; });
    return !join->started(over);  // after false from started(), *this may be gone
  }
  auto await_resume() {
    if (join_ != nullptr) {
      std::exchange(join_, nullptr)->abandon();
    }
    return children_.take();
  }

 private:
  Children children_;
  JoinOfAll<Runtime>* join_ = nullptr;
  bool empty_ = false;
};

template <class Runtime, class Children, bool kTemporary>
class [[nodiscard("co_await it: tasks do not start, and handles are not waited for, otherwise")]] WhenAll {
 public:
  static constexpr bool kMustBeStored = kTemporary;

  explicit WhenAll(Children children) noexcept : awaiter_(std::move(children)) {}

  auto operator co_await() & noexcept { return std::move(awaiter_); }
  template <class Self = WhenAll>
  auto operator co_await() && noexcept {
    static_assert(!kTemporary || !std::is_same_v<Self, WhenAll>, TOTO_STORE_THE_HANDLE_FIRST);
    return std::move(awaiter_);
  }

 private:
  WhenAllAwaiter<Runtime, Children> awaiter_;
};

}  // namespace detail

/// To be awaited: waits until every handle and task is over, then gives a tuple of the results in the order of the
/// arguments (void as std::monostate, T& as std::reference_wrapper), or throws the first failure in that order.
///
/// Handles run already, in parallel as their queues allow; tasks are started when this is awaited, one after another,
/// each to its first suspension. Named handles are consumed like moved ones. If the awaiting coroutine is destroyed,
/// handles are dropped and tasks destroyed.
/// Throws: NoState, at once, for a handle or task that is empty; that includes the same one twice. When awaited, also
/// std::bad_alloc: the handles are consumed by then, and are dropped: their tasks run.
/// Resumes on: where the coroutine was running.
template <class... As>
  requires(detail::kIsChild<As> && ...)
auto when_all(As&&... awaitables) {
  using Runtime = typename detail::RuntimeOf<std::remove_cvref_t<As>...>::Type;
  using Children =
      detail::TupleOfChildren<typename detail::ChildOf<std::remove_cvref_t<As>>::template Type<Runtime>...>;
  constexpr bool kTemporary = ((detail::kUnstored<std::remove_cvref_t<As>> && !std::is_lvalue_reference_v<As>) || ...);
  return detail::WhenAll<Runtime, Children, kTemporary>(Children{
      typename detail::ChildOf<std::remove_cvref_t<As>>::template Type<Runtime>(detail::as_child(awaitables))...});
}

/// The same for a range of handles or of tasks, which are consumed: gives a vector of the results, or nothing for void.
template <detail::RangeOfChildren Range>
auto when_all(Range&& awaitables) {
  using A = detail::ElementOf<Range>;
  using Runtime = typename detail::RuntimeOf<A>::Type;
  using Child = typename detail::ChildOf<A>::template Type<Runtime>;
  using Children = detail::VectorOfChildren<Child>;
  return detail::WhenAll<Runtime, Children, detail::kDestroyedTwice<Range>>(
      Children(detail::children_of<Child>(awaitables)));
}

/// Anything else is refused in words.
template <class... As>
  requires(!detail::Gatherable<As...>)
auto when_all(As&&... /*awaitables*/) {
  return detail::refuse_children<As...>();
}

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_HPP
