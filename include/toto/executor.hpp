// SPDX-License-Identifier: MIT
//
// ExecutorRef: a shared reference to anything coroutines can continue on: a queue, a loop, or a user's own executor,
// such as a GUI toolkit's event loop. Read next: task_queue.hpp, event_loop.hpp.

#ifndef TOTO_EXECUTOR_HPP
#define TOTO_EXECUTOR_HPP

#include <concepts>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "detail/executor/executor_core.hpp"
#include "detail/executor/roots.hpp"
#include "detail/executor/timer.hpp"
#include "detail/ground/lock.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

template <class Runtime>
class BasicExecutorRef;

namespace detail {

template <class Runtime, class UserExecutor>
class UserExecutorCore;

}  // namespace detail

/// The function posted to a user's own executor: call it once, on the executor's thread, without arguments. Copyable,
/// so that it fits into a std::function; only the first call to any of the copies has an effect.
/// Thread safety: One thread at a time.
template <class Runtime>
class BasicResumption {
 public:
  /// Resumes one coroutine that waits for this executor. Does nothing if that coroutine was destroyed meanwhile.
  void operator()() const noexcept { core_->run_posted(ticket_); }

 private:
  template <class R, class U>
  friend class detail::UserExecutorCore;
  using Core = detail::ExecutorCore<Runtime>;

  BasicResumption(detail::Ref<Core> core, std::uint64_t ticket) noexcept : core_(std::move(core)), ticket_(ticket) {}

  detail::Ref<Core> core_;
  std::uint64_t ticket_;
};
using Resumption = BasicResumption<StdRuntime>;

/// Anything with a `noexcept` `post(callable)` that later runs the callable on its own thread.
template <class E, class Runtime = StdRuntime>
concept UserExecutor = requires(E& executor, BasicResumption<Runtime> resumption) {
  { executor.post(std::move(resumption)) } noexcept;
};

namespace detail {

/// Matches what would be a UserExecutor if its post() were noexcept.
template <class E, class Runtime>
concept ExecutorWhosePostMayThrow = !UserExecutor<E, Runtime> && !requires(E& executor) {
  executor.executor();
} && requires(E& executor, BasicResumption<Runtime> resumption) { executor.post(std::move(resumption)); };

/// Adapts a user's executor: keeps the continuations itself, so that a continuation whose coroutine is destroyed can be
/// taken back, and posts a callable that runs one continuation.
template <class Runtime, class UserExecutor>
class UserExecutorCore final : public ExecutorCore<Runtime> {
 public:
  /// Throws: std::bad_alloc, but only if this makes the TimerService of the process.
  explicit UserExecutorCore(UserExecutor& executor) : ExecutorCore<Runtime>(true), executor_(executor) {
    TimerService<Runtime>::instance();
  }
  /// Reports to the remaining continuations that no one will run them: the executor has dropped what was posted,
  /// because its loop has ended. What follows is the same as when a loop ends.
  ~UserExecutorCore() override {
    while (!nodes_.empty()) {
      Continuation& node = nodes_.pop_front();
      node.run(node, Turn::homeless);
    }
  }

  bool post_silently(Continuation& node, Notice<Runtime>& notice) noexcept override {
    const Lock lock(mutex_);
    notice.ticket = node.ticket = ++tickets_;
    nodes_.push_back(node);
    return true;
  }
  void announce(Notice<Runtime>& notice) noexcept override {
    executor_.post(BasicResumption<Runtime>(Ref<ExecutorCore<Runtime>>::share(this), notice.ticket));
  }

  void run_posted(std::uint64_t ticket) noexcept override {
    Continuation* node = nullptr;
    {
      const Lock lock(mutex_);
      // Usually the first. Null: it has run, or its coroutine was destroyed.
      for (node = nodes_.front(); node != nullptr && node->ticket != ticket; node = node->next) {
      }
      if (node != nullptr) {
        nodes_.remove(*node);
      }
    }
    if (node != nullptr) {
      const CurrentExecutor<Runtime> here(this);
      node->run(*node, Turn::on_executor);
    }
  }

  bool withdraw(Continuation& node) noexcept override {
    const Lock lock(mutex_);
    nodes_.remove(node);
    return true;
  }

  ExecutorIdentity identity() const noexcept override { return {std::addressof(executor_), &type_}; }

  Roots<Runtime>* roots() noexcept override { return &roots_; }
  void fail(std::exception_ptr failure) noexcept override {
    if constexpr (requires { executor_.on_error(failure); }) {
      try {
        executor_.on_error(std::move(failure));
      } catch (...) {  // there is nobody left to see it
      }
    } else if (detail::concerns_anybody(failure)) {
      detail::print_failure({"a coroutine of an executor"}, failure);
    }
  }

 private:
  static inline char type_ = 0;  // its address: an executor and its first member may share theirs

  UserExecutor& executor_;
  typename Runtime::Mutex mutex_;
  ContinuationList nodes_ TOTO_GUARDED_BY(mutex_);
  std::uint64_t tickets_ TOTO_GUARDED_BY(mutex_) = 0;
  Roots<Runtime> roots_{*this};
};

}  // namespace detail

/// A shared reference to an executor: where an awaiting coroutine continues.
///
/// A reference to one of the library's own queues or loops never dangles: if the queue or loop has ended, the coroutine
/// continues as if it had no home.
/// Lifetime: a user's own executor must outlive every wait that will continue on it. Nor may it be destroyed until
/// an ExecutorScope for it has ended, after which no thread is in post(); or until the queues and loops whose tasks are
/// awaited have ended, or a wait_idle() of those queues has returned, after which neither their threads nor the timer
/// thread is in post().
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class Runtime>
class BasicExecutorRef {
 public:
  /// No executor: "continue wherever the task ends".
  BasicExecutorRef() noexcept = default;

  /// From a queue or a loop: `handle.resume_on(loop)`.
  template <class Executor>
    requires requires(Executor& executor) {
      { executor.executor() } -> std::same_as<BasicExecutorRef>;
    }
  BasicExecutorRef(Executor& executor) noexcept  // NOLINT(google-explicit-constructor)
      : BasicExecutorRef(executor.executor()) {}

  /// From a user's own executor, which has a member `void post(Callable) noexcept`.
  /// Throws: std::bad_alloc.
  template <UserExecutor<Runtime> Executor>
  BasicExecutorRef(Executor& executor)  // NOLINT(google-explicit-constructor)
      : core_(detail::Ref<Core>::adopt(new detail::UserExecutorCore<Runtime, Executor>(executor))) {}

  template <detail::ExecutorWhosePostMayThrow<Runtime> Executor>
  BasicExecutorRef(Executor& executor) = delete;  // post() must be noexcept: no one would see its exception

  explicit operator bool() const noexcept { return static_cast<bool>(core_); }
  /// Whether both refer to the same executor, or both to none.
  friend bool operator==(const BasicExecutorRef& a, const BasicExecutorRef& b) noexcept {
    return detail::is_same<Runtime>(a.core_.get(), b.core_.get());
  }

 private:
  friend detail::Access;
  using Core = detail::ExecutorCore<Runtime>;

  explicit BasicExecutorRef(detail::Ref<Core> core) noexcept : core_(std::move(core)) {}

  detail::Ref<Core> core_;
};
using ExecutorRef = BasicExecutorRef<StdRuntime>;

/// Returns the executor on which the calling thread is running: its queue on a worker, a running loop, or a user's
/// executor that is resuming a coroutine; empty elsewhere.
/// Thread safety: Thread-safe.
template <class Runtime = StdRuntime>
BasicExecutorRef<Runtime> current_executor() noexcept {
  return detail::Access::make<BasicExecutorRef<Runtime>>(
      detail::Ref<detail::ExecutorCore<Runtime>>::share(detail::ThreadContext<Runtime>::current().executor));
}

// given: struct Window { void post(toto::Resumption) noexcept {} void run() {} } window;
/// While this exists, the calling thread counts as running on a user's own executor: coroutines that suspend meanwhile
/// come back to it. For the thread that runs a toolkit's event loop:
///
///     toto::ExecutorScope here(window);
///     window.run();
///
/// Without an ExecutorScope, only code that toto resumes there counts as running on the executor, not code that the
/// toolkit calls.
/// Lifetime: must be a local variable of a function, not of a coroutine; scopes on one thread must end in reverse
/// order. The executor must outlive it. Not for a thread of a queue.
/// Thread safety: One thread at a time.
template <class Runtime>
class BasicExecutorScope {
 public:
  /// Throws nothing itself; making the reference to a user's own executor may throw std::bad_alloc.
  explicit BasicExecutorScope(BasicExecutorRef<Runtime> executor) noexcept
      : executor_(std::move(executor)), scope_(detail::Access::core(executor_).get()) {}
  /// Blocks: while another thread is in the executor's post(), unless this is directly inside another ExecutorScope
  /// for the same executor, or inside that executor's post().
  ~BasicExecutorScope() {
    const auto* const core = detail::Access::core(executor_).get();
    if (core != nullptr && core->is_users_own() && !detail::is_same<Runtime>(core, scope_.before())) {
      detail::Posts<Runtime>::instance().wait_until(
          (Runtime::Clock::time_point::max)(), [core](const detail::Notice<Runtime>& notice) {
            return notice.executor == core->identity().object;  // also if it is known as its base class
          });
    }
  }
  BasicExecutorScope(const BasicExecutorScope&) = delete;
  BasicExecutorScope& operator=(const BasicExecutorScope&) = delete;

 private:
  BasicExecutorRef<Runtime> executor_;
  detail::CurrentExecutor<Runtime> scope_;
};
using ExecutorScope = BasicExecutorScope<StdRuntime>;

}  // namespace toto::inline v0_1

#endif  // TOTO_EXECUTOR_HPP
