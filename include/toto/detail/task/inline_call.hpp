// SPDX-License-Identifier: MIT
//
// A task without a handle whose callable and arguments are plain bytes: add_inline() copies it into the queue as a
// Closure. That allocates nothing, and nothing of the user's runs under the queue's mutex.

#ifndef TOTO_DETAIL_TASK_INLINE_CALL_HPP
#define TOTO_DETAIL_TASK_INLINE_CALL_HPP

#include <cstddef>
#include <exception>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../ground/callable.hpp"
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
           sizeof(Bound) <= Closure<Runtime>::kBytes && alignof(Bound) <= alignof(void*);
  } else {
    return false;
  }
}

template <class F, class Runtime, class Bound>
void run_inline(std::byte* bytes, Worker<Runtime>& worker) {
  std::exception_ptr failure;
  try {
    (*std::launder(reinterpret_cast<Bound*>(bytes)))();
  } catch (...) {
    failure = std::current_exception();
    if (!failure) {
      worker.count(Tally::kFailed);
      throw;  // a forced unwind: the thread is ending
    }
  }
  if (failure) [[unlikely]] {
    worker.core.report_unseen(failure, {.queue = {}, .name = detail::type_name<F>()});
  }
  worker.count(failure ? Tally::kFailed : Tally::kCompleted);
}

/// F: the callable, as it is to be reported.
template <class F, class Runtime, class Bound>
void add_inline(QueueCore<Runtime>& core, const Bound& bound) {
  core.add_closure([&bound](Closure<Runtime>& closure) noexcept {
    closure.run = &run_inline<F, Runtime, Bound>;
    ::new (static_cast<void*>(closure.bytes)) Bound(bound);  // a trivial copy: nothing of the user's runs
  });
}

/// The same as one type for all of them: a queue whose tasks need states makes one kind of state for all.
template <class Runtime>
struct PackedCall {
  template <class Bound>
  explicit PackedCall(const Bound& bound) noexcept
      : call([](std::byte* packed) { (*std::launder(reinterpret_cast<Bound*>(packed)))(); }) {
    ::new (static_cast<void*>(bytes)) Bound(bound);
  }

  void operator()() { call(bytes); }

  void (*call)(std::byte* packed);
  alignas(8) std::byte bytes[Closure<Runtime>::kBytes]{};
};

template <class Runtime>
void add_packed(QueueCore<Runtime>& core, const PackedCall<Runtime>& call, std::string_view what) {
  detail::submit_call_as<void>(core, what, {}, Control<Runtime>(), false, call);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_INLINE_CALL_HPP
