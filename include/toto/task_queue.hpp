// SPDX-License-Identifier: MIT
//
// TaskQueue: runs tasks on a bounded set of threads that start when there is work and vanish when idle. This file is
// the interface; how it works is in detail/queue_core.hpp and docs/design.md. Read next: task_handle.hpp,
// event_loop.hpp.

#ifndef TOTO_TASK_QUEUE_HPP
#define TOTO_TASK_QUEUE_HPP

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <string_view>
#include <utility>

#include "detail/inline_call.hpp"
#include "detail/queue_core.hpp"
#include "detail/registry.hpp"
#include "detail/schedule.hpp"
#include "executor.hpp"
#include "options.hpp"
#include "stats.hpp"
#include "task_handle.hpp"

namespace toto::inline v0 {

namespace detail {

struct QueueAccess;

/// The handle type for a call: one that must be stored before it is awaited, where the compiler demands it.
template <class Runtime, class F, class... Args>
using HandleFor = std::conditional_t<(kDestroyedTwice<F> || ... || kDestroyedTwice<Args>),
                                     UnstoredHandle<typename CallTraits<Runtime, F, Args...>::Result, Runtime>,
                                     TaskHandle<typename CallTraits<Runtime, F, Args...>::Result, Runtime>>;

/// Adds a state that was just made to its queue.
/// Throws: what adding throws; the state is freed then.
template <class Runtime>
void submit(QueueCore<Runtime>& core, TaskStateBase<Runtime>& state) {
  try {
    core.add(state);
  } catch (...) {
    state.destroy();
    throw;
  }
}

/// The same, and gives its handle.
template <class Handle, class Runtime, class R>
Handle submit(QueueCore<Runtime>& core, TaskState<R, Runtime>* state) {
  submit(core, *state);
  return HandleAccess::make<Handle>(state);
}

}  // namespace detail

/// A queue of tasks and up to thread_count threads that run them, first in, first out.
///
/// No thread exists before the first task. A thread without work for idle_timeout ends; an idle thread is reused before
/// a new one is started. A task that was accepted is always run.
/// Lifetime: the destructor closes the queue, runs everything accepted, and joins the threads.
/// Thread safety: Thread-safe, except with construction and destruction. A task may destroy its own queue.
template <class Runtime = StdRuntime>
class BasicTaskQueue {
 public:
  using ErrorHook = std::function<void(std::exception_ptr, const TaskInfo&)>;

  /// A queue that runs up to `thread_count` tasks at a time (1 to 1,000,000) and ends threads that were without work
  /// for `idle_timeout` (0: at once; Duration::never(): not at all). Starts no thread.
  /// Throws: std::invalid_argument naming the parameter.
  explicit BasicTaskQueue(std::size_t thread_count = 1, Duration idle_timeout = std::chrono::seconds(60),
                          std::string_view name = "TaskQueue")
      : BasicTaskQueue(QueueOptions{thread_count, idle_timeout, name}) {}

  /// The same with named options: `TaskQueue queue({.thread_count = 4, .name = "db"});`
  explicit BasicTaskQueue(const QueueOptions& options) {
    detail::check_options(options);
    core_ = detail::Ref<Core>::adopt(new Core(options));
    core_->owner.store(this, std::memory_order_relaxed);
  }

  BasicTaskQueue(const BasicTaskQueue&) = delete;
  BasicTaskQueue& operator=(const BasicTaskQueue&) = delete;

  /// Closes the queue, runs everything it has accepted, and joins its threads. In one of the queue's own tasks: waits
  /// for the other threads only; what is left then runs on the present thread, after the task.
  /// Blocks: until the tasks have ended, suspended coroutine tasks among them.
  ~BasicTaskQueue() {
    core_->close(Pending::run);
    core_->finish();
    core_->owner.store(nullptr, std::memory_order_relaxed);
  }

  // Named queues.

  /// The queue of that name, shared by the whole process; made now if there is none. The arguments after the name are
  /// used only then. It lives until the process ends, when it is closed and drained.
  /// Throws: std::invalid_argument, std::bad_alloc.
  static BasicTaskQueue& instance(std::string_view name, std::size_t thread_count = 1,
                                  Duration idle_timeout = std::chrono::seconds(60)) {
    return instance(QueueOptions{thread_count, idle_timeout, name});
  }
  static BasicTaskQueue& instance(const QueueOptions& options) {
    detail::check_name(options.name, "name");
    if (BasicTaskQueue* const found = find(options.name)) {
      return *found;
    }
    detail::check_options(options);
    return Registry::instance().find_or_make(options);
  }

  /// The named queue, or null.
  static BasicTaskQueue* find(std::string_view name) noexcept {
    try {
      return Registry::instance().find(name);
    } catch (...) {
      return nullptr;  // no memory for the registry itself: there is no queue yet
    }
  }

  /// Closes every named queue and waits until all have run what they accepted. False if some are still busy when the
  /// time is up. They stay registered, and closed.
  /// Blocks: for `limit` at the most.
  static bool shutdown_instances(Duration limit) {
    detail::check_duration(limit, "limit");
    return Registry::instance().shutdown(limit);
  }

  /// How long the end of the process waits for the named queues: 10 seconds unless set.
  static void set_exit_limit(Duration limit) {
    detail::check_duration(limit, "limit");
    Registry::instance().set_exit_limit(limit);
  }

  // Adding tasks.

  /// Runs `fn(args...)` on one of the queue's threads; returns before it has run. The callable and the arguments are
  /// copied or moved as std::thread does it (std::ref passes a reference) and destroyed on that thread right after the
  /// call. What it returns is dropped, unless it is a Task, which is run to its end. An exception goes to on_error.
  /// Throws: QueueClosed; std::invalid_argument for a null callable; std::bad_alloc; std::system_error if no thread
  /// lives and none can be started. Then nothing was queued.
  template <class F, class... Args>
  void add_task(F&& fn, Args&&... args) {
    if constexpr (detail::fits_inline<Runtime, F, Args...>()) {
      detail::check_callable(fn, args...);
      detail::add_inline(*core_, detail::bind_inline(std::forward<F>(fn), std::forward<Args>(args)...));
    } else {
      auto* const state = detail::make_state(*core_, std::forward<F>(fn), std::forward<Args>(args)...);
      state->let_go();
      detail::submit(*core_, *state);
    }
  }

  /// The same, and gives a handle to the result: what `fn` returns, or, if that is a Task<R>, what the coroutine gives
  /// in the end. The task runs whether or not the handle is awaited.
  ///
  /// A callable that cannot be called with the arguments alone is given a StopToken in front of them.
  /// Throws: as add_task.
  template <class F, class... Args>
  [[nodiscard("dropping the handle detaches the task; say std::move(handle).detach(), or use add_task")]] detail::
      HandleFor<Runtime, F, Args...>
      yield_task(F&& fn, Args&&... args) {
    return detail::submit<detail::HandleFor<Runtime, F, Args...>>(
        *core_, detail::make_state(*core_, std::forward<F>(fn), std::forward<Args>(args)...));
  }

  /// To be awaited: the coroutine continues on this queue, behind what is queued now. Allocates nothing.
  /// Throws, when awaited: QueueClosed if the queue has ended; std::bad_alloc; std::system_error.
  [[nodiscard("co_await it: the coroutine continues on the queue then")]] auto schedule() noexcept {
    return detail::ScheduleAwaiter<Runtime>(*core_);
  }

  /// Starts one thread now, if fewer than thread_count live. There is no need to: adding starts threads.
  /// Throws: QueueClosed, std::system_error, std::bad_alloc.
  void run() { core_->start_one(); }

  // Ending.

  /// Refuses new tasks from now on; what was accepted still runs, or, with Pending::cancel, what has not begun
  /// completes with TaskCancelled. Continuations of coroutines are not refused. Does not block; may be repeated.
  void close(Pending pending = Pending::run) { core_->close(pending); }

  /// Completes every task that has not begun with TaskCancelled; returns how many.
  std::size_t cancel_queued() { return core_->cancel_queued(); }

  /// Blocks: until nothing is queued, running or suspended. Threads may still be idle then.
  /// Throws: DeadlockError on a thread of this queue, which would wait for itself.
  void wait_idle() {
    refuse_on_own_thread();
    core_->wait_idle_until(TimePoint::max());
  }

  /// The same with a limit: true if the queue became idle, false after `limit`.
  bool wait_idle_for(Duration limit) {
    if (limit.is_nan()) {
      detail::check_duration(limit, "limit");
    }
    refuse_on_own_thread();
    return core_->wait_idle_until(limit.after(Runtime::Clock::now()));
  }

  // Observing.

  /// Live threads plus queued tasks and continuations (the seed's len()). Snapshot: may be stale on return.
  std::size_t size() const { return core_->size(); }

  /// Counts that agree with each other. Snapshot: may be stale on return.
  QueueStats stats() const { return core_->stats(); }

  std::string_view name() const noexcept { return core_->name(); }
  std::size_t thread_count() const noexcept { return core_->thread_count(); }

  /// Sets what is told of exceptions that nobody will see: from add_task, and from dropped handles. Called on the
  /// thread that ran the task, or that dropped the handle. What the hook throws is ignored. Without one, a line goes to
  /// stderr. An empty function restores that.
  void on_error(ErrorHook hook) { core_->on_error(std::move(hook)); }

  /// Where coroutines continue: `std::move(handle).resume_on(queue)`.
  BasicExecutorRef<Runtime> executor() noexcept {
    return detail::ExecutorAccess::make(detail::Ref<detail::ExecutorCore<Runtime>>::share(core_.get()));
  }

  /// The queue whose thread the calling thread is, or null.
  static BasicTaskQueue* current() noexcept {
    auto* const worker = detail::ThreadContext<Runtime>::current().worker;
    return worker == nullptr ? nullptr
                             : static_cast<BasicTaskQueue*>(worker->core.owner.load(std::memory_order_relaxed));
  }

 private:
  using Core = detail::QueueCore<Runtime>;
  using TimePoint = typename Core::TimePoint;
  using Registry = detail::Registry<Runtime, BasicTaskQueue, detail::QueueAccess>;
  friend detail::QueueAccess;

  void refuse_on_own_thread() const {
    if (core_->this_worker() != nullptr) {
      throw DeadlockError("toto: wait_idle() in a task of queue '" + core_->name() +
                          "' would wait for that task itself");
    }
  }

  detail::Ref<Core> core_;
};

using TaskQueue = BasicTaskQueue<StdRuntime>;

/// The seed's len(queue): the same as queue.size().
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
}  // namespace toto::inline v0

#endif  // TOTO_TASK_QUEUE_HPP
