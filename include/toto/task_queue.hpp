// SPDX-License-Identifier: MIT
//
// TaskQueue: runs tasks on a bounded set of threads that start when there is work and end when idle. This file is
// the interface. Read next: detail/task/submission.hpp, to follow a task; task_handle.hpp, event_loop.hpp, to use one.

#ifndef TOTO_TASK_QUEUE_HPP
#define TOTO_TASK_QUEUE_HPP

#include <cstddef>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "admission.hpp"
#include "detail/ground/callable.hpp"
#include "detail/ground/lean_std.hpp"
#include "detail/ground/text.hpp"
#include "detail/queue/queue_core.hpp"
#include "detail/queue/queue_end.hpp"
#include "detail/queue/queue_gate.hpp"
#include "detail/queue/queue_report.hpp"
#include "detail/queue/schedule.hpp"
#include "detail/queue/wait_graph.hpp"
#include "detail/queue/worker_start.hpp"
#include "detail/task/call_awaiter.hpp"
#include "detail/task/inline_call.hpp"
#include "detail/task/submission.hpp"
#include "executor.hpp"
#include "named_queues.hpp"
#include "options.hpp"
#include "queue_view.hpp"
#include "stats.hpp"
#include "task_handle.hpp"
#include "timer.hpp"

namespace toto::inline v0_1 {

namespace detail {

struct QueueAccess;

}  // namespace detail

/// A queue of tasks and up to thread_count threads that run them, first in, first out.
///
/// No thread exists before the first task. A thread without work for idle_timeout ends; an idle thread is reused before
/// a new one is started. An accepted task runs unless it is cancelled, or the process ends first. For queues that the
/// whole process shares by name, see instance() and the related functions in named_queues.hpp.
/// Lifetime: the destructor closes the queue, runs everything accepted, and joins the threads.
/// Thread safety: Thread-safe, except with construction and destruction. A task may destroy its own queue.
template <class Runtime = StdRuntime>
class BasicTaskQueue : public NamedQueues<Runtime, BasicTaskQueue<Runtime>> {
 public:
  /// Makes a queue that runs up to `thread_count` tasks at a time (1 to 1,000,000) and ends threads without work for
  /// `idle_timeout` (0: at once; Duration::never(): not at all). Starts no thread.
  /// Throws: std::invalid_argument naming the parameter; std::bad_alloc.
  explicit BasicTaskQueue(std::size_t thread_count = 1, Duration idle_timeout = std::chrono::seconds(60),
                          std::string_view name = "TaskQueue")
      : core_(make_core(this, QueueOptions{thread_count, idle_timeout, name},
                        {&detail::QueueGate<Runtime>::prepare, &detail::start_worker<Runtime>,
                         &detail::start_again<Runtime>, &detail::dump_of})) {}

  /// The same with named options: `TaskQueue queue({.thread_count = 4, .name = "db"});`
  /// Throws: also std::system_error if there is a watchdog and the timer thread cannot be started.
  explicit BasicTaskQueue(const QueueOptions& options)
      : core_(make_core(
            this, options,
            {&detail::QueueGate<Runtime>::prepare, &detail::start_worker<Runtime>, &detail::start_again<Runtime>,
             &detail::dump_of, &detail::add_with_state<Runtime>, &detail::Supervisor<Runtime>::make})) {
    if (!options.watchdog.is_never()) {
      core_->watch(options.watchdog);
    }
  }

  /// The same with the name first: `TaskQueue db("db", {.thread_count = 4});`. The name in the options is not used.
  explicit BasicTaskQueue(std::string_view name, const QueueOptions& options = {})
      : BasicTaskQueue(detail::with_name(options, name)) {}

  BasicTaskQueue(const BasicTaskQueue&) = delete;
  BasicTaskQueue& operator=(const BasicTaskQueue&) = delete;

  /// Closes the queue, runs everything it has accepted, and joins its threads. In one of the queue's own tasks, it
  /// waits only for the other threads; what is still queued runs on the calling thread, after the task.
  /// Blocks: until all tasks have ended, suspended coroutine tasks included.
  ~BasicTaskQueue() {
    detail::QueueEnd(*core_).close();
    detail::QueueEnd(*core_).finish();
    core_->owner.store(nullptr, std::memory_order_relaxed);
  }

  // Adding tasks.

  /// Runs `fn(args...)` on one of the queue's threads; returns before it has run. The callable and the arguments are
  /// copied or moved as with std::thread (std::ref passes a reference) and destroyed on that thread right after the
  /// call. The result is discarded, except that a Task runs to its end. Exceptions go to on_error.
  /// Blocks: while the queue is full, if it was made with a bound and Overflow::block, and while the system starts a
  /// thread. A coroutine on an event loop must await admission() instead: room may be reserved for another coroutine
  /// that can use it only on the loop's thread, so add_task would wait for that coroutine forever.
  /// Throws: QueueClosed; QueueFull if the queue is full, with Overflow::reject; std::invalid_argument for a null
  /// callable; std::bad_alloc; std::system_error if no thread is alive and none can be started. In each case nothing
  /// was queued.
  template <class F, class... Args>
  void add_task(F&& fn, Args&&... args) {
    if constexpr (detail::fits_inline<Runtime, F, Args...>()) {
      detail::check_callable(fn, args...);
      detail::add_inline<detail::Stored<F>>(*core_,
                                            detail::bind_inline(std::forward<F>(fn), std::forward<Args>(args)...));
    } else {
      detail::submit_call<void>(*core_, {}, Control(), false, std::forward<F>(fn), std::forward<Args>(args)...);
    }
  }

  /// The same if there is room now. Returns false, and leaves `fn` and the arguments untouched, if max_queued tasks are
  /// queued or others wait for room. Never waits, whatever the queue's Overflow.
  template <class F, class... Args>
  bool try_add_task(F&& fn, Args&&... args) {
    return view().try_add_task(std::forward<F>(fn), std::forward<Args>(args)...);
  }

  /// The same, but waits up to `limit` for room, unless a thread of this queue calls it.
  /// Blocks: for at most `limit`.
  /// Throws: as add_task, but not QueueFull; std::invalid_argument for NaN.
  template <class F, class... Args>
  bool try_add_task_for(Duration limit, F&& fn, Args&&... args) {
    return view().try_add_task_for(limit, std::forward<F>(fn), std::forward<Args>(args)...);
  }

  /// The same as add_task, but returns a handle to the result: what `fn` returns, or, if that is a Task<R>, what the
  /// coroutine returns. The task runs whether or not the handle is awaited.
  ///
  /// A callable that takes a StopToken before its other arguments, and cannot be called with those alone, is given a
  /// token.
  /// Blocks: as add_task.
  /// Throws: as add_task.
  template <class F, class... Args>
  [[nodiscard("dropping the handle detaches the task; say std::move(handle).detach(), or use add_task")]] detail::
      HandleFor<Runtime, F, Args...>
      yield_task(F&& fn, Args&&... args) {
    return detail::submit_call<detail::HandleFor<Runtime, F, Args...>>(
        *core_, {}, Control(), false, std::forward<F>(fn), std::forward<Args>(args)...);
  }

  /// Awaitable: calls `fn(args...)` on the queue and returns its result. Callable, arguments and result live in the
  /// awaiting coroutine's frame, so nothing is allocated, unless the callable takes a StopToken. Nothing happens until
  /// it is awaited; it cannot be moved.
  ///
  /// If the coroutine is destroyed while it waits, the task is removed from the queue; if it is running, it is asked to
  /// stop, and the destroying thread blocks until it ends. So the task itself must not destroy the coroutine.
  /// Lifetime: the queue must exist when this is awaited; from then on the call keeps the parts that it needs.
  /// Blocks: when awaited, as add_task.
  /// Throws: std::invalid_argument for a null callable; std::bad_alloc; when awaited, what `fn` and add_task throw, and
  /// NoState if awaited a second time.
  /// Resumes on: as a TaskHandle.
  template <class F, class... Args>
  [[nodiscard("co_await it: call() alone calls nothing")]] auto call(F&& fn, Args&&... args) {
    detail::require_callable<Runtime, F, Args...>();
    detail::check_callable(fn, args...);
    return detail::CallAwaitable<Runtime, (detail::kDestroyedTwice<F> || ... || detail::kDestroyedTwice<Args>),
                                 detail::Stored<F>, detail::Stored<Args>...>(*core_, std::forward<F>(fn),
                                                                             std::forward<Args>(args)...);
  }

  /// Adds `fn()` after `delay`. The timer can stop it before that, and does so when the timer is destroyed. Until `fn`
  /// is due, it is not a task: neither closing nor wait_idle waits for it. An `fn` that takes a StopToken, and cannot
  /// be called without one, is given one, through which the timer asks it to stop.
  /// Throws: std::invalid_argument for a negative delay or NaN, or a null callable; std::bad_alloc; std::system_error.
  template <class F>
  BasicTimer<Runtime> add_task_after(Duration delay, F&& fn) {
    return detail::add_delayed(*core_, {}, Control(), delay, Duration::never(), std::forward<F>(fn));
  }

  /// Adds `fn()` after each `period`, until the timer is stopped or destroyed, or the queue closes. Calls never
  /// overlap: if the previous one is still queued or running, that tick is skipped; later ticks stay on schedule.
  /// Throws: std::invalid_argument for a period of 0 or less or NaN, or a null callable; std::bad_alloc;
  /// std::system_error.
  template <class F>
  BasicTimer<Runtime> add_task_every(Duration period, F&& fn) {
    return detail::add_delayed(*core_, {}, Control(), period, period, std::forward<F>(fn));
  }

  // Views and room.

  /// Returns a view whose tasks run on this queue's threads, at most `limit` at a time (1 to 1,000,000). The others
  /// wait in order, hold no thread, and count as queued tasks of this queue. limited(1) is a serial queue.
  /// Throws: std::invalid_argument naming the parameter; std::bad_alloc.
  QueueView<Runtime> limited(std::size_t limit, std::string_view name) {
    detail::check_threads(limit, "limit");
    detail::check_name(name, "name");
    return detail::Access::make<QueueView<Runtime>>(
        core_, detail::Ref<detail::Lane<Runtime>>::adopt(new detail::Lane<Runtime>(limit, std::string(name))));
  }

  /// Returns a view for tasks with a priority or a deadline, or with a token that cancels them.
  /// Throws: std::invalid_argument naming the option.
  QueueView<Runtime> with(const TaskOptions& options) { return view().with(options); }
  QueueView<Runtime> with(typename Runtime::StopToken token) { return view().with(std::move(token)); }

  /// Awaitable: reserves room for one task in a bounded queue, and holds no thread while it waits. The Admission adds
  /// the task.
  /// Throws, when awaited: QueueClosed, std::bad_alloc.
  /// Resumes on: the home of the coroutine; without one, a worker of this queue.
  [[nodiscard("co_await it: no room is reserved before that")]] auto admission() noexcept {
    return detail::AdmissionAwaiter<Runtime>(core_);
  }

  /// Awaitable: the coroutine continues on this queue, behind what is queued now. Allocates nothing.
  /// Throws, when awaited: QueueClosed if the queue has ended; std::bad_alloc; std::system_error.
  [[nodiscard("co_await it: only then does the coroutine continue on the queue")]] auto schedule() noexcept {
    return detail::ScheduleAwaiter<Runtime>(*core_);
  }

  /// Starts one thread now, if fewer than thread_count are alive. Optional: adding tasks starts threads.
  /// Throws: QueueClosed, std::system_error, std::bad_alloc.
  void run() { detail::start_one_worker(*core_); }

  // Ending.

  /// Refuses new tasks from now on. Accepted tasks still run; with Pending::cancel, those that have not begun complete
  /// with TaskCancelled instead. Continuations of coroutines are not refused. Does not block; may be called again.
  /// Throws: std::invalid_argument for any other value.
  void close(Pending pending = Pending::run) {
    detail::check_pending(pending);
    detail::QueueEnd(*core_).close();
    if (pending == Pending::cancel) {
      cancel_queued();
    }
  }

  /// Cancels every task that has not begun: it completes with TaskCancelled. Returns the number of those tasks.
  std::size_t cancel_queued() { return detail::QueueEnd(*core_).cancel_queued(); }

  /// Waits until nothing is queued, running or suspended. Idle threads may remain.
  /// Blocks: until then.
  /// Throws: DeadlockError on a thread of this queue, which would wait for itself, and where TaskHandle::get() does.
  void wait_idle() { wait_idle_until((TimePoint::max)(), "wait_idle()"); }

  /// The same with a limit: true if the queue became idle, false after `limit`.
  /// Throws: as wait_idle; std::invalid_argument for NaN.
  bool wait_idle_for(Duration limit) {
    detail::check_not_nan(limit, "limit");
    return wait_idle_until(limit.after(Runtime::Clock::now()), "wait_idle_for()");
  }

  // Observing.

  /// Returns the number of live threads plus queued tasks and continuations (len() in Python). Snapshot: may be stale
  /// on return.
  std::size_t size() const {
    const auto now = detail::stats_of(*core_);
    return static_cast<std::size_t>(now.threads + now.queued + now.continuations);
  }

  /// Returns counts that agree with each other. Snapshot: may be stale on return.
  QueueStats stats() const { return detail::stats_of(*core_); }

  /// Returns several lines of text: counts, idle workers, what workers wait for, who waits for room; with
  /// QueueOptions::track_tasks, also each task that has not ended, its state, and for how long it has been in that
  /// state. Snapshot: may be stale on return.
  /// Throws: std::bad_alloc.
  std::string dump() const { return detail::dump_of(*core_); }

  std::string_view name() const noexcept { return core_->name(); }
  std::size_t thread_count() const noexcept { return core_->thread_count(); }

  /// Sets the handler for exceptions that no one will observe: those of add_task, of dropped handles, and of
  /// destructors of captures, but not the library's own TaskCancelled, QueueClosed and TimedOut. It is called as
  /// `hook(std::exception_ptr, const TaskInfo&)`, on the thread where the task ended or that dropped the handle,
  /// possibly on several threads at a time. Exceptions from the handler are ignored. Without a handler, a line goes to
  /// stderr; nullptr, or a null callable, restores that.
  /// Lifetime: the handler lives as long as the queue, or a handle that may still report to it.
  /// Throws: std::bad_alloc; what copying or moving the hook throws. In that case the previous handler stays.
  template <class Hook>
    requires std::is_invocable_v<std::decay_t<Hook>&, std::exception_ptr, const TaskInfo&>
  void on_error(Hook&& hook) {
    using Returned = std::invoke_result_t<std::decay_t<Hook>&, std::exception_ptr, const TaskInfo&>;
    static_assert(!detail::IsTask<std::remove_cvref_t<Returned>>::value,
                  "toto: the hook returns a Task, which no one would run; have it add the coroutine to a queue");
    set_hook(&detail::Hooks<Runtime>::error, detail::ErrorHook<Runtime>(std::forward<Hook>(hook)));
  }
  void on_error(std::nullptr_t) noexcept { set_hook(&detail::Hooks<Runtime>::error, {}); }

  /// Sets a hook: each thread of the queue that starts from now on calls `fn()` before its first task, to set up what
  /// it needs, such as an affinity, COM, or mysql_thread_init. If `fn` throws, the thread ends, and the exception goes
  /// to on_error; later exceptions are not reported until a thread has begun. The next task tries again with another
  /// thread; so does the queue itself after ten milliseconds, if it has no thread and work is waiting. So a hook that
  /// always throws keeps tasks, and the destructor, waiting until close(Pending::cancel).
  /// Throws: std::invalid_argument for a null callable; std::bad_alloc; what copying or moving `fn` throws.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>&>
  void on_thread_start(F&& fn) {
    detail::check_callable(fn);
    set_hook(&detail::Hooks<Runtime>::thread_start, detail::ThreadHook<Runtime>(std::forward<F>(fn)));
  }
  /// The same at the end of each thread that has begun, after its last task. Exceptions from `fn` go to on_error. The
  /// destructor waits for the call.
  template <class F>
    requires std::is_invocable_v<std::decay_t<F>&>
  void on_thread_end(F&& fn) {
    detail::check_callable(fn);
    set_hook(&detail::Hooks<Runtime>::thread_end, detail::ThreadHook<Runtime>(std::forward<F>(fn)));
  }

  /// Returns this queue as a place to continue on: `std::move(handle).resume_on(queue)`.
  BasicExecutorRef<Runtime> executor() noexcept {
    return detail::Access::make<BasicExecutorRef<Runtime>>(detail::Ref<detail::ExecutorCore<Runtime>>(core_));
  }

  /// Returns the queue to which the calling thread belongs, or null. Its destructor may already be waiting. Also
  /// null if one of the queue's own tasks has destroyed it.
  static BasicTaskQueue* current() noexcept {
    const auto* const worker = detail::ThreadContext<Runtime>::current().worker;
    return worker == nullptr ? nullptr
                             : static_cast<BasicTaskQueue*>(worker->core.owner.load(std::memory_order_relaxed));
  }

 private:
  using Core = detail::QueueCore<Runtime>;
  using TimePoint = typename Core::TimePoint;
  using Control = detail::Control<Runtime>;
  friend detail::QueueAccess;
  friend NamedQueues<Runtime, BasicTaskQueue>;

  TOTO_COLD static detail::Ref<Core> make_core(BasicTaskQueue* owner, const QueueOptions& options,
                                               const detail::QueueFunctions<Runtime>& functions) {
    detail::check_options(options);
    auto core = detail::Ref<Core>::adopt(new Core(options, functions));
    core->owner.store(owner, std::memory_order_relaxed);
    return core;
  }

  template <class Hook>
  void set_hook(Hook detail::Hooks<Runtime>::* which, std::type_identity_t<Hook> hook) noexcept {
    const detail::Lock lock(core_->mutex());
    std::swap(core_->hooks().*which, hook);  // the former one is destroyed after the lock
  }

  QueueView<Runtime> view() noexcept {
    return detail::Access::make<QueueView<Runtime>>(core_, detail::Ref<detail::Lane<Runtime>>());
  }

  bool wait_idle_until(TimePoint deadline, const char* asked) {
    if (core_->this_worker() != nullptr) {
      throw DeadlockError(
          detail::join({"toto: ", asked, " in a task of queue '", core_->name(), "' would wait for that task itself"}));
    }
    Core::run_local_here();
    const detail::AwaitedIdle<Runtime> idle(*core_);
    detail::BlockedThread<Runtime> blocked;
    if (deadline == (TimePoint::max)()) {
      blocked.enter(idle);
    }
    return detail::QueueEnd(*core_).wait_idle_until(deadline);
  }

  detail::Ref<Core> core_;
};

using TaskQueue = BasicTaskQueue<StdRuntime>;

/// The same as queue.size(), under Python's name len(queue).
template <class Runtime>
std::size_t len(const BasicTaskQueue<Runtime>& queue) {
  return queue.size();
}

namespace detail {

struct QueueAccess {
  template <class Runtime>
  static QueueCore<Runtime>& core(BasicTaskQueue<Runtime>& queue) noexcept {
    return *queue.core_;
  }
};

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_TASK_QUEUE_HPP
