// SPDX-License-Identifier: MIT
//
// when_any: awaits several handles or tasks, and goes on with the first one that ends.

#ifndef TOTO_WHEN_ANY_HPP
#define TOTO_WHEN_ANY_HPP

#include <cstddef>
#include <stdexcept>

#include "detail/gather/awaiter.hpp"

namespace toto::inline v0_1 {

/// What when_any gives: which one was the first, counted from 0, and its result.
template <class T>
struct WhenAnyResult {
  std::size_t index;
  T result;
};

namespace detail {

struct WhenAny {
  template <class Runtime>
  using Gathering = FirstOf<Runtime>;

  template <class Runtime>
  static void examine(const FirstOf<Runtime>& gathering) {
    if (gathering.empty()) {
      throw std::invalid_argument("toto: awaitables is empty: when_any of an empty range would never complete");
    }
  }
  template <class Runtime, class Children>
  static auto take(FirstOf<Runtime>& gathering, Children& children) {
    return children.template take_one<WhenAnyResult>(gathering.decide());
  }
};

}  // namespace detail

/// To be awaited: waits until one of the handles and tasks is over, and gives its index and its result (void as
/// std::monostate, T& as std::reference_wrapper; if they are of different types, a variant with an alternative for each
/// argument), or throws what it threw: the first to end decides, however it ends.
///
/// The others are cancelled, as by TaskHandle::cancel(), before the coroutine goes on: what has not begun never runs,
/// what is running is asked to stop through its StopToken. Nobody waits for them; their results are destroyed when they
/// end, their failures go to on_error. A Task cannot be stopped: one that has begun runs on to its end, and is
/// destroyed there. So tasks must not refer to what goes away with the awaiting coroutine. If handles are ready when
/// this is awaited, the first of them in the order of the arguments wins, and no task is started. If the awaiting
/// coroutine is destroyed, handles are dropped and tasks destroyed.
/// Throws: NoState, at once, for a handle or task that is empty; that includes the same one twice.
/// Resumes on: where the coroutine was running.
template <class... As>
  requires(sizeof...(As) > 0 && (detail::Gatherable<As> && ...))
auto when_any(As&&... awaitables) {
  return detail::gather<detail::WhenAny, As...>(awaitables...);
}

/// Of nothing, there is no first.
void when_any() = delete;

/// The same for a range, which is consumed.
/// Throws: std::invalid_argument, at once, if it is empty.
template <detail::GatherableRange Range>
auto when_any(Range&& awaitables) {
  return detail::gather_range<detail::WhenAny, Range>(awaitables);
}

template <class... As>
void when_any(As&&...) = delete;  // when_all, when_any and the like take handles and Tasks (Gatherable)

}  // namespace toto::inline v0_1

#endif  // TOTO_WHEN_ANY_HPP
