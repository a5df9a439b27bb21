// SPDX-License-Identifier: MIT
//
// when_all_or_cancel: awaits several handles, Tasks or other awaitables, and cancels the rest as soon as one fails.

#ifndef TOTO_WHEN_ALL_OR_CANCEL_HPP
#define TOTO_WHEN_ALL_OR_CANCEL_HPP

#include "detail/gather/awaiter.hpp"

namespace toto::inline v0_1 {

/// Awaitable: as when_all, but as soon as one argument has failed, the others are cancelled as by TaskHandle::cancel():
/// tasks that have not begun never will; a Task that has begun runs to its end. In any case, it waits until all have
/// ended, then throws the failure that came first.
/// Throws: at once, NoState for an empty handle or Task, or if the same one is passed twice; std::bad_alloc.
/// Resumes on: the home of the coroutine; the others are cancelled there, too.
/// Thread safety: Thread-safe, except with other uses of the arguments.
template <class... As>
  requires detail::CanBeGathered<As...>
auto when_all_or_cancel(As&&... awaitables) {
  return detail::gather<detail::Until::failure, detail::TakeElement, As...>(awaitables...);
}

template <class... As>
void when_all_or_cancel(As&&...) = delete;  // when_all, when_any and the like accept only what can be awaited and moved

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_OR_CANCEL_HPP
