// SPDX-License-Identifier: MIT
//
// What BasicTaskQueue::schedule() returns: awaiting it moves the coroutine onto the queue. Its place in the queue lives
// in the coroutine's frame; a coroutine that is destroyed while it waits leaves the queue.

#ifndef TOTO_DETAIL_QUEUE_SCHEDULE_HPP
#define TOTO_DETAIL_QUEUE_SCHEDULE_HPP

#include <coroutine>

#include "../executor/whereabouts.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class [[nodiscard("co_await it: only then does the coroutine continue on the queue")]] ScheduleAwaiter {
 public:
  explicit ScheduleAwaiter(QueueCore<Runtime>& core) noexcept : core_(core) {}
  ScheduleAwaiter(const ScheduleAwaiter&) = delete;
  ScheduleAwaiter& operator=(const ScheduleAwaiter&) = delete;
  ~ScheduleAwaiter() {
    if (waiting_) {
      core_.withdraw(hop_);
    }
  }

  static bool await_ready() noexcept { return false; }
  template <class Promise>
  TOTO_NOINLINE bool await_suspend(std::coroutine_handle<Promise> coroutine) {
    hop_.coroutine = coroutine;
    waiting_ = true;
    journey_.begin<Promise, Runtime>(coroutine, nullptr);  // a queue is nobody's home in this sense
    try {
      return core_.hop(hop_, coroutine);  // if true, *this may be gone
    } catch (...) {
      await_resume();  // it was not queued: the coroutine continues here, with the exception
      throw;
    }
  }
  void await_resume() noexcept {
    waiting_ = false;
    journey_.end<Runtime>();
  }

 private:
  struct Hop : Continuation {
    std::coroutine_handle<> coroutine;
    Hop() noexcept {
      this->run = [](Continuation& node, Turn) noexcept {
        const std::coroutine_handle<> resumed = static_cast<Hop&>(node).coroutine;
        if (Worker<Runtime>* const worker = ThreadContext<Runtime>::current().worker) {
          worker->resume_on_top(resumed);
        } else {
          resumed.resume();
        }
      };
    }
  };

  QueueCore<Runtime>& core_;
  Hop hop_;
  Journey journey_;
  bool waiting_ = false;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_SCHEDULE_HPP
