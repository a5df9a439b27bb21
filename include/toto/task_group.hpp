// SPDX-License-Identifier: MIT
//
// TaskGroup: structured concurrency. with_task_group() opens a scope in which any number of tasks may be started; the
// scope ends when all of them have ended. There is no other way to get a group, so nothing can outlive its scope.

#ifndef TOTO_TASK_GROUP_HPP
#define TOTO_TASK_GROUP_HPP

#include <coroutine>
#include <memory>
#include <type_traits>
#include <utility>

#include "detail/gather/child.hpp"
#include "detail/gather/fail_fast.hpp"
#include "detail/ground/callable.hpp"
#include "detail/ground/temporaries.hpp"
#include "runtime.hpp"
#include "task.hpp"
#include "task_handle.hpp"

namespace toto::inline v0_1 {

namespace detail {

template <class Runtime>
class GroupScope;

}  // namespace detail

/// Starts tasks in the scope of a with_task_group(), which passes it to the body.
///
/// The first failure of a task, or of the body, cancels the group: tasks that have not begun never will, running tasks
/// are asked to stop through their StopToken, and all coroutines through stop_token().
/// Lifetime: the group exists until with_task_group() has ended; the body and the tasks of the group may use it.
/// Thread safety: Thread-safe.
template <class Runtime = StdRuntime>
class BasicTaskGroup {
 public:
  BasicTaskGroup(const BasicTaskGroup&) = delete;
  BasicTaskGroup& operator=(const BasicTaskGroup&) = delete;

  /// Runs the coroutine on the calling thread up to its first suspension. If the group is cancelled, the coroutine is
  /// destroyed instead.
  /// Throws: NoState for a Task that is empty or already running; std::bad_alloc.
  void spawn(Task<> task) {
    auto child = std::make_unique<detail::TaskChild<void, Runtime>>(std::move(task));
    if (!scope_->cancelled()) {
      scope_->spawn(std::move(child));
    }
  }

  /// Runs `fn(args...)` on `queue`, a queue or a view of one, as its yield_task does. The result is discarded, except
  /// that a Task runs to its end. If the group is cancelled, nothing is added.
  /// Throws: as TaskQueue::add_task.
  template <class Queue, class F, class... Args>
  void add(Queue&& queue, F&& fn, Args&&... args) {
    constexpr bool kAdds = requires { queue.yield_task(std::forward<F>(fn), std::forward<Args>(args)...); };
    static_assert(kAdds, "toto: a group adds tasks to a queue or to a view of one: group.add(queue, fn, args...)");
    if constexpr (kAdds) {
      using Handle = decltype(queue.yield_task(std::forward<F>(fn), std::forward<Args>(args)...));
      if (scope_->cancelled()) {
        return;
      }
      // First: once the task is added, nothing may fail.
      auto child = std::make_unique<detail::HandleChild<typename Handle::value_type, Runtime>>();
      auto handle = queue.yield_task(std::forward<F>(fn), std::forward<Args>(args)...);
      child->adopt(handle);
      scope_->spawn(std::move(child));
    }
  }

  /// Cancels the group. That alone is not a failure: with_task_group() still returns the body's result, and the tasks'
  /// TaskCancelled is ignored.
  void cancel() noexcept { scope_->cancel(); }

  /// Returns whether the group was cancelled or a task has failed.
  bool cancelled() const noexcept { return scope_->cancelled(); }

  /// Returns the token that is asked to stop when the group is cancelled: for the body, and for coroutines of the
  /// group.
  typename Runtime::StopToken stop_token() const noexcept { return scope_->stop_token(); }

 private:
  friend detail::Access;

  explicit BasicTaskGroup(detail::GroupScope<Runtime>& scope) noexcept : scope_(&scope) {}

  detail::GroupScope<Runtime>* scope_;
};
using TaskGroup = BasicTaskGroup<StdRuntime>;

namespace detail {

/// The children of a group. The first is the body, which the awaiter owns; the list owns the others.
template <class Runtime>
class GroupScope final : public FailFast<Runtime> {
 public:
  /// Throws: std::bad_alloc.
  GroupScope() = default;

  typename Runtime::StopToken stop_token() const noexcept { return stop_.get_token(); }

  /// The caller is part of the group, so the group cannot have ended.
  /// Throws: what starting a Task throws.
  template <class ChildT>
  void spawn(std::unique_ptr<ChildT> owned) {
    ChildT& child = *owned.release();
    if (!this->enlist(child)) {
      child.cancel();
    }
    try {
      this->start_one(child);
    } catch (...) {
      this->dismiss(child);
      throw;
    }
  }

  /// Returns false if the coroutine is suspended; then it may be gone.
  /// Throws: what starting a Task throws.
  bool start(Child<Runtime>& body) {
    this->retain();
    try {
      this->start_one(body);
    } catch (...) {
      this->block();
      static_cast<void>(this->continues());
      throw;
    }
    return this->continues();
  }

  /// The coroutine is being destroyed: cancels what can be cancelled, destroys coroutines, and waits for the rest,
  /// which may use what is about to be destroyed. The body stays until then, but no longer counts.
  /// Blocks: until running tasks have ended.
  template <class Body>
  void settle(Body& body) noexcept {
    const bool open = this->block();
    this->cancel();
    this->dispense_with_canceller();
    this->forsake();
    body.give_up();
    QueueCore<Runtime>::run_local_here();
    while (open && !this->is_over()) {
      parker_.park();
    }
  }

 protected:
  ~GroupScope() override = default;

 private:
  void stop() noexcept override { stop_.request_stop(); }
  void wake_blocked() noexcept override { parker_.unpark(); }

  typename Runtime::StopSource stop_;
  typename Runtime::Parker parker_;
};

/// Awaits the body and everything it starts. If the coroutine is destroyed, this destructor waits instead.
template <class Runtime, class R>
class GroupAwaiter {
 public:
  GroupAwaiter(GroupScope<Runtime>& scope, Task<R>&& body) : scope_(scope), body_(std::move(body)) {}
  GroupAwaiter(const GroupAwaiter&) = delete;
  GroupAwaiter& operator=(const GroupAwaiter&) = delete;
  ~GroupAwaiter() {
    if (waiting_) {
      scope_.settle(body_);
    }
  }

  static bool await_ready() noexcept { return false; }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    waiting_ = true;
    scope_.arm(coroutine);
    return !scope_.start(body_);  // after true, *this may be gone
  }
  /// Throws: the first failure.
  R await_resume() {
    waiting_ = false;
    scope_.rethrow_failure();
    return body_.take();
  }

 private:
  GroupScope<Runtime>& scope_;
  TaskChild<R, Runtime> body_;
  bool waiting_ = false;
};

TOTO_COROUTINES_BEGIN

/// An exception that the body throws before it returns its Task is a failure like any other.
template <class R, class Body, class Group>
Task<R> call_body(Body& body, Group& group) {
  co_return co_await detail::invoke(body, group);
}

/// What a group's body returns.
template <class Body, class Group>
struct GroupBody {
  using Returned = typename std::conditional_t<std::is_invocable_v<Body, Group>, std::invoke_result<Body, Group>,
                                               std::type_identity<void>>::type;
  static_assert(IsTask<Returned>::value,
                "toto: the body of a task group must be a coroutine: [](toto::TaskGroup& group) -> toto::Task<> {...}");
  using Result = typename TaskResult<Returned>::Type;
};

template <class Runtime, class R, class Body>
Task<R> run_group(Body body) {
  const auto scope = Ref<GroupScope<Runtime>>::adopt(new GroupScope<Runtime>());
  auto group = Access::make<BasicTaskGroup<Runtime>>(*scope);
  GroupAwaiter<Runtime, R> all(*scope, detail::call_body<R>(body, group));
  co_return co_await all;
}

TOTO_COROUTINES_END

}  // namespace detail

/// Returns a Task that runs `body(group)`, a coroutine that returns a Task<R>, and ends when the body and everything
/// started in the group have ended. The Task returns the result of the body, or throws the failure that came first.
/// Later failures of tasks go to their queue's on_error; those of coroutines are discarded. `body` is kept until
/// everything has ended, so a lambda may have captures.
///
/// If the awaiting coroutine is destroyed, the group is cancelled, its coroutines are destroyed, and the destruction
/// blocks until the tasks that have begun have ended: nothing outlives its scope. If such a task cannot end without the
/// destroying thread, that thread hangs.
/// Throws: std::bad_alloc, and what copying or moving `body` throws.
/// Resumes on: the home of the coroutine; tasks are cancelled there, too.
/// Thread safety: Thread-safe, except with other uses of `body`.
template <class Runtime = StdRuntime, class Body>
auto with_task_group(Body&& body) {
  using R = typename detail::GroupBody<std::decay_t<Body>&, BasicTaskGroup<Runtime>&>::Result;
  if constexpr (detail::kDestroyedTwice<Body>) {
    return detail::UnstoredTask<R>(detail::run_group<Runtime, R, std::decay_t<Body>>(std::forward<Body>(body)));
  } else {
    return detail::run_group<Runtime, R, std::decay_t<Body>>(std::forward<Body>(body));
  }
}

}  // namespace toto::inline v0_1

#endif  // TOTO_TASK_GROUP_HPP
