// SPDX-License-Identifier: MIT
//
// TaskScope: owns the coroutines that a window, a session or another object starts, and ends them with it. Opt-in:
// <toto/tasks.hpp> does not include it. Read next: spawn.hpp, task_group.hpp.

#ifndef TOTO_TASK_SCOPE_HPP
#define TOTO_TASK_SCOPE_HPP

#include <coroutine>
#include <cstddef>
#include <stdexcept>
#include <utility>
#include <vector>

#include "detail/executor/roots.hpp"
#include "detail/ground/lock.hpp"
#include "detail/ground/ref.hpp"
#include "detail/task/join.hpp"
#include "detail/task/started_task.hpp"
#include "executor.hpp"
#include "runtime.hpp"
#include "task.hpp"

namespace toto::inline v0_1 {

namespace detail {

/// Shared by the TaskScope and its coroutines.
template <class Runtime>
class ScopeState final : public RootScope<Runtime> {
 public:
  using Waiter = Ref<Join<Runtime>>;

  /// `waiter` continues as soon as there is no coroutine left, possibly before this returns.
  /// Throws: std::bad_alloc.
  void add(Waiter waiter) {
    {
      const Lock lock(mutex_);
      waiters_.push_back(std::move(waiter));
    }
    emptied();  // or whoever takes out the last one comes to the mutex afterwards
  }

  typename Runtime::StopSource stop;

 protected:
  ~ScopeState() override = default;

 private:
  void emptied() noexcept override {
    std::vector<Waiter> waiters;
    {
      const Lock lock(mutex_);
      if (this->size() != 0) {
        return;  // it was empty for an instant
      }
      waiters.swap(waiters_);
    }
    for (const Waiter& waiter : waiters) {
      waiter->happened(nullptr, nullptr);
    }
  }

  typename Runtime::Mutex mutex_;
  std::vector<Waiter> waiters_ TOTO_GUARDED_BY(mutex_);
};

template <class Runtime>
class [[nodiscard("co_await it: join() alone does not wait")]] ScopeJoinAwaiter {
 public:
  explicit ScopeJoinAwaiter(Ref<ScopeState<Runtime>> scope) noexcept : scope_(std::move(scope)) {}

  bool await_ready() const noexcept { return scope_->size() == 0; }
  template <class Promise>
  TOTO_NOINLINE void await_suspend(std::coroutine_handle<Promise> coroutine) {
    const auto scope = scope_;
    Join<Runtime>& join = join_.adopt(new Join<Runtime>());
    join.arm(coroutine);
    static_cast<void>(join.started());             // false: nothing has happened yet
    scope->add(Ref<Join<Runtime>>::share(&join));  // *this may be gone after this line
  }
  static void await_resume() noexcept {}

 private:
  Ref<ScopeState<Runtime>> scope_;
  JoinOwner<Join<Runtime>> join_;
};

}  // namespace detail

// given: struct Window { void post(toto::Resumption) noexcept {} toto::Task<> fill() { co_return; } };
/// Owns coroutines that run on one thread's executor: a loop, or a user's own. For objects that start coroutines that
/// refer to them:
///
///     struct Dialog {
///       Window& window;
///       toto::TaskScope tasks{window};  // last: it ends first
///       void on_click() { tasks.spawn(window.fill()); }
///     };
///
/// The destructor requests a stop through stop_token(), and destroys the coroutines that are suspended on the executor
/// or have not begun. A coroutine that is away, having moved to a queue by schedule(), resume_on() or resume_inline(),
/// is not touched: it continues there until it ends, or until it would come back to the executor; then it is destroyed
/// instead. So it must not refer to the object while it is away. While a child of a combinator is away, the coroutine
/// that awaits the combinator stays suspended, and is destroyed when the last child that is away has ended. Once the
/// executor itself (a loop) has ended, the scope may end on any thread. Failures are handled as with spawn(), except
/// that TaskCancelled, QueueClosed and TimedOut are ignored. If a coroutine fails after the scope has ended, a line
/// goes to stderr.
/// Lifetime: a user's own executor must outlive the scope, and the coroutines that are away. Destroy the scope on the
/// executor's thread, as the last action of a callback, and not in one of the scope's own coroutines.
/// Thread safety: Thread-safe, except with construction and destruction.
template <class Runtime = StdRuntime>
class BasicTaskScope {
 public:
  /// Throws: std::invalid_argument for an empty reference, or for a queue (use with_task_group() there, because a queue
  /// waits for its coroutines); std::bad_alloc.
  explicit BasicTaskScope(BasicExecutorRef<Runtime> executor) : home_(detail::Access::core(executor)) {
    detail::check_executor(home_.get());
    if (home_->queue() != nullptr) {
      throw std::invalid_argument("toto: executor is a queue; a TaskScope needs a loop or an executor of your own");
    }
  }
  BasicTaskScope(const BasicTaskScope&) = delete;
  BasicTaskScope& operator=(const BasicTaskScope&) = delete;
  /// Does not block, unless a coroutine awaits a queue's call() or a task group, whose destruction waits for running
  /// tasks.
  ~BasicTaskScope() {
    state_->stop.request_stop();
    home_->roots()->end(*state_);
  }

  /// Starts the coroutine on the executor, after what is already queued there. Its result is discarded.
  /// Throws: std::invalid_argument for an empty task; std::bad_alloc.
  template <class T>
  void spawn(Task<T> task) {
    detail::check_not_empty(task);
    detail::spawn_on<Runtime>(*home_, std::move(task), detail::Ref<detail::RootScope<Runtime>>(state_));
  }

  /// Awaitable: continues when no coroutine of the scope is left. Not for the scope's own coroutines, which would wait
  /// for themselves.
  /// Throws: std::bad_alloc, when awaited.
  /// Resumes on: the home of the coroutine.
  [[nodiscard("co_await it: join() alone does not wait")]] auto join() noexcept {
    return detail::ScopeJoinAwaiter<Runtime>(state_);
  }

  /// Requests a stop through stop_token(). Does not destroy any coroutine.
  void request_stop() noexcept { state_->stop.request_stop(); }
  /// Returns the token through which request_stop() and the scope's destructor request a stop.
  typename Runtime::StopToken stop_token() const noexcept { return state_->stop.get_token(); }

  /// Returns how many coroutines have not ended. Snapshot: may be stale on return.
  std::size_t size() const noexcept { return state_->size(); }

 private:
  detail::Ref<detail::ExecutorCore<Runtime>> home_;
  detail::Ref<detail::ScopeState<Runtime>> state_ =
      detail::Ref<detail::ScopeState<Runtime>>::adopt(new detail::ScopeState<Runtime>());
};
using TaskScope = BasicTaskScope<StdRuntime>;

}  // namespace toto::inline v0_1

#endif  // TOTO_TASK_SCOPE_HPP
