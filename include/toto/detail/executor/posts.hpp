// SPDX-License-Identifier: MIT
//
// Notice: a thread posts a continuation, or is about to. Posts: those that go to users' own executors, so that whoever
// ends such an executor can wait until no thread is in its post(), or on the way there. Read next: executor_core.hpp.

#ifndef TOTO_DETAIL_EXECUTOR_POSTS_HPP
#define TOTO_DETAIL_EXECUTOR_POSTS_HPP

#include <cstdint>

#include "../ground/annotations.hpp"
#include "../ground/fork.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/wait_list.hpp"
#include "thread_context.hpp"

namespace toto::inline v0_1::detail {

/// On the stack of the thread that posts, from before anyone can see that the continuation will be posted until it has
/// been: as soon as somebody sees it, the coroutine may be resumed or destroyed, and may end the executor.
template <class Runtime>
struct Notice {
  /// Null: nowhere in particular.
  explicit Notice(const ExecutorCore<Runtime>* to) noexcept;
  ~Notice();
  Notice(const Notice&) = delete;
  Notice& operator=(const Notice&) = delete;

  std::uint64_t ticket = 0;    // given by the executor, for itself
  const void* const executor;  // a user's own; null: it is none
  // For Posts.
  const ThreadContext<Runtime>* thread = nullptr;
  std::uint64_t number = 0;
  Notice* next = nullptr;
  Notice* previous = nullptr;
};

/// No other mutex is taken under its own. Thread-safe.
template <class Runtime>
class Posts final : private ForkAware<Runtime> {
 public:
  using TimePoint = typename Runtime::Clock::time_point;

  /// Throws: std::bad_alloc, the first time.
  static Posts& instance() {
    Posts& posts = Runtime::template global<Posts>();
    posts.watch_forks();
    return posts;
  }

  Posts() : ForkAware<Runtime>(ForkRank::posts) {}

  void begin(Notice<Runtime>& notice) noexcept {
    notice.thread = &ThreadContext<Runtime>::current();
    const Lock lock(mutex_);
    notice.number = ++begun_;
    under_way_.push_back(notice);
  }
  void end(Notice<Runtime>& notice) noexcept {
    const Lock lock(mutex_);
    under_way_.remove(notice);
    ended_.notify_all();
  }

  /// Waits until each post for which `concerns(notice)` is true is over, if it had begun before this was called.
  /// Returns false if the deadline has passed first. A thread that is in such a post itself does not wait: others might
  /// wait for that one.
  template <class Concerns>
  bool wait_until(TimePoint deadline, Concerns concerns) noexcept {
    const Lock lock(mutex_);
    const std::uint64_t last = begun_;
    return ended_.wait_until(mutex_, deadline, [&]() TOTO_REQUIRES(mutex_) {
      bool any = false;
      for (const Notice<Runtime>* notice = under_way_.front(); notice != nullptr; notice = notice->next) {
        if (notice->number <= last && concerns(*notice)) {
          if (notice->thread == &ThreadContext<Runtime>::current()) {
            return true;
          }
          any = true;
        }
      }
      return !any;
    });
  }

  /// For an object that ends, or reports that everything has ended, and whose own threads were joined: once this has
  /// returned, the timer thread is not in post() of an executor because of something that was resumed, or destroyed,
  /// before. Returns false if the deadline has passed first.
  /// Blocks: for the rest of one call of post(), unless this is the timer thread.
  bool wait_for_timers(TimePoint deadline = (TimePoint::max)()) noexcept {
    return wait_until(deadline, [](const Notice<Runtime>& notice) { return notice.thread->is_timers; });
  }

 private:
  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  /// In the child, only the forking thread still posts.
  TOTO_COLD void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_) {
    if (in_child) {
      ended_ = {};
      LinkedList<Notice<Runtime>> mine;
      while (!under_way_.empty()) {
        Notice<Runtime>& notice = under_way_.pop_front();
        if (notice.thread == &ThreadContext<Runtime>::current()) {
          mine.push_back(notice);
        }
      }
      under_way_ = mine;
    }
    mutex_.unlock();
  }

  typename Runtime::Mutex mutex_;
  LinkedList<Notice<Runtime>> under_way_ TOTO_GUARDED_BY(mutex_);
  std::uint64_t begun_ TOTO_GUARDED_BY(mutex_) = 0;
  WaitList<Runtime> ended_ TOTO_GUARDED_BY(mutex_);
};

template <class Runtime>
Notice<Runtime>::~Notice() {
  if (executor != nullptr) [[unlikely]] {
    Posts<Runtime>::instance().end(*this);
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_EXECUTOR_POSTS_HPP
