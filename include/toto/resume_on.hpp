// SPDX-License-Identifier: MIT
//
// resume_on(executor): moves a coroutine to a queue, a loop or a user's own executor. Read next: executor.hpp.

#ifndef TOTO_RESUME_ON_HPP
#define TOTO_RESUME_ON_HPP

#include <coroutine>
#include <type_traits>
#include <utility>

#include "detail/executor/executor_core.hpp"
#include "detail/executor/whereabouts.hpp"
#include "detail/queue/home.hpp"
#include "detail/task/join.hpp"
#include "executor.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

namespace detail {

template <class Runtime>
class [[nodiscard("co_await it: only then does the coroutine continue on the executor")]] MoveAwaiter {
 public:
  explicit MoveAwaiter(BasicExecutorRef<Runtime> executor) noexcept : executor_(std::move(executor)) {}

  bool await_ready() const noexcept {
    return !executor_ || detail::is_same<Runtime>(core().get(), ThreadContext<Runtime>::current().executor);
  }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    Join<Runtime>& move = move_.adopt(new Join<Runtime>());
    const bool homebound = journey_.begin(coroutine, core().get());
    move.arm(coroutine, Home<Runtime>(core()), homebound);
    return move.send_home();  // if true, *this may be gone
  }
  void await_resume() noexcept { journey_.end<Runtime>(); }

 private:
  const Ref<ExecutorCore<Runtime>>& core() const noexcept { return Access::core(executor_); }

  BasicExecutorRef<Runtime> executor_;
  Journey journey_;
  JoinOwner<Join<Runtime>> move_;
};

}  // namespace detail

/// Awaitable: the coroutine continues on `executor`, behind what waits there. If it runs there already, it does not
/// suspend. If the executor has ended, or the reference is empty, it continues where it is.
/// Throws: std::bad_alloc, when awaited.
/// Thread safety: Thread-safe.
template <class Runtime = StdRuntime>
[[nodiscard("co_await it: only then does the coroutine continue on the executor")]] auto resume_on(
    std::type_identity_t<BasicExecutorRef<Runtime>> executor) noexcept {
  return detail::MoveAwaiter<Runtime>(std::move(executor));
}

}  // namespace toto::inline v0_1

#endif  // TOTO_RESUME_ON_HPP
