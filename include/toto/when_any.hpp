// SPDX-License-Identifier: MIT
//
// when_any: awaits several handles, Tasks or other awaitables, and continues with the first one that ends.

#ifndef TOTO_WHEN_ANY_HPP
#define TOTO_WHEN_ANY_HPP

#include <cstddef>

#include "detail/gather/awaiter.hpp"

namespace toto::inline v0_1 {

/// What when_any returns: the index of the first argument to end, and its result.
template <class T>
struct WhenAnyResult {
  std::size_t index;
  T result;
};

/// Awaitable: waits until one of the arguments has ended, and returns its index and its result (void as std::monostate,
/// T& as std::reference_wrapper; if the types differ, a variant with one alternative per argument), or throws its
/// exception. The first to end wins, even if it fails. The arguments may also be one range, which is consumed.
///
/// The others are cancelled, as by TaskHandle::cancel(), before the coroutine continues: tasks that have not begun
/// never run, and running tasks are asked to stop through their StopToken. The others are not waited for; their results
/// are destroyed when they end, and their failures go to on_error. A Task cannot be stopped: a Task that has begun runs
/// to its end and is destroyed there, so it must not refer to anything that is destroyed with the awaiting coroutine.
/// If handles are ready when this is awaited, the first of them in argument order wins, and no Task is started. If the
/// awaiting coroutine is destroyed, handles are detached and Tasks destroyed.
/// Throws: at once, NoState for an empty handle or Task, or if the same one is passed twice; std::invalid_argument
/// for an empty range; std::bad_alloc.
/// Resumes on: the home of the coroutine.
/// Thread safety: Thread-safe, except with other uses of the arguments.
template <class... As>
  requires(sizeof...(As) > 0 && detail::CanBeGathered<As...>)
auto when_any(As&&... awaitables) {
  return detail::gather<detail::Until::first, detail::TakeElement, As...>(awaitables...);
}

/// Deleted: without arguments, nothing could end first.
void when_any() = delete;

template <class... As>
void when_any(As&&...) = delete;  // when_all, when_any and the like accept only what can be awaited and moved

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ANY_HPP
