// SPDX-License-Identifier: MIT
//
// when_all_or_cancel: awaits several handles or tasks, and cancels the rest as soon as one fails.

#ifndef TOTO_WHEN_ALL_OR_CANCEL_HPP
#define TOTO_WHEN_ALL_OR_CANCEL_HPP

#include "detail/gather/awaiter.hpp"

namespace toto::inline v0_1 {

namespace detail {

struct WhenAllOrCancel {
  template <class Runtime>
  using Gathering = FailFast<Runtime>;

  template <class Runtime, class Children>
  static auto take(FailFast<Runtime>& gathering, Children& children) {
    gathering.rethrow_failure();
    return children.take_all(TakeElement());
  }
};

}  // namespace detail

/// To be awaited: the same as when_all, but as soon as one child has failed the others are cancelled, as by
/// TaskHandle::cancel(). Waits until all are over in any case, and then throws the failure that came first. Tasks that
/// have not begun by then do not; one that has begun runs to its end.
/// Throws: NoState, at once, for a handle or task that is empty; that includes the same one twice.
/// Resumes on: where the coroutine was running; there the others are cancelled, too.
template <class... As>
  requires(detail::Gatherable<As> && ...)
auto when_all_or_cancel(As&&... awaitables) {
  return detail::gather<detail::WhenAllOrCancel, As...>(awaitables...);
}

/// The same for a range, which is consumed.
template <detail::GatherableRange Range>
auto when_all_or_cancel(Range&& awaitables) {
  return detail::gather_range<detail::WhenAllOrCancel, Range>(awaitables);
}

template <class... As>
void when_all_or_cancel(As&&...) = delete;  // when_all, when_any and the like take handles and Tasks (Gatherable)

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_OR_CANCEL_HPP
