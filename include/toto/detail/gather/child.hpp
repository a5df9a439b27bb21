// SPDX-License-Identifier: MIT
//
// What can be one of several: a handle's task, which runs already, and a Task, which the gathering starts. Anything else
// that can be awaited becomes a Task that does so. Read next: children.hpp.

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

inline bool is_task_cancelled(const std::exception_ptr& failure) noexcept {
  try {
    std::rethrow_exception(failure);
  } catch (const TaskCancelled&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// A handle's task. It owns the task's state, as the handle did.
template <class T, class Runtime>
class HandleChild final : public Child<Runtime> {
 public:
  using Result = T;
  static constexpr bool kIsLazy = false;

  HandleChild() noexcept = default;
  /// Throws: NoState.
  explicit HandleChild(TaskHandle<T, Runtime>& handle) { adopt(handle); }
  HandleChild(HandleChild&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  HandleChild& operator=(HandleChild&&) = delete;
  ~HandleChild() override { lose(); }

  /// Throws: NoState.
  void adopt(TaskHandle<T, Runtime>& handle) {
    state_ = HandleAccess::take(handle);
    if (state_ == nullptr) {
      throw NoState("toto: one of the handles has no task: default-constructed, moved from, or its result taken");
    }
  }

  bool ready() const noexcept { return state_->ready(); }
  /// The gathering will be told. False: it is over already, and will not be.
  bool watch(Gathering<Runtime>& gathering) noexcept {
    this->gathering_ = &gathering;
    return !ready() && state_->observe(*this);
  }
  void start(Gathering<Runtime>& gathering) noexcept {
    if (!watch(gathering)) {
      gathering.over(*this, nullptr, &state_->core());
    }
  }
  T take() { return std::exchange(state_, nullptr)->consume_resumed(); }

  /// Nobody will ask: its result is destroyed when it ends.
  void lose() noexcept {
    if (state_ != nullptr) {
      std::exchange(state_, nullptr)->drop();
    }
  }

  void cancel() noexcept override { state_->cancel(); }
  void forsake() noexcept override {}
  bool failed() const noexcept override { return state_->outcome() != Outcome::value; }
  bool was_cancelled() const noexcept override {
    const Outcome outcome = state_->outcome();
    return outcome == Outcome::cancelled || outcome == Outcome::unwound ||
           (outcome == Outcome::exception && detail::is_task_cancelled(state_->failure()));
  }
  void rethrow() override { state_->take(); }

 private:
  TaskState<T, Runtime>* state_ = nullptr;
};

/// A Task. Nothing can stop it, except that its frame is destroyed.
template <class T, class Runtime>
class TaskChild final : public Child<Runtime> {
 public:
  using Result = T;
  static constexpr bool kIsLazy = true;

  /// Throws: NoState.
  explicit TaskChild(Task<T>&& task) : task_(std::move(task)) {
    if (!task_.valid()) {
      throw NoState("toto: one of the tasks is empty: default-constructed or moved from");
    }
  }
  TaskChild(TaskChild&& other) noexcept : Child<Runtime>(std::move(other)), task_(std::move(other.task_)) {}
  TaskChild& operator=(TaskChild&&) = delete;
  ~TaskChild() override = default;

  static bool ready() noexcept { return false; }
  /// Throws: NoState, if the task has run or runs already; then it does not count as started.
  void start(Gathering<Runtime>& gathering) {
    this->gathering_ = &gathering;
    word_.store(Word::begun, std::memory_order_relaxed);
    try {
      TaskAccess::start(task_, &TaskChild::task_ended, this);  // after this *this may be gone
    } catch (...) {
      word_.store(Word::idle, std::memory_order_relaxed);
      throw;
    }
  }
  T take() { return TaskAccess::take(task_); }

  /// Nobody will ask: it runs on to its end, and is destroyed there.
  void lose() noexcept {
    if (!end(Word::lost)) {
      task_ = Task<T>();
    }
  }

  void cancel() noexcept override {}
  void forsake() noexcept override {
    if (end(Word::over)) {
      task_ = Task<T>();
      this->gathering_->over(*this, nullptr, nullptr);
    }
  }
  /// The same, but the frame stays.
  void give_up() noexcept {
    if (end(Word::over)) {
      this->gathering_->over(*this, nullptr, nullptr);
    }
  }
  bool failed() const noexcept override { return task_.valid() && TaskAccess::failure(task_) != nullptr; }
  bool was_cancelled() const noexcept override { return detail::is_task_cancelled(TaskAccess::failure(task_)); }
  void rethrow() override { TaskAccess::take(task_); }

 private:
  /// idle -> begun -> over | lost.
  enum class Word : std::uint8_t { idle, begun, over, lost };

  /// acq_rel: pairs with itself. Of the end of the task and its loss, whichever comes second destroys the frame. False:
  /// that is the caller, or it has not begun.
  bool end(Word how) noexcept {
    Word seen = Word::begun;
    return word_.compare_exchange_strong(seen, how, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  /// It is still on the calling thread's stack.
  static void task_ended(void* context) noexcept {
    auto& child = *static_cast<TaskChild*>(context);
    if (!child.end(Word::over)) {
      child.task_ = Task<T>();  // it has lost
    }
    child.gathering_->over(child, nullptr, nullptr);
  }

  Task<T> task_;
  typename Runtime::template Atomic<Word> word_{Word::idle};
};

/// A Task that awaits what was moved into it.
template <class A>
Task<AwaitResult<A>> await_moved(A awaitable) {
  if constexpr (requires { awaitable.await_ready(); }) {
    co_return co_await awaitable;  // its own awaiter, by its name: GCC 12 would copy what a function refers to
  } else {
    co_return co_await detail::as_stored(awaitable);
  }
}

template <class Child>
inline constexpr bool kIsLazy = std::remove_cvref_t<Child>::kIsLazy;

/// Which kind of child an argument becomes, and how it is handed to that: a handle is emptied in place, a Task or
/// another awaitable is moved.
template <class A>
struct ChildOf {
  template <class Default>
  using RuntimeOr = Default;
  template <class Default>
  using Type = TaskChild<AwaitResult<A>, Default>;
  static Task<AwaitResult<A>> give(A& awaitable) { return detail::await_moved<A>(std::move(awaitable)); }
};
template <class T>
struct ChildOf<Task<T>> {
  template <class Default>
  using RuntimeOr = Default;
  template <class Default>
  using Type = TaskChild<T, Default>;
  static Task<T>&& give(Task<T>& task) noexcept { return std::move(task); }
};
template <class T>
struct ChildOf<UnstoredTask<T>> : ChildOf<Task<T>> {};
template <class T, class Runtime>
struct ChildOf<TaskHandle<T, Runtime>> {
  template <class Default>
  using RuntimeOr = Runtime;
  template <class Default>
  using Type = HandleChild<T, Runtime>;
  static TaskHandle<T, Runtime>& give(TaskHandle<T, Runtime>& handle) noexcept { return handle; }
};
template <class T, class Runtime>
struct ChildOf<UnstoredHandle<T, Runtime>> : ChildOf<TaskHandle<T, Runtime>> {};

/// The runtime of the first handle; StdRuntime if there is none.
template <class... As>
struct RuntimeOf {
  using Type = StdRuntime;
};
template <class A, class... As>
struct RuntimeOf<A, As...> {
  using Type = typename ChildOf<A>::template RuntimeOr<typename RuntimeOf<As...>::Type>;
};

/// What can be a child: it is emptied, or moved.
template <class A, class Value = std::remove_reference_t<A>>
concept Gatherable = !std::is_const_v<Value> && std::is_move_constructible_v<Value> && kCanBeAwaited<Value>;
template <class R>
concept GatherableRange = InputRange<R> && Gatherable<std::iter_reference_t<IteratorOf<R>>>;

/// A temporary that the compiler would destroy twice, or what was made from one; see temporaries.hpp.
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
