// SPDX-License-Identifier: MIT
//
// InlineCall: a task without a handle whose callable and arguments are plain bytes. It lives in the queue's slot
// itself: adding it allocates nothing, and nothing of the user's runs under the queue's mutex.

#ifndef TOTO_DETAIL_TASK_INLINE_CALL_HPP
#define TOTO_DETAIL_TASK_INLINE_CALL_HPP

#include <cstddef>
#include <exception>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../ground/invoke.hpp"
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
    using Closure = decltype(detail::bind_inline(std::declval<F>(), std::declval<Args>()...));
    return std::is_trivially_copyable_v<Closure> && std::is_copy_constructible_v<Closure> &&
           sizeof(Closure) <= Slot<Runtime>::kClosureBytes && alignof(Closure) <= alignof(void*);
  } else {
    return false;
  }
}

template <class Runtime, class Closure>
void run_inline(Slot<Runtime>& slot, Worker<Runtime>& worker) {
  Closure& closure = *std::launder(reinterpret_cast<Closure*>(slot.closure));
  worker.count(Tally::kBegun);
  std::exception_ptr failure;
  try {
    closure();
  } catch (...) {
    failure = std::current_exception();
    if (!failure) {
      worker.count(Tally::kFailed);
      throw;  // a forced unwind: the thread is ending
    }
  }
  if (failure) [[unlikely]] {
    worker.core.report_unseen(failure);
  }
  worker.count(failure ? Tally::kFailed : Tally::kCompleted);
}

template <class Runtime, class Closure>
void add_inline(QueueCore<Runtime>& core, const Closure& closure) {
  core.add(QueueCore<Runtime>::Kind::closure, &run_inline<Runtime, Closure>, [&](Slot<Runtime>& slot) {
    ::new (static_cast<void*>(slot.closure)) Closure(closure);  // a trivial copy: nothing of the user's runs
  });
}

/// A closure that fits into a slot, as one type for all of them: a queue whose tasks need states makes one kind of
/// state for all.
template <class Runtime>
struct PackedClosure {
  template <class Closure>
  explicit PackedClosure(const Closure& closure) noexcept
      : call([](std::byte* packed) { (*std::launder(reinterpret_cast<Closure*>(packed)))(); }) {
    ::new (static_cast<void*>(bytes)) Closure(closure);
  }

  void operator()() { call(bytes); }

  void (*call)(std::byte* packed);
  alignas(8) std::byte bytes[Slot<Runtime>::kClosureBytes]{};
};

template <class Runtime>
void add_packed(QueueCore<Runtime>& core, const PackedClosure<Runtime>& closure, std::string_view what) {
  detail::submit_named_call<void>(core, what, {}, Control<Runtime>(), false, closure);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_INLINE_CALL_HPP
