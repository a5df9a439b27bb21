// SPDX-License-Identifier: MIT
//
// What can be gathered: handles, Tasks, and anything else that can be awaited, which becomes a Task that does so. Read
// next: gathering.hpp, awaiter.hpp.

#ifndef TOTO_DETAIL_GATHER_CHILD_HPP
#define TOTO_DETAIL_GATHER_CHILD_HPP

#include <atomic>
#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

#include "../../errors.hpp"
#include "../../task.hpp"
#include "../../task_handle.hpp"
#include "../ground/ranges.hpp"
#include "../task/awaitable.hpp"
#include "gathering.hpp"

namespace toto::inline v0_1::detail {

template <class T, class Runtime>
class HandleChild final : public Child<Runtime> {
 public:
  using Result = T;

  /// Throws: NoState.
  explicit HandleChild(TaskHandle<T, Runtime>& handle) : HandleChild() { adopt(handle); }
  HandleChild() noexcept : Child<Runtime>(nullptr) {}

  /// Throws: NoState.
  void adopt(TaskHandle<T, Runtime>& handle) {
    this->state_ = Access::take(handle);
    if (this->state_ == nullptr) {
      throw NoState("toto: one of the handles has no task: default-constructed, moved from, or its result taken");
    }
  }

  T take() {
    ResultState<T, Runtime>& ended = *state();
    this->state_ = nullptr;
    return ended.consume_resumed();
  }
  void rethrow() override { static_cast<void>(state()->take()); }

 private:
  ResultState<T, Runtime>* state() const noexcept { return static_cast<ResultState<T, Runtime>*>(this->state_); }
  std::exception_ptr failure() const noexcept override { return state()->failure(); }
};

/// A Task can be stopped only by destroying its frame.
template <class T, class Runtime>
class TaskChild final : public Child<Runtime>, private Strand {
 public:
  using Result = T;

  /// Throws: NoState.
  explicit TaskChild(Task<T>&& task) : Child<Runtime>(nullptr), task_(std::move(task)) {
    if (!task_.valid()) {
      throw NoState("toto: one of the tasks is empty: default-constructed or moved from");
    }
  }
  /// Before it is started.
  TaskChild(TaskChild&& other) noexcept : Child<Runtime>(nullptr), Strand(), task_(std::move(other.task_)) {}
  TaskChild& operator=(TaskChild&&) = delete;
  ~TaskChild() override = default;

  void start(Gathering<Runtime>& gathering) override {
    this->gathering_ = &gathering;
    word_.store(Word::begun, std::memory_order_relaxed);
    try {
      begin_where(gathering.starter());
      TaskAccess::start(task_, &TaskChild::task_ended, this, this);  // after this *this may be gone
    } catch (...) {
      this->end_strand();
      word_.store(Word::idle, std::memory_order_relaxed);
      throw;
    }
  }
  T take() {
    check_not_gone();
    Task<T> ended = std::move(task_);  // its frame goes now: the block may stay until a loser has ended
    return TaskAccess::take(ended);
  }
  void rethrow() override {
    check_not_gone();
    static_cast<void>(TaskAccess::take(task_));
  }

  void lose() noexcept override {
    if (end(Word::lost)) {
      this->detach(this->gathering_->starter());
    } else if (!gone()) {
      task_ = Task<T>();
    }
  }
  void forsake() noexcept override {
    if (end(Word::over)) {
      destroy();
      this->gathering_->over(*this, nullptr, nullptr);
    }
  }
  /// The same, but the frame stays until destroy(), which the caller calls later.
  void give_up() noexcept {
    if (end(Word::over)) {
      this->gathering_->over(*this, nullptr, nullptr);
    }
  }
  void destroy() noexcept {
    task_ = Task<T>();
    end_strand();
  }

 private:
  /// idle -> begun -> over | lost | gone; lost -> gone: it was destroyed with a scope.
  enum class Word : std::uint8_t { idle, begun, over, lost, gone };

  /// Pairs with itself: the first to come releases, the second acquires. Of the task's end and its loss, whichever
  /// comes second destroys the frame. Returns false if that is the caller, or if the task has not begun.
  bool end(Word how) noexcept {
    Word seen = Word::begun;
    return word_.compare_exchange_strong(seen, how, std::memory_order_release, std::memory_order_acquire);
  }

  /// The task has ended, but is still on the calling thread's stack.
  static void task_ended(void* context) noexcept {
    auto& child = *static_cast<TaskChild*>(context);
    child.task_failed_ = child.failure() != nullptr;
    if (!child.end(Word::over)) {
      child.task_ = Task<T>();  // it has lost
    }
    child.end_strand();  // the awaiting coroutine may be destroyed by this, and finds this one over
    child.gathering_->over(child, nullptr, nullptr);
  }
  void end_strand() noexcept { Strand::end(); }

  void abandon() noexcept override {
    this->task_failed_ = true;
    word_.store(Word::gone, std::memory_order_relaxed);  // only the frame goes with it, and that is left alone then
    destroy();
    this->gathering_->over(*this, nullptr, nullptr);
  }
  /// Relaxed: after end(), or ordered by the join.
  bool gone() const noexcept { return word_.load(std::memory_order_relaxed) == Word::gone; }
  void check_not_gone() const {
    if (gone()) {
      throw TaskCancelled("toto: this coroutine belonged to a scope that has ended");
    }
  }

  std::exception_ptr failure() const noexcept override {
    try {
      check_not_gone();
    } catch (...) {  // that, or no memory for it
      return std::current_exception();
    }
    return task_.valid() ? TaskAccess::failure(task_) : nullptr;
  }

  Task<T> task_;
  typename Runtime::template Atomic<Word> word_{Word::idle};
};

/// What can be gathered: it will be emptied, or moved.
template <class A, class Value = std::remove_reference_t<A>>
concept Gatherable = !std::is_const_v<Value> && std::is_move_constructible_v<Value> && kCanBeAwaited<Value>;
template <class R>
concept GatherableRange = InputRange<R> && Gatherable<std::iter_reference_t<IteratorOf<R>>>;
template <class... As>
concept CanBeGathered = (Gatherable<As> && ...) || (sizeof...(As) == 1 && (GatherableRange<As> && ...));

/// What the child of an argument is made from: a handle, which it empties, a Task, or a Task that awaits anything else.
template <class T, class Runtime>
TaskHandle<T, Runtime>& give(TaskHandle<T, Runtime>& handle) noexcept {
  return handle;
}
template <class T>
Task<T>&& give(Task<T>& task) noexcept {
  return std::move(task);
}
template <class A>
  requires(!IsHandle<A>::value && !IsTask<A>::value)
Task<AwaitResult<A>> give(A& awaitable) {
  return detail::await_one<A>(std::move(awaitable));
}

/// The type of the child made from what give() returns. `Default` is the runtime for a Task.
template <class Default, class Given>
struct ChildFrom;
template <class Default, class T, class Runtime>
struct ChildFrom<Default, TaskHandle<T, Runtime>> {
  using Type = HandleChild<T, Runtime>;
};
template <class Default, class T>
struct ChildFrom<Default, Task<T>> {
  using Type = TaskChild<T, Default>;
};
template <class Default, class A>
using ChildOf = typename ChildFrom<
    Default, std::remove_reference_t<decltype(detail::give(std::declval<std::remove_reference_t<A>&>()))>>::Type;

/// The runtime of the first handle; StdRuntime if there is none.
template <class... As>
struct RuntimeOf {
  using Type = StdRuntime;
};
template <class A, class... As>
struct RuntimeOf<A, As...> : RuntimeOf<As...> {};
template <class T, class Runtime, class... As>
struct RuntimeOf<TaskHandle<T, Runtime>, As...> {
  using Type = Runtime;
};
template <class T, class Runtime, class... As>
struct RuntimeOf<UnstoredHandle<T, Runtime>, As...> {
  using Type = Runtime;
};

/// A temporary that the compiler would destroy twice, or something made from one; see temporaries.hpp.
template <class A>
consteval bool is_unstored() {
  if constexpr (std::is_lvalue_reference_v<A>) {
    return false;
  } else if constexpr (requires { std::remove_reference_t<A>::kMustBeStored; }) {
    return std::remove_reference_t<A>::kMustBeStored;
  } else {
    return kDestroyedTwice<A>;
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_GATHER_CHILD_HPP
