// SPDX-License-Identifier: MIT
//
// FollowedState: a task's state that tells the queue's observer what becomes of it, if there is an observer. Read next:
// ../observer.hpp.

#ifndef TOTO_DETAIL_FOLLOWED_STATE_HPP
#define TOTO_DETAIL_FOLLOWED_STATE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "../observer.hpp"
#include "call_state.hpp"
#include "queue_core.hpp"

namespace toto::inline v0::detail {

/// The name of a type, as the compiler writes it.
template <class T>
std::string_view type_name() noexcept {
#if defined(_MSC_VER) && !defined(__clang__)
  const std::string_view function = __FUNCSIG__;
  const std::size_t begin = function.find("type_name<") + 10;
  return function.substr(begin, function.rfind(">(") - begin);
#else
  const std::string_view function = __PRETTY_FUNCTION__;  // "... [with T = X; ...]", "... [T = X]"
  const std::size_t begin = function.find("T = ") + 4;
  const std::size_t end = function.find(';', begin);
  return function.substr(begin, (end == std::string_view::npos ? function.size() - 1 : end) - begin);
#endif
}

/// Numbers the tasks of a process that somebody follows.
template <class Runtime>
struct TaskNumbers {
  typename Runtime::template Atomic<std::uint64_t> last{0};

  /// Throws: std::bad_alloc, the first time.
  static std::uint64_t next() {
    return Runtime::template global<TaskNumbers>().last.fetch_add(1, std::memory_order_relaxed) + 1;
  }
};

/// Whether the state is of a task that returns a coroutine.
template <class State>
inline constexpr bool kRunsCoroutine = false;
template <class Runtime, class F, class... Args>
inline constexpr bool kRunsCoroutine<CoroutineState<Runtime, F, Args...>> = true;

/// Base is a state; F is the type of the callable, as the observer is to see it.
template <class Runtime, class Base, class F>
class FollowedState : public Base {
 public:
  using Worker = detail::Worker<Runtime>;

  template <class... As>
  explicit FollowedState(QueueCore<Runtime>& core, As&&... call)
      : Base(core, std::forward<As>(call)...), number_(core.observer() != nullptr ? TaskNumbers<Runtime>::next() : 0) {
    this->watched = core.follows();
  }

  void run_on(Worker& worker) override {
    if (!this->watched) {
      Base::run_on(worker);
      return;
    }
    QueueObserver* const observer = this->core().observer();
    const TaskEvent event = event_on(worker.number);
    if (this->core().tracks()) {
      this->core().update(entry_, kRunsCoroutine<Base> ? "begun" : "running", worker.number);
    }
    if (observer != nullptr) {
      observer->task_started(event);
    }
    Base::run_on(worker);  // *this may be gone after this line
    if constexpr (kRunsCoroutine<Base>) {
      if (observer != nullptr) {
        observer->task_suspended(event);
      }
    }
  }

 protected:
  ~FollowedState() = default;

  /// Adds it to its queue.
  /// Throws: what adding throws; then it is over for whoever follows it.
  void add_followed(bool reserved) {
    if (!this->watched) {
      this->core().add(*this, reserved);
      return;
    }
    QueueObserver* const observer = this->core().observer();
    const TaskEvent event = event_on(0);
    announce();
    try {
      this->core().add(*this, reserved);  // *this may be gone after this line
    } catch (...) {
      this->core().untrack(entry_);
      if (observer != nullptr) {
        observer->task_finished(event, TaskEnd::cancelled);
      }
      throw;
    }
  }

  /// It is about to be added, for the first time or again.
  void announce() noexcept {
    if (!this->watched || std::exchange(announced_, true)) {
      return;
    }
    const TaskEvent event = event_on(0);
    if (this->core().tracks()) {
      this->core().track(entry_, event.what);
    }
    if (QueueObserver* const observer = this->core().observer()) {
      observer->task_queued(event);
    }
  }

 private:
  TaskEvent event_on(std::size_t thread) const noexcept {
    return {this->core().name(), number_, type_name<F>(), thread};
  }

  void finished(Worker* worker) noexcept override {
    if (this->core().tracks()) {
      this->core().untrack(entry_);
    }
    QueueObserver* const observer = this->core().observer();
    if (observer != nullptr && announced_) {
      const Outcome outcome = this->result_.outcome();
      observer->task_finished(event_on(worker != nullptr ? worker->number : 0),
                              outcome == Outcome::value       ? TaskEnd::completed
                              : outcome == Outcome::exception ? TaskEnd::failed
                                                              : TaskEnd::cancelled);
    }
  }
  void resumed() noexcept override {
    if (QueueObserver* const observer = this->core().observer()) {
      const Worker* const worker = ThreadContext<Runtime>::current().worker;
      observer->awaiter_resumed(event_on(worker != nullptr ? worker->number : 0));
    }
  }

  const std::uint64_t number_;
  bool announced_ = false;
  TrackedTask<Runtime> entry_;
};

}  // namespace toto::inline v0::detail

#endif  // TOTO_DETAIL_FOLLOWED_STATE_HPP
