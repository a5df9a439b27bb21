// SPDX-License-Identifier: MIT
//
// A task without a handle whose callable and arguments are plain bytes: add_inline() copies it into the queue as a
// Closure. That allocates nothing, and nothing of the user's runs under the queue's mutex.

#ifndef TOTO_DETAIL_TASK_INLINE_CALL_HPP
#define TOTO_DETAIL_TASK_INLINE_CALL_HPP

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "../ground/callable.hpp"
#include "../ground/text.hpp"
#include "../queue/queue_core.hpp"
#include "call_state.hpp"
#include "submission.hpp"

namespace toto::inline v0_1::detail {

/// Binds by capturing the pack: unlike a std::tuple, the closure is trivially copyable if its parts are.
template <class F, class... Args>
auto bind_inline(F&& fn, Args&&... args) {
  return [function = std::decay_t<F>(std::forward<F>(fn)),
          ... bound = std::decay_t<Args>(std::forward<Args>(args))]() mutable {
    static_cast<void>(detail::invoke(std::move(function), std::move(bound)...));
  };
}

template <class Runtime, class F, class... Args>
constexpr bool fits_inline() {
  using Traits = CallTraits<Runtime, F, Args...>;
  if constexpr (Traits::kPlain && !Traits::kCoroutine &&
                (std::is_trivially_copyable_v<std::decay_t<F>> && ... &&
                 std::is_trivially_copyable_v<std::decay_t<Args>>)) {
    using Bound = decltype(detail::bind_inline(std::declval<F>(), std::declval<Args>()...));
    return std::is_trivially_copyable_v<Bound> && std::is_copy_constructible_v<Bound> &&
           sizeof(Bound) <= Closure::kBytes && alignof(Bound) <= alignof(void*);
  } else {
    return false;
  }
}

template <class F, class Bound>
inline constexpr Closure::Kind kClosureKind{
    [](std::byte* bytes) { (*std::launder(reinterpret_cast<Bound*>(bytes)))(); }, detail::type_name<F>()};

/// F: the callable, as it is to be reported.
template <class F, class Runtime, class Bound>
void add_inline(QueueCore<Runtime>& core, const Bound& bound) {
  const auto fill = [&bound](Closure& closure) noexcept {
    closure.kind = &kClosureKind<F, Bound>;
    ::new (static_cast<void*>(closure.bytes)) Bound(bound);  // a trivial copy: nothing of the user's runs
  };
  if (!core.needs_states()) [[likely]] {
    core.add_closure(fill);
  } else {
    Closure closure{};
    fill(closure);
    core.functions().add_with_state(core, closure);
  }
}

/// A queue whose tasks need states makes one kind of state for all closures.
template <class Runtime>
void add_with_state(QueueCore<Runtime>& core, const Closure& closure) {
  detail::submit_call<void>(core, {}, Control<Runtime>(), false, closure);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_INLINE_CALL_HPP
