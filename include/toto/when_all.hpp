// SPDX-License-Identifier: MIT
//
// when_all: awaits several handles or tasks at once.

#ifndef TOTO_WHEN_ALL_HPP
#define TOTO_WHEN_ALL_HPP

#include "detail/gather/awaiter.hpp"

namespace toto::inline v0_1 {

namespace detail {

struct WhenAll {
  template <class Runtime>
  using Gathering = AllOf<Runtime>;

  template <class Runtime, class Children>
  static auto take(AllOf<Runtime>&, Children& children) {
    return children.take_all(TakeElement());
  }
};

}  // namespace detail

/// To be awaited: waits until every handle and task is over, then gives a tuple of the results in the order of the
/// arguments (void as std::monostate, T& as std::reference_wrapper), or throws the first failure in that order.
///
/// Handles run already, in parallel as their queues allow; tasks are started when this is awaited, one after another,
/// each to its first suspension. Anything else that can be awaited and moved, as sleep_for or another when_all, is
/// awaited like a task. Named ones are consumed like moved ones. If the awaiting coroutine is destroyed, handles are
/// dropped and tasks destroyed.
/// Throws: at once, NoState for a handle or task that is empty, which includes the same one twice, and std::bad_alloc;
/// then handles that are consumed already are dropped: their tasks run.
/// Resumes on: where the coroutine was running.
template <class... As>
  requires(detail::Gatherable<As> && ...)
auto when_all(As&&... awaitables) {
  return detail::gather<detail::WhenAll, As...>(awaitables...);
}

/// The same for a range, which is consumed: gives a vector of the results, or nothing for void.
template <detail::GatherableRange Range>
auto when_all(Range&& awaitables) {
  return detail::gather_range<detail::WhenAll, Range>(awaitables);
}

template <class... As>
void when_all(As&&...) = delete;  // when_all, when_any and the like take handles and Tasks (Gatherable)

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_HPP
