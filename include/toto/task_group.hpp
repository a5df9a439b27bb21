// SPDX-License-Identifier: MIT
//
// TaskGroup: structured concurrency. with_task_group() opens a scope in which any number of tasks may be started; it is
// over when all of them are. There is no other way to get a group, so nothing can outlive its scope.

#ifndef TOTO_TASK_GROUP_HPP
#define TOTO_TASK_GROUP_HPP

#include <coroutine>
#include <memory>
#include <type_traits>
#include <utility>

#include "detail/gather/child.hpp"
#include "detail/gather/fail_fast.hpp"
#include "detail/ground/invoke.hpp"
#include "detail/ground/temporaries.hpp"
#include "runtime.hpp"
#include "task.hpp"
#include "task_handle.hpp"

namespace toto::inline v0_1 {

namespace detail {

template <class Runtime>
class GroupScope;
struct GroupAccess;

}  // namespace detail

/// What a body given to with_task_group() starts its tasks with.
///
/// The first failure of a task, or of the body, cancels the group: what has not begun never will, running tasks are
/// asked to stop through their StopToken, and stop_token() says so to everything else.
/// Lifetime: the group is there until with_task_group() is over.
/// Thread safety: Thread-safe. It may be used by the body and by the tasks of the group.
template <class Runtime = StdRuntime>
class BasicTaskGroup {
 public:
  BasicTaskGroup(const BasicTaskGroup&) = delete;
  BasicTaskGroup& operator=(const BasicTaskGroup&) = delete;

  /// Starts the coroutine on the calling thread, as far as its first suspension. If the group is cancelled, the
  /// coroutine is destroyed instead.
  /// Throws: NoState for a task that is empty, or runs already; std::bad_alloc.
  void spawn(Task<> task) {
    auto child = std::make_unique<detail::TaskChild<void, Runtime>>(std::move(task));
    if (!scope_->cancelled()) {
      scope_->spawn(std::move(child));
    }
  }

  /// Runs `fn(args...)` on `queue`, a queue or a view of one, as its yield_task does it; what it returns is dropped,
  /// but a Task is run to its end. If the group is cancelled, nothing is added.
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

  /// Cancels the group. This alone is no failure: with_task_group() gives the body's result, and TaskCancelled from the
  /// tasks is passed over.
  void cancel() noexcept { scope_->cancel(); }

  /// Whether the group was cancelled, or a task has failed.
  bool cancelled() const noexcept { return scope_->cancelled(); }

  /// Is asked to stop when the group is cancelled: for the body, and for coroutines of the group.
  typename Runtime::StopToken stop_token() const noexcept { return scope_->stop_token(); }

 private:
  friend detail::GroupAccess;

  explicit BasicTaskGroup(detail::GroupScope<Runtime>& scope) noexcept : scope_(&scope) {}

  detail::GroupScope<Runtime>* scope_;
};
using TaskGroup = BasicTaskGroup<StdRuntime>;

namespace detail {

struct GroupAccess {
  template <class Runtime>
  static BasicTaskGroup<Runtime> make(GroupScope<Runtime>& scope) noexcept {
    return BasicTaskGroup<Runtime>(scope);
  }
};

/// Its body is its first child, and belongs to the awaiter; the others belong to the list.
template <class Runtime>
class GroupScope final : public FailFast<Runtime> {
 public:
  /// Throws: std::bad_alloc.
  GroupScope() = default;

  typename Runtime::StopToken stop_token() const noexcept { return stop_.get_token(); }

  /// The caller is part of the group, which cannot be over now.
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

  /// False: the coroutine waits, and may be gone.
  /// Throws: what starting a Task throws.
  bool start(Child<Runtime>& body) {
    this->retain();
    try {
      this->start_one(body);
    } catch (...) {
      this->block();
      static_cast<void>(this->goes_on());
      throw;
    }
    return this->goes_on();
  }

  /// The coroutine is being destroyed: cancels what can be cancelled, destroys coroutines, and waits for the rest,
  /// which may use what is about to be destroyed. The body stays until then, and counts no more.
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

/// Awaits the body and everything it starts. Its destructor keeps the promise if the coroutine is destroyed.
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

/// What the body throws before it gives its Task is a failure like any other.
template <class R, class Body, class Group>
Task<R> call_body(Body& body, Group& group) {
  co_return co_await detail::invoke(body, group);
}

/// What a group's body returns.
template <class Body, class Group>
struct GroupBody {
  static constexpr auto returned() {
    if constexpr (std::is_invocable_v<Body, Group>) {
      return std::type_identity<std::invoke_result_t<Body, Group>>();
    } else {
      return std::type_identity<void>();
    }
  }
  using Returned = typename decltype(returned())::type;
  static_assert(IsTask<Returned>::value,
                "toto: the body of a task group is a coroutine: [](toto::TaskGroup& group) -> toto::Task<> {...}");
  using Result = typename TaskResult<Returned>::Type;
};

template <class Runtime, class R, class Body>
Task<R> run_group(Body body) {
  const auto scope = Ref<GroupScope<Runtime>>::adopt(new GroupScope<Runtime>());
  auto group = GroupAccess::make(*scope);
  GroupAwaiter<Runtime, R> all(*scope, detail::call_body<R>(body, group));
  co_return co_await all;
}

TOTO_COROUTINES_END

}  // namespace detail

/// A Task that calls `body(group)`, a coroutine that gives a Task<R>, and is over when that and everything it has
/// started in the group is over. Gives the body's result, or throws the first failure of all, in time; those of other
/// tasks go to their queue's on_error, those of other coroutines are dropped. `body` is kept until then: a lambda may
/// capture.
///
/// If the coroutine is destroyed, the group is cancelled, its coroutines are destroyed, and the destruction blocks
/// until the tasks that have begun are over: nothing outlives its scope. One that needs the destroying thread would
/// hang it.
/// Throws: std::bad_alloc, and what copying or moving `body` throws.
/// Resumes on: where the coroutine was running; there tasks are cancelled, too.
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
