// SPDX-License-Identifier: MIT
//
// when_all_or_cancel: awaits several handles or tasks, and cancels the rest as soon as one fails.

#ifndef TOTO_WHEN_ALL_OR_CANCEL_HPP
#define TOTO_WHEN_ALL_OR_CANCEL_HPP

#include <coroutine>
#include <type_traits>
#include <utility>

#include "detail/gather/scope.hpp"
#include "detail/gather/shared_children.hpp"
#include "detail/ground/ranges.hpp"
#include "detail/ground/temporaries.hpp"
#include "task.hpp"
#include "task_handle.hpp"

namespace toto::inline v0_1 {

namespace detail {

template <class Runtime>
class PlainScope final : public Scope<Runtime> {
 public:
  using Scope<Runtime>::Scope;

 protected:
  ~PlainScope() override = default;
};

template <class Runtime, class Children>
class WhenAllOrCancelAwaiter {
 public:
  explicit WhenAllOrCancelAwaiter(Children children) noexcept : children_(std::move(children)) {}
  WhenAllOrCancelAwaiter(WhenAllOrCancelAwaiter&& other) noexcept
      : children_(std::move(other.children_)), empty_(std::exchange(other.empty_, true)) {}
  WhenAllOrCancelAwaiter& operator=(WhenAllOrCancelAwaiter&&) = delete;
  ~WhenAllOrCancelAwaiter() {
    if (scope_ != nullptr) {
      scope_->abandon();
      children_.for_each([](auto& child) { child.node().forsake(); });
    }
  }

  bool await_ready() const {
    if (empty_) {
      throw NoState("toto: what when_all_or_cancel gave was awaited already");
    }
    return children_.size() == 0;
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    auto* const scope = new PlainScope<Runtime>(children_.size());
    scope_ = scope;
    scope->arm(coroutine);
    // The scope cannot run out before started(): the coroutine, and with it *this, stays.
    children_.for_each([&](auto& child) {
      auto& node = child.node();
      if (node.kIsLazy && scope->cancelled()) {
        scope->child_over(nullptr, nullptr);  // one has failed: this one does not begin
        return;
      }
      const bool open = scope->enter(node);
      try {
        node.start(*scope);
      } catch (...) {
        scope->leave(node);
        throw;
      }
      if (!open) {
        node.cancel();
      }
    });
    return !scope->started();  // after false from started(), *this may be gone
  }
  auto await_resume() {
    if (PlainScope<Runtime>* const scope = std::exchange(scope_, nullptr)) {
      const auto kept = Ref<PlainScope<Runtime>>::share(scope);
      scope->abandon();
      kept->rethrow_failure();
    }
    return children_.take();
  }

 private:
  Children children_;
  PlainScope<Runtime>* scope_ = nullptr;
  bool empty_ = false;
};

template <class Runtime, class Children, bool kTemporary>
class [[nodiscard("co_await it: tasks do not start, and handles are not waited for, otherwise")]] WhenAllOrCancel {
 public:
  static constexpr bool kMustBeStored = kTemporary;

  explicit WhenAllOrCancel(Children children) noexcept : awaiter_(std::move(children)) {}

  auto operator co_await() & noexcept { return std::move(awaiter_); }
  template <class Self = WhenAllOrCancel>
  auto operator co_await() && noexcept {
    static_assert(!kTemporary || !std::is_same_v<Self, WhenAllOrCancel>, TOTO_STORE_THE_HANDLE_FIRST);
    return std::move(awaiter_);
  }

 private:
  WhenAllOrCancelAwaiter<Runtime, Children> awaiter_;
};

}  // namespace detail

/// To be awaited: the same as when_all, but as soon as one child has failed the others are cancelled, as by
/// TaskHandle::cancel(). Waits until all are over in any case, and then throws the failure that came first. Tasks that
/// have not begun by then do not; one that has begun runs to its end.
/// Throws: NoState, at once, for a handle or task that is empty; that includes the same one twice.
/// Resumes on: where the coroutine was running; there the others are cancelled, too.
template <class... As>
  requires(detail::kIsChild<As> && ...)
auto when_all_or_cancel(As&&... awaitables) {
  using Runtime = typename detail::RuntimeOf<std::remove_cvref_t<As>...>::Type;
  using Children =
      detail::TupleOfChildren<typename detail::ChildOf<std::remove_cvref_t<As>>::template Shared<Runtime>...>;
  constexpr bool kTemporary = ((detail::kUnstored<std::remove_cvref_t<As>> && !std::is_lvalue_reference_v<As>) || ...);
  return detail::WhenAllOrCancel<Runtime, Children, kTemporary>(Children{
      typename detail::ChildOf<std::remove_cvref_t<As>>::template Shared<Runtime>(detail::as_child(awaitables))...});
}

/// The same for a range of handles or of tasks, which are consumed.
template <detail::RangeOfChildren Range>
auto when_all_or_cancel(Range&& awaitables) {
  using A = detail::ElementOf<Range>;
  using Runtime = typename detail::RuntimeOf<A>::Type;
  using Child = typename detail::ChildOf<A>::template Shared<Runtime>;
  using Children = detail::VectorOfChildren<Child>;
  return detail::WhenAllOrCancel<Runtime, Children, detail::kDestroyedTwice<Range>>(
      Children(detail::children_of<Child>(awaitables)));
}

/// Anything else is refused in words.
template <class... As>
  requires(!detail::Gatherable<As...>)
auto when_all_or_cancel(As&&... /*awaitables*/) {
  return detail::refuse_children<As...>();
}

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_OR_CANCEL_HPP
