// SPDX-License-Identifier: MIT
//
// ExecutorRef: a shared reference to anything coroutines can continue on: a queue, a loop, or an executor of the user's
// own, such as a GUI toolkit's event thread. Read next: task_queue.hpp, event_loop.hpp.

#ifndef TOTO_EXECUTOR_HPP
#define TOTO_EXECUTOR_HPP

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>

#include "detail/executor/executor_core.hpp"
#include "detail/executor/timer.hpp"
#include "detail/ground/lock.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

template <class Runtime>
class BasicExecutorRef;

namespace detail {

template <class Runtime, class UserExecutor>
class UserExecutorCore;

struct ExecutorAccess;

}  // namespace detail

/// What a user's own executor is given to run: call it once, on the executor's thread, with no arguments. Copyable, so
/// that it fits into a std::function; only the first call of all copies does something.
template <class Runtime>
class BasicResumption {
 public:
  /// Continues one coroutine that waits for this executor. Does nothing if that coroutine was destroyed meanwhile.
  void operator()() const noexcept { run_(*core_, ticket_); }

 private:
  template <class R, class U>
  friend class detail::UserExecutorCore;
  using Core = detail::ExecutorCore<Runtime>;

  using Run = void (*)(Core&, std::uint64_t ticket) noexcept;

  BasicResumption(detail::Ref<Core> core, Run run, std::uint64_t ticket) noexcept
      : core_(std::move(core)), run_(run), ticket_(ticket) {}

  detail::Ref<Core> core_;
  Run run_;
  std::uint64_t ticket_;
};
using Resumption = BasicResumption<StdRuntime>;

/// Anything that can be handed a callable to run later on a thread of its own, and does not fail at it.
template <class E, class Runtime = StdRuntime>
concept UserExecutor = requires(E& executor, BasicResumption<Runtime> resumption) {
  { executor.post(std::move(resumption)) } noexcept;
};

namespace detail {

/// Would be a UserExecutor if its post() were noexcept.
template <class E, class Runtime>
concept ExecutorWhosePostMayThrow = !UserExecutor<E, Runtime> && !requires(E& executor) {
  executor.executor();
} && requires(E& executor, BasicResumption<Runtime> resumption) { executor.post(std::move(resumption)); };

/// Lets a user's executor take part like a queue or a loop: it keeps the continuations itself, so that one whose
/// coroutine dies can be taken back, and posts a callable that runs that one.
template <class Runtime, class UserExecutor>
class UserExecutorCore final : public ExecutorCore<Runtime> {
 public:
  explicit UserExecutorCore(UserExecutor& executor) noexcept : executor_(executor) {}

  bool post(Continuation& node) noexcept override {
    std::uint64_t ticket = 0;
    post_silently(node, ticket);
    announce(ticket);
    return true;
  }

  bool post_silently(Continuation& node, std::uint64_t& ticket) noexcept override {
    const Lock lock(mutex_);
    ticket = node.ticket = ++tickets_;
    nodes_.push_back(node);
    return true;
  }
  void announce(std::uint64_t ticket) noexcept override {
    const InPost<Runtime> here;
    executor_.post(BasicResumption<Runtime>(Ref<ExecutorCore<Runtime>>::share(this), &run_one, ticket));
  }

  bool withdraw(Continuation& node) noexcept override {
    const Lock lock(mutex_);
    nodes_.remove(node);
    return true;
  }

  typename ExecutorCore<Runtime>::Identity identity() const noexcept override {
    return {std::addressof(executor_), &type_};
  }

 private:
  static void run_one(ExecutorCore<Runtime>& core, std::uint64_t ticket) noexcept {
    auto& self = static_cast<UserExecutorCore&>(core);
    Continuation* node = nullptr;
    {
      const Lock lock(self.mutex_);
      // Usually the first. Gone: it has run, or its coroutine was destroyed.
      for (node = self.nodes_.front(); node != nullptr && node->ticket != ticket; node = node->next) {
      }
      if (node != nullptr) {
        self.nodes_.remove(*node);
      }
    }
    if (node != nullptr) {
      const ExecutorScope<Runtime> here(&core);
      node->run(*node, Turn::on_executor);
    }
  }

  static inline char type_ = 0;  // its address: an executor and its first member may share theirs

  UserExecutor& executor_;
  typename Runtime::Mutex mutex_;
  ContinuationList nodes_ TOTO_GUARDED_BY(mutex_);
  std::uint64_t tickets_ TOTO_GUARDED_BY(mutex_) = 0;
};

}  // namespace detail

/// A shared reference to an executor: where an awaiting coroutine continues.
///
/// It never dangles for the library's own queues and loops: one that has ended is noticed, and the coroutine continues
/// as if it had no home.
/// Lifetime: a user's own executor must outlive every wait that is to continue on it, and the queues whose tasks are
/// waited for, or their wait_idle(): from then on nobody is in its post() any more.
/// Thread safety: Thread-safe to use; a single object is assigned by one thread at a time.
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

  /// From a user's own executor, which has `void post(Callable) noexcept`.
  /// Throws: std::bad_alloc.
  template <UserExecutor<Runtime> Executor>
  BasicExecutorRef(Executor& executor)  // NOLINT(google-explicit-constructor)
      : core_(detail::Ref<Core>::adopt(new detail::UserExecutorCore<Runtime, Executor>(executor))) {}

  template <detail::ExecutorWhosePostMayThrow<Runtime> Executor>
  BasicExecutorRef(Executor& executor) = delete;  // post() has to be noexcept: there is nobody to tell that it failed

  explicit operator bool() const noexcept { return static_cast<bool>(core_); }
  /// Whether both are the same executor, or both none.
  friend bool operator==(const BasicExecutorRef& a, const BasicExecutorRef& b) noexcept {
    return detail::is_same<Runtime>(a.core_.get(), b.core_.get());
  }

 private:
  friend detail::ExecutorAccess;
  using Core = detail::ExecutorCore<Runtime>;

  explicit BasicExecutorRef(detail::Ref<Core> core) noexcept : core_(std::move(core)) {}

  detail::Ref<Core> core_;
};
using ExecutorRef = BasicExecutorRef<StdRuntime>;

namespace detail {

struct ExecutorAccess {
  template <class Runtime>
  static const Ref<ExecutorCore<Runtime>>& core(const BasicExecutorRef<Runtime>& executor) noexcept {
    return executor.core_;
  }
  template <class Runtime>
  static BasicExecutorRef<Runtime> make(Ref<ExecutorCore<Runtime>> core) noexcept {
    return BasicExecutorRef<Runtime>(std::move(core));
  }
};

}  // namespace detail

/// The executor this thread is running on: a queue's worker's queue, a running loop, a user's executor that is
/// continuing a coroutine; empty elsewhere.
template <class Runtime = StdRuntime>
BasicExecutorRef<Runtime> current_executor() noexcept {
  return detail::ExecutorAccess::make(
      detail::Ref<detail::ExecutorCore<Runtime>>::share(detail::ThreadContext<Runtime>::current().executor));
}

// given: struct Window { void post(toto::Resumption) noexcept {} void run() {} } window;
/// Says that this thread runs on an executor of the program's own, as long as the scope exists: what suspends meanwhile
/// comes back to it. For the thread that runs a toolkit's event loop:
///
///     toto::ExecutorScope here(window);
///     window.run();
///
/// Without it only what toto resumes there counts as running on the executor, and not what the toolkit calls.
/// Lifetime: a local variable of a function, not of a coroutine; scopes of one thread end in the reverse order. The
/// executor outlives it. Not for a thread of a queue.
template <class Runtime>
class BasicExecutorScope {
 public:
  /// Throws nothing itself; the reference to an executor of the program's own may (std::bad_alloc).
  explicit BasicExecutorScope(BasicExecutorRef<Runtime> executor) noexcept
      : executor_(std::move(executor)), scope_(detail::ExecutorAccess::core(executor_).get()) {}
  /// Blocks: while the thread of the timers is in the executor's post().
  ~BasicExecutorScope() { detail::wait_until_posted<Runtime>(); }
  BasicExecutorScope(const BasicExecutorScope&) = delete;
  BasicExecutorScope& operator=(const BasicExecutorScope&) = delete;

 private:
  BasicExecutorRef<Runtime> executor_;
  detail::ExecutorScope<Runtime> scope_;
};
using ExecutorScope = BasicExecutorScope<StdRuntime>;

}  // namespace toto::inline v0_1

#endif  // TOTO_EXECUTOR_HPP
