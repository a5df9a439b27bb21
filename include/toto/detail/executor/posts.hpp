// SPDX-License-Identifier: MIT
//
// Posts: the calls of post() of users' own executors that threads are in, so that whoever ends such an executor can
// wait until nobody is. Read next: timer.hpp, ../../executor.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_POSTS_HPP
#define TOTO_DETAIL_EXECUTOR_POSTS_HPP

#include <cstdint>

#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/wait_list.hpp"
#include "executor_core.hpp"

namespace toto::inline v0_1::detail {

/// No other mutex is taken under its own. Thread-safe.
template <class Runtime>
class Posts {
 public:
  using Notice = detail::Notice<Runtime>;
  using TimePoint = typename Runtime::Clock::time_point;

  /// The calling thread is about to post to `executor`, and nobody sees the continuation there yet: as soon as somebody
  /// does, the coroutine may be resumed or destroyed, and may end the executor.
  void begin(Notice& notice, const ExecutorIdentity& executor, bool by_timers) noexcept {
    notice.executor = executor;
    notice.by_timers = by_timers;
    notice.thread = this_thread();
    const Lock lock(mutex_);
    notice.number = ++begun_;
    under_way_.push_back(notice);
  }
  void end(Notice& notice) noexcept {
    const Lock lock(mutex_);
    under_way_.remove(notice);
    ended_.notify_all();
  }

  /// Waits until each call for which `concerns(notice)` is true has returned, if it had begun before this was called,
  /// on another thread. Returns false if the deadline has passed first.
  template <class Concerns>
  bool wait_until(TimePoint deadline, Concerns concerns) noexcept {
    const Lock lock(mutex_);
    const std::uint64_t last = begun_;
    return ended_.wait_until(mutex_, deadline, [&]() TOTO_REQUIRES(mutex_) {
      const Notice* notice = under_way_.front();
      while (notice != nullptr && (notice->number > last || notice->thread == this_thread() || !concerns(*notice))) {
        notice = notice->next;
      }
      return notice == nullptr;
    });
  }

  void before_fork() noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS { mutex_.lock(); }
  /// In the child, only the forking thread is still in a call.
  TOTO_COLD void after_fork(bool in_child) noexcept TOTO_NO_THREAD_SAFETY_ANALYSIS {
    if (in_child) {
      ended_ = {};
      LinkedList<Notice> mine;
      while (!under_way_.empty()) {
        Notice& notice = under_way_.pop_front();
        if (notice.thread == this_thread()) {
          mine.push_back(notice);
        }
      }
      under_way_ = mine;
    }
    mutex_.unlock();
  }

 private:
  /// Identifies a thread, and has no other use.
  static const void* this_thread() noexcept { return &ThreadContext<Runtime>::current(); }

  typename Runtime::Mutex mutex_;
  LinkedList<Notice> under_way_ TOTO_GUARDED_BY(mutex_);
  std::uint64_t begun_ TOTO_GUARDED_BY(mutex_) = 0;
  WaitList<Runtime> ended_ TOTO_GUARDED_BY(mutex_);
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_POSTS_HPP
