// SPDX-License-Identifier: MIT
//
// sync_wait(a): awaits on a thread that has no loop, and blocks it meanwhile.

#ifndef TOTO_SYNC_WAIT_HPP
#define TOTO_SYNC_WAIT_HPP

#include "event_loop.hpp"

namespace toto::inline v0_1 {

/// Awaits `awaitable` on a private loop on the calling thread, and returns its result or throws its exception.
/// Blocks: until the awaitable is done.
/// Throws: also DeadlockError, as TaskHandle::get(), if `awaitable` is a handle.
/// Resumes on: the calling thread.
/// Thread safety: Thread-safe, except with other uses of `awaitable`.
template <class Runtime = StdRuntime, class Awaitable>
detail::AwaitResult<Awaitable> sync_wait(Awaitable&& awaitable) {
  if constexpr (detail::IsHandle<std::remove_cvref_t<Awaitable>>::value) {
    return awaitable.get();  // there is no coroutine that would need a loop
  } else {
    BasicEventLoop<Runtime> loop;
    return loop.run_sync(std::forward<Awaitable>(awaitable));
  }
}

}  // namespace toto::inline v0_1

#endif  // TOTO_SYNC_WAIT_HPP
