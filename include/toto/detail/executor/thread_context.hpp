// SPDX-License-Identifier: MIT
//
// ThreadContext: which executor and worker the calling thread is, right now. CurrentExecutor: changes that for a scope.

#ifndef TOTO_DETAIL_EXECUTOR_THREAD_CONTEXT_HPP
#define TOTO_DETAIL_EXECUTOR_THREAD_CONTEXT_HPP

#include "../../version.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class ExecutorCore;
template <class Runtime>
class Worker;

template <class Runtime>
struct ThreadContext {
  /// Where a coroutine that suspends on this thread continues; null: it has no home.
  ExecutorCore<Runtime>* executor = nullptr;
  /// The worker this thread is; null: not a worker.
  Worker<Runtime>* worker = nullptr;
  /// The queue this thread was a worker of, while its thread-locals are being destroyed. Compared only.
  const void* left = nullptr;
  bool is_timers = false;  // it is the timer thread

  static ThreadContext& current() noexcept { return Runtime::template Local<ThreadContext, ThreadContext>::get(); }
};

/// Makes an executor the thread's current one for a scope.
template <class Runtime>
class CurrentExecutor {
 public:
  explicit CurrentExecutor(ExecutorCore<Runtime>* executor) noexcept
      : before_(ThreadContext<Runtime>::current().executor) {
    ThreadContext<Runtime>::current().executor = executor;
  }
  ~CurrentExecutor() { ThreadContext<Runtime>::current().executor = before_; }
  CurrentExecutor(const CurrentExecutor&) = delete;
  CurrentExecutor& operator=(const CurrentExecutor&) = delete;

  /// The thread's executor outside the scope, or null.
  const ExecutorCore<Runtime>* before() const noexcept { return before_; }

 private:
  ExecutorCore<Runtime>* before_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_THREAD_CONTEXT_HPP
