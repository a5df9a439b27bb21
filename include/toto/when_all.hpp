// SPDX-License-Identifier: MIT
//
// when_all: awaits several handles or tasks at once.

#ifndef TOTO_WHEN_ALL_HPP
#define TOTO_WHEN_ALL_HPP

#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "detail/join.hpp"
#include "detail/temporaries.hpp"
#include "task.hpp"
#include "task_handle.hpp"

namespace toto::inline v0 {

namespace detail {

/// What one child contributes to a tuple or vector of results.
template <class T>
using Element = std::conditional_t<
    std::is_void_v<T>, std::monostate,
    std::conditional_t<std::is_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>>;

template <class Child>
Element<typename Child::Result> take_element(Child& child) {
  if constexpr (std::is_void_v<typename Child::Result>) {
    child.take();
    return {};
  } else {
    return child.take();
  }
}

/// Which kind of child an argument of a combinator becomes.
template <class A>
struct ChildOf;
template <class T, class Runtime>
struct ChildOf<TaskHandle<T, Runtime>> {
  template <class Default>
  using RuntimeOr = Runtime;
  template <class Default>
  using Type = HandleChild<T, Runtime>;
};
template <class T, class Runtime>
struct ChildOf<UnstoredHandle<T, Runtime>> : ChildOf<TaskHandle<T, Runtime>> {};
template <class T>
struct ChildOf<Task<T>> {
  template <class Default>
  using RuntimeOr = Default;
  template <class Default>
  using Type = TaskChild<T, Default>;
};

/// The runtime of the first handle; StdRuntime if there are only tasks.
template <class... As>
struct RuntimeOf {
  using Type = StdRuntime;
};
template <class A, class... As>
struct RuntimeOf<A, As...> {
  using Type = typename ChildOf<A>::template RuntimeOr<typename RuntimeOf<As...>::Type>;
};

template <class A>
inline constexpr bool kIsChild = IsHandle<A>::value || IsTask<A>::value;

template <class A>
inline constexpr bool kUnstored = false;
template <class T, class Runtime>
inline constexpr bool kUnstored<UnstoredHandle<T, Runtime>> = true;

/// How an argument is handed to its child: a handle is emptied in place, a task is moved.
template <class T, class Runtime>
TaskHandle<T, Runtime>& as_child(TaskHandle<T, Runtime>& handle) noexcept {
  return handle;
}
template <class T>
Task<T>&& as_child(Task<T>& task) noexcept {
  return std::move(task);
}

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
    Join<Runtime>* const join = new Join<Runtime>(coroutine, count);
    join_ = join;
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
  Join<Runtime>* join_ = nullptr;
  bool empty_ = false;
};

/// All results, or the first failure in the order of the arguments. Every child is over.
template <class... Children>
class TupleOfChildren {
 public:
  explicit TupleOfChildren(Children&&... children) noexcept : children_(std::move(children)...) {}

  static constexpr std::size_t size() noexcept { return sizeof...(Children); }
  template <class Function>
  void for_each(Function function) {
    std::apply([&](auto&... child) { (function(child), ...); }, children_);
  }
  template <class Function>
  void for_each(Function function) const {
    std::apply([&](const auto&... child) { (function(child), ...); }, children_);
  }
  auto take() {
    return std::apply(
        [](auto&... child) {
          // Braces: from left to right.
          return std::tuple<Element<typename std::remove_reference_t<decltype(child)>::Result>...>{
              take_element(child)...};
        },
        children_);
  }

 private:
  std::tuple<Children...> children_;
};

template <class Child>
class VectorOfChildren {
 public:
  explicit VectorOfChildren(std::vector<Child> children) noexcept : children_(std::move(children)) {}

  std::size_t size() const noexcept { return children_.size(); }
  template <class Function>
  void for_each(Function function) {
    for (Child& child : children_) {
      function(child);
    }
  }
  template <class Function>
  void for_each(Function function) const {
    for (const Child& child : children_) {
      function(child);
    }
  }
  auto take() {
    if constexpr (std::is_void_v<typename Child::Result>) {
      for (Child& child : children_) {
        child.take();
      }
    } else {
      std::vector<Element<typename Child::Result>> results;
      results.reserve(children_.size());
      for (Child& child : children_) {
        results.push_back(take_element(child));
      }
      return results;
    }
  }

 private:
  std::vector<Child> children_;
};

template <class Runtime, class Children, bool kTemporary>
class [[nodiscard("co_await it: tasks do not start, and handles are not waited for, otherwise")]] WhenAll {
 public:
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

/// To be awaited: waits until every handle and task is over, then gives a tuple of the results in the order
/// of the arguments (void as std::monostate, T& as std::reference_wrapper), or throws the first failure in
/// that order.
///
/// Handles run already, in parallel as their queues allow; tasks are started when this is awaited, one after
/// another, each to its first suspension. Named handles are consumed like moved ones. If the awaiting
/// coroutine is destroyed, handles are dropped and tasks destroyed.
/// Throws: NoState, at once, for a handle or
/// task that is empty; that includes the same one twice.
/// Resumes on: where the coroutine was running.
template <class... As>
  requires(detail::kIsChild<std::remove_cvref_t<As>> && ...)
auto when_all(As&&... awaitables) {
  using Runtime = typename detail::RuntimeOf<std::remove_cvref_t<As>...>::Type;
  using Children =
      detail::TupleOfChildren<typename detail::ChildOf<std::remove_cvref_t<As>>::template Type<Runtime>...>;
  constexpr bool kTemporary = ((detail::kUnstored<std::remove_cvref_t<As>> && !std::is_lvalue_reference_v<As>) || ...);
  return detail::WhenAll<Runtime, Children, kTemporary>(Children{
      typename detail::ChildOf<std::remove_cvref_t<As>>::template Type<Runtime>(detail::as_child(awaitables))...});
}

/// The same for a range of handles or of tasks, which are consumed: gives a vector of the results, or nothing
/// for void.
template <std::ranges::input_range Range>
  requires(detail::kIsChild<std::ranges::range_value_t<Range>>)
auto when_all(Range&& awaitables) {
  using A = std::ranges::range_value_t<Range>;
  using Runtime = typename detail::RuntimeOf<A>::Type;
  using Child = typename detail::ChildOf<A>::template Type<Runtime>;
  std::vector<Child> children;
  if constexpr (std::ranges::sized_range<Range>) {
    children.reserve(static_cast<std::size_t>(std::ranges::size(awaitables)));
  }
  for (auto&& awaitable : awaitables) {
    children.emplace_back(detail::as_child(awaitable));
  }
  using Children = detail::VectorOfChildren<Child>;
  return detail::WhenAll<Runtime, Children, false>(Children(std::move(children)));
}

}  // namespace toto::inline v0

#endif  // TOTO_WHEN_ALL_HPP
