// SPDX-License-Identifier: MIT
//
// TaskGroup: structured concurrency. with_task_group() opens a scope in which any number of tasks may be started; the
// scope ends when all of them have ended. There is no other way to get a group, so nothing can outlive its scope.

#ifndef TOTO_TASK_GROUP_HPP
#define TOTO_TASK_GROUP_HPP

#include <memory>
#include <type_traits>
#include <utility>

#include "detail/gather/child.hpp"
#include "detail/gather/gathering.hpp"
#include "detail/ground/callable.hpp"
#include "detail/ground/lock.hpp"
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

/// The children of a group. The list owns all but the body.
template <class Runtime>
class GroupScope : public Gathering<Runtime> {
 public:
  using Child = detail::Child<Runtime>;
  using Worker = detail::Worker<Runtime>;

  typename Runtime::StopToken stop_token() const noexcept { return stop_.get_token(); }

  /// Returns whether anything started now would be cancelled. Thread-safe.
  bool cancelled() const noexcept {
    const Lock lock(this->mutex_);
    return cancelled_ || this->decider() != nullptr;
  }
  /// Cancels all children: tasks that have not begun never will, and the others are asked to stop. Thread-safe.
  void cancel() noexcept {
    {
      const Lock lock(this->mutex_);
      if (std::exchange(cancelled_, true)) {
        return;
      }
    }
    stop_.request_stop();
    visit([](Child& child) { child.cancel(); });
  }

  /// The caller is part of the group, so the group cannot have ended.
  /// Throws: what starting a Task throws.
  template <class ChildT>
  void spawn(std::unique_ptr<ChildT> owned) {
    ChildT& child = *owned.release();
    bool too_late = false;
    {
      const Lock lock(this->mutex_);
      child.listed = true;
      this->children_.push_back(child);
      too_late = cancelled_;
    }
    if (too_late) {
      child.cancel();
    }
    try {
      this->start_one(child);
    } catch (...) {
      dismiss(child);
      throw;
    }
  }

  /// A child that ends because the group was cancelled has not failed.
  void over(Child& child, Worker* worker, QueueCore<Runtime>* queue) noexcept final {
    const bool decides = child.failed() && !(cancelled() && child.was_cancelled()) && this->decide(child);
    dismiss(child);
    this->end(decides, worker, queue);
  }
  void happened(Worker* worker, QueueCore<Runtime>* queue, bool ahead) noexcept final {
    Join<Runtime>::happened(worker, queue, ahead);
    parker_.unpark();  // the coroutine may be being destroyed
  }

 protected:
  GroupScope() : Gathering<Runtime>(Until::failure) {}
  ~GroupScope() override {
    while (!this->children_.empty()) {
      delete std::addressof(this->children_.pop_front());  // the one that has failed first
    }
  }

  /// The coroutine is being destroyed, and has left: cancels what can be cancelled, destroys coroutines, and waits for
  /// the rest, which may use what is about to be destroyed. The body stays until then, but no longer counts.
  /// Blocks: until running tasks have ended.
  template <class Body>
  void settle(Body& body) noexcept {
    cancel();
    visit([](Child& child) { child.forsake(); });
    body.give_up();
    QueueCore<Runtime>::run_local_here();
    const unsigned due = this->decide(body) ? 1 : 2;  // from now on no child decides, and each is counted
    for (unsigned waits = this->waits(); waits < due; ++waits) {
      this->count(nullptr, nullptr);  // the coroutine, or the child that has decided
    }
    while (!this->none_left()) {
      parker_.park();
    }
    if (this->decider() != std::addressof(static_cast<Child&>(body))) {
      this->decider()->lose();
    }
    body.destroy();
  }

 private:
  /// Calls `function(child)` for each child, from the last to the first: a task that stops at once must not let the
  /// next one begin. The last visitor of a child that has ended meanwhile destroys it.
  template <class Function>
  void visit(Function function) noexcept {
    LinkedList<Child> gone;
    Lock lock(this->mutex_);
    for (Child* child = this->children_.back(); child != nullptr;) {
      ++child->visitors;
      lock.unlock();
      function(*child);
      lock.lock();
      Child& visited = *std::exchange(child, child->previous);
      --visited.visitors;
      if (unlist_locked(visited)) {
        gone.push_back(visited);
      }
    }
    lock.unlock();
    while (!gone.empty()) {
      delete std::addressof(gone.pop_front());
    }
  }
  /// The child has ended.
  void dismiss(Child& child) noexcept {
    {
      const Lock lock(this->mutex_);
      child.over = true;
      if (!unlist_locked(child)) {
        return;
      }
    }
    delete std::addressof(child);
  }
  /// Takes a child that has ended out of the list; but not the body, which was never in it, and not the first that has
  /// failed, whose failure is still to be thrown. Returns whether it did.
  bool unlist_locked(Child& child) noexcept TOTO_REQUIRES(this -> mutex_) {
    const bool gone = child.listed && child.over && child.visitors == 0 && std::addressof(child) != this->decider();
    if (gone) {
      this->children_.remove(child);
    }
    return gone;
  }

  bool cancelled_ TOTO_GUARDED_BY(this->mutex_) = false;
  typename Runtime::StopSource stop_;
  typename Runtime::Parker parker_;
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

/// A group with its body.
template <class Runtime, class R>
class GroupBlock final : public GroupScope<Runtime> {
 public:
  /// Throws: std::bad_alloc.
  template <class Body>
  explicit GroupBlock(Body& body)
      : group_(Access::make<BasicTaskGroup<Runtime>>(*this)), body_(detail::call_body<R>(body, group_)) {}

  /// Throws: the first failure.
  R take() {
    if (this->decider() != nullptr && this->decider() != std::addressof(static_cast<detail::Child<Runtime>&>(body_))) {
      body_.lose();  // its result goes now
      this->decider()->rethrow();
    }
    return body_.take();
  }
  void forsake() noexcept { this->settle(body_); }

 protected:
  ~GroupBlock() override = default;

 private:
  void start() override { this->start_one(body_); }

  BasicTaskGroup<Runtime> group_;
  TaskChild<R, Runtime> body_;
};

template <class Runtime, class R, class Body>
Task<R> run_group(Body body) {
  GatherWait<GroupBlock<Runtime, R>> all(std::in_place, body);
  co_await all;
  if (all->decider() != nullptr) {
    all->cancel();
    co_await all;
  }
  co_return all.take();
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
  return detail::stored_task<detail::kDestroyedTwice<Body>>(
      detail::run_group<Runtime, R, std::decay_t<Body>>(std::forward<Body>(body)));
}

}  // namespace toto::inline v0_1

#endif  // TOTO_TASK_GROUP_HPP
