// SPDX-License-Identifier: MIT
//
// when_all: awaits several handles, Tasks or other awaitables at once.

#ifndef TOTO_WHEN_ALL_HPP
#define TOTO_WHEN_ALL_HPP

#include "detail/gather/awaiter.hpp"

namespace toto::inline v0_1 {

/// Awaitable: waits until every argument has ended, then returns a tuple of the results in the order of the arguments
/// (void as std::monostate, T& as std::reference_wrapper), or throws the first failure in that order. The arguments may
/// also be one range, which is consumed: then it returns a vector of the results, or nothing for void.
///
/// The tasks of handles are already queued or running. Tasks (the type) are started when this is awaited, one after
/// another, each up to its first suspension. Anything else that can be awaited and moved, such as sleep_for or another
/// when_all, is treated like a Task. Named arguments are consumed, too. If the awaiting coroutine is destroyed, handles
/// are detached and Tasks destroyed.
/// Throws: at once, NoState for an empty handle or Task, or if the same one is passed twice, and std::bad_alloc; the
/// handles consumed so far are then detached, and their tasks run.
/// Resumes on: the home of the coroutine. The runtime policy of this and its relatives is that of the first handle, or
/// StdRuntime if there is no handle.
/// Thread safety: Thread-safe, except with other uses of the arguments.
template <class... As>
  requires detail::CanBeGathered<As...>
auto when_all(As&&... awaitables) {
  return detail::gather<detail::Until::all, detail::TakeElement, As...>(awaitables...);
}

template <class... As>
void when_all(As&&...) = delete;  // when_all, when_any and the like accept only what can be awaited and moved

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ALL_HPP
