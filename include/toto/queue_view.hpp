// SPDX-License-Identifier: MIT
//
// QueueView: a view of a queue for tasks of one kind, as returned by queue.limited() and queue.with(). Read next:
// task_queue.hpp.

#ifndef TOTO_QUEUE_VIEW_HPP
#define TOTO_QUEUE_VIEW_HPP

#include <cstddef>
#include <string_view>
#include <utility>

#include "detail/queue/queue_gate.hpp"
#include "detail/queue/queued_task.hpp"
#include "detail/task/delayed_task.hpp"
#include "detail/task/submission.hpp"
#include "options.hpp"
#include "runtime.hpp"
#include "timer.hpp"

namespace toto::inline v0_1 {

// given: toto::TaskQueue queue; toto::StopToken token;
// given: const auto answer = [] {}; const auto search = [](toto::StopToken) {};
/// Adds tasks to a queue with a common limit, a priority, a deadline or a stop token.
///
///   auto reports = queue.limited(2, "reports");      // at most two of them run at a time, on the queue's threads
///   auto serial = queue.limited(1, "log");           // one after another, in order
///   queue.with({.priority = 3}).add_task(answer);    // ahead of less urgent tasks
///   queue.with(token).add_task(search);              // cancelled with the token
///
/// Copies share the limit. A task that waits for its turn holds no thread.
/// Lifetime: may outlive the queue, which then accepts no more tasks.
/// Thread safety: Thread-safe, except with assignment and destruction.
template <class Runtime = StdRuntime>
class QueueView {
 public:
  using StopToken = typename Runtime::StopToken;

  /// As BasicTaskQueue::add_task.
  template <class F, class... Args>
  void add_task(F&& fn, Args&&... args) const {
    submit<void>(false, std::forward<F>(fn), std::forward<Args>(args)...);
  }

  /// As BasicTaskQueue::try_add_task.
  template <class F, class... Args>
  bool try_add_task(F&& fn, Args&&... args) const {
    return try_add_until((Runtime::Clock::time_point::min)(), std::forward<F>(fn), std::forward<Args>(args)...);
  }

  /// As BasicTaskQueue::try_add_task_for.
  template <class F, class... Args>
  bool try_add_task_for(Duration limit, F&& fn, Args&&... args) const {
    detail::check_not_nan(limit, "limit");
    return try_add_until(limit.after(Runtime::Clock::now()), std::forward<F>(fn), std::forward<Args>(args)...);
  }

  /// As BasicTaskQueue::yield_task.
  template <class F, class... Args>
  [[nodiscard("dropping the handle detaches the task; say std::move(handle).detach(), or use add_task")]] detail::
      HandleFor<Runtime, F, Args...>
      yield_task(F&& fn, Args&&... args) const {
    return submit<detail::HandleFor<Runtime, F, Args...>>(false, std::forward<F>(fn), std::forward<Args>(args)...);
  }

  /// As BasicTaskQueue::add_task_after and add_task_every; each call is a task of this view. The view's token stops the
  /// timer.
  template <class F>
  BasicTimer<Runtime> add_task_after(Duration delay, F&& fn) const {
    return detail::add_delayed(*core_, lane_, control_, delay, Duration::never(), std::forward<F>(fn));
  }
  template <class F>
  BasicTimer<Runtime> add_task_every(Duration period, F&& fn) const {
    return detail::add_delayed(*core_, lane_, control_, period, period, std::forward<F>(fn));
  }

  /// Returns a view like this one, for tasks with these options, or with a token that cancels them: queued tasks are
  /// removed from the queue, and running tasks are asked to stop if they take a StopToken.
  /// Throws: std::invalid_argument naming the option.
  QueueView with(const TaskOptions& options) const {
    detail::check_options(options);
    QueueView view(*this);
    view.control_.set(options);
    return view;
  }
  QueueView with(StopToken token) const {
    QueueView view(*this);
    view.control_.set(std::move(token));
    return view;
  }

  /// Returns the name given to limited(), or the queue's.
  std::string_view name() const noexcept { return lane_ ? std::string_view(lane_->name) : core_->name(); }
  /// Returns the number given to limited(), or the queue's thread_count.
  std::size_t thread_count() const noexcept { return lane_ ? lane_->limit : core_->thread_count(); }

 private:
  friend detail::Access;
  using Core = detail::QueueCore<Runtime>;
  using Lane = detail::Lane<Runtime>;

  QueueView(detail::Ref<Core> core, detail::Ref<Lane> lane) noexcept : core_(std::move(core)), lane_(std::move(lane)) {}

  template <class Handle, class F, class... Args>
  Handle submit(bool reserved, F&& fn, Args&&... args) const {
    return detail::submit_call<Handle>(*core_, lane_, control_, reserved, std::forward<F>(fn),
                                       std::forward<Args>(args)...);
  }

  template <class F, class... Args>
  bool try_add_until(typename Core::TimePoint deadline, F&& fn, Args&&... args) const {
    if (!detail::QueueGate(*core_).reserve_room_until(deadline)) {
      return false;
    }
    try {
      submit<void>(true, std::forward<F>(fn), std::forward<Args>(args)...);
    } catch (...) {
      core_->give_back_room();
      throw;
    }
    return true;
  }

  detail::Ref<Core> core_;
  detail::Ref<Lane> lane_;  // none: the queue's own bound alone
  detail::Control<Runtime> control_;
};

}  // namespace toto::inline v0_1

#endif  // TOTO_QUEUE_VIEW_HPP
