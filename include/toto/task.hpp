// SPDX-License-Identifier: MIT
//
// Task<T>: the return type of toto's own coroutines. It is lazy: nothing happens until it is awaited, spawned or given
// to a queue. Any other coroutine type can await the library's handles too; Task is there so that nobody has to write
// one. After Lewis Baker's cppcoro::task.

#ifndef TOTO_TASK_HPP
#define TOTO_TASK_HPP

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "detail/ground/ref.hpp"
#include "detail/ground/result.hpp"
#include "detail/ground/temporaries.hpp"
#include "errors.hpp"
#include "runtime.hpp"

namespace toto::inline v0_1 {

template <class T = void>
class Task;

namespace detail {

template <class T>
struct IsTask : std::false_type {};
template <class T>
struct IsTask<Task<T>> : std::true_type {};

/// What a callable that returns T gives in the end: for a Task<U>, what the coroutine gives.
template <class T>
struct TaskResult {
  using Type = T;
};
template <class T>
struct TaskResult<Task<T>> {
  using Type = T;
};

// GCC makes symmetric transfer a jump only when it optimises; at -O0 a loop that awaits tasks would pile up
// stack frames. There the awaiter runs the child inside await_suspend and goes on itself if the child has
// ended by then.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)
inline constexpr bool kTransfers = false;
#else
inline constexpr bool kTransfers = true;
#endif

class TaskPromiseBase {
 public:
  /// Told, instead of a continuation, that the coroutine has ended. It is still on the caller's stack.
  using Ended = void (*)(void* context) noexcept;

  static std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    static bool await_ready() noexcept { return false; }
    template <class Promise>
    TOTO_NOINLINE static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      TaskPromiseBase& promise = self.promise();
      if (promise.ended_ != nullptr) {
        promise.ended_(promise.context_);  // the frame may be gone after this line
        return std::noop_coroutine();
      }
      if (promise.ends_in_its_start()) {
        return std::noop_coroutine();
      }
      return promise.continuation_;
    }
    static void await_resume() noexcept {}
  };
  static FinalAwaiter final_suspend() noexcept { return {}; }

  /// Somebody awaits or runs the coroutine already.
  bool started() const noexcept { return ended_ != nullptr || continuation_; }

  void on_end(Ended ended, void* context) noexcept {
    ended_ = ended;
    context_ = context;
  }

  /// Starts the coroutine `self`, whose promise this is, on behalf of `parent`.
  std::coroutine_handle<> start_for(std::coroutine_handle<> parent, std::coroutine_handle<> self) noexcept {
    continuation_ = parent;
    return self;
  }

  /// The same for compilers without a jump. Returns true if the parent stays suspended.
  /// Throws: std::bad_alloc.
  bool run_for(std::coroutine_handle<> parent, std::coroutine_handle<> self) {
    continuation_ = parent;
    const auto start = Ref<Start>::adopt(new Start);
    start_ = start;
    self.resume();  // *this may be gone: the coroutine may have ended on another thread, and continued the parent there
    start->returned = true;
    return !start->ended;
  }

 private:
  /// Shared by the promise and whoever starts the coroutine; only the thread that does looks into it.
  struct Start final : RefCounted<StdRuntime> {
    const void* thread = this_thread();
    bool returned = false;
    bool ended = false;

    static const void* this_thread() noexcept { return &StdRuntime::Local<char, Start>::get(); }
  };

  /// The coroutine ends on the stack of run_for(), which then lets the parent go on.
  bool ends_in_its_start() noexcept {
    if (!start_ || start_->thread != Start::this_thread() || start_->returned) {
      return false;
    }
    start_->ended = true;
    return true;
  }

  std::coroutine_handle<> continuation_;
  Ended ended_ = nullptr;
  void* context_ = nullptr;
  /// Null where the compiler jumps. It is there all the same: a program may be made of files that are optimised and
  /// of files that are not, and both have to see the same promise.
  Ref<Start> start_;
};

/// Room for a coroutine's result, in its promise. Compilers do not align coroutine frames beyond what operator new
/// gives, so that a result which needs more has a block of its own.
template <class T, bool kOverAligned = (alignof(Result<T>) > __STDCPP_DEFAULT_NEW_ALIGNMENT__)>
class ResultPlace {
 public:
  Result<T>* operator->() noexcept { return &result_; }

 private:
  Result<T> result_;
};
template <class T>
class ResultPlace<T, true> {
 public:
  Result<T>* operator->() noexcept { return result_.get(); }

 private:
  std::unique_ptr<Result<T>> result_ = std::make_unique<Result<T>>();
};

template <class T>
class TaskPromise final : public TaskPromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  void unhandled_exception() {
    std::exception_ptr failure = std::current_exception();
    if (!failure) {
      throw;  // a forced unwind (pthread_exit): not ours to stop
    }
    result_->set_exception(std::move(failure));
  }
  template <class U = T>
  void return_value(U&& value)
    requires std::is_convertible_v<U&&, T>
  {
    result_->set_from([&]() -> T { return std::forward<U>(value); });
  }

  T take() { return result_->take(); }
  std::exception_ptr failure() noexcept { return result_->failure(); }

 private:
  ResultPlace<T> result_;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void unhandled_exception() {
    std::exception_ptr failure = std::current_exception();
    if (!failure) {
      throw;
    }
    result_.set_exception(std::move(failure));
  }
  void return_void() noexcept {
    result_.set_from([] {});
  }

  void take() { result_.take(); }
  std::exception_ptr failure() noexcept { return result_.failure(); }

 private:
  Result<void> result_;
};

struct TaskAccess;

}  // namespace detail

/// A coroutine that starts when it is awaited, and has one awaiter, which it continues when it ends.
///
/// T may be void, a reference or a move-only type. A Task is moved, not copied; destroying one that has not ended
/// destroys the coroutine.
/// Resumes on: the thread on which the coroutine ends; every suspension inside it comes back to where it was.
/// Thread safety: One thread at a time.
template <class T>
class [[nodiscard(
    "a Task does nothing until it is awaited or spawned; give a queue the function that returns it")]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;

  /// An empty task, to assign to. Awaiting it throws NoState.
  Task() noexcept = default;
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task moved(std::move(other));
    std::swap(coroutine_, moved.coroutine_);
    return *this;
  }
  ~Task() {
    if (coroutine_) {
      coroutine_.destroy();
    }
  }

  /// False for an empty or moved-from task.
  bool valid() const noexcept { return static_cast<bool>(coroutine_); }

  /// Starts the coroutine and gives its result, or throws what it threw.
  /// Throws: NoState if the task is empty, or was awaited before.
  auto operator co_await() noexcept { return Awaiter{coroutine_}; }

 private:
  friend promise_type;
  friend detail::TaskAccess;
  using Coroutine = std::coroutine_handle<promise_type>;

  class Awaiter {
   public:
    explicit Awaiter(Coroutine coroutine) noexcept : coroutine_(coroutine) {}

    bool await_ready() const {
      if (!coroutine_) {
        throw NoState("toto: this Task is empty: it was default-constructed or moved from");
      }
      if (coroutine_.promise().started() && !coroutine_.done()) {
        throw NoState("toto: this Task is being awaited, or run, already: it has one awaiter");
      }
      return coroutine_.done();
    }
    template <class Parent>
    TOTO_NOINLINE auto await_suspend(std::coroutine_handle<Parent> parent) {
      if constexpr (detail::kTransfers) {
        return coroutine_.promise().start_for(parent, coroutine_);
      } else {
        return coroutine_.promise().run_for(parent, coroutine_);
      }
    }
    T await_resume() { return coroutine_.promise().take(); }

   private:
    Coroutine coroutine_;
  };

  explicit Task(Coroutine coroutine) noexcept : coroutine_(coroutine) {}

  Coroutine coroutine_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

/// A Task made from a callable that the compiler would destroy twice if this were awaited in the same expression; see
/// temporaries.hpp.
template <class T>
class [[nodiscard(
    "a Task does nothing until it is awaited or spawned; give a queue the function that returns it")]] UnstoredTask
    : public Task<T> {
 public:
  static constexpr bool kMustBeStored = true;
  explicit UnstoredTask(Task<T>&& task) noexcept : Task<T>(std::move(task)) {}

  auto operator co_await() & noexcept { return static_cast<Task<T>&>(*this).operator co_await(); }
  template <class Self = UnstoredTask>
  auto operator co_await() && noexcept {
    static_assert(!std::is_same_v<Self, UnstoredTask>, TOTO_STORE_THE_HANDLE_FIRST);
    return static_cast<Task<T>&>(*this).operator co_await();
  }
};
template <class T>
struct IsTask<UnstoredTask<T>> : std::true_type {};
template <class T>
struct TaskResult<UnstoredTask<T>> {
  using Type = T;
};

/// For whoever runs a task that nobody awaits: queues, loops, sync_wait.
struct TaskAccess {
  /// Starts the coroutine; `ended(context)` is called on the thread where it ends, while it is still on the stack: the
  /// frame is to be destroyed later.
  template <class T>
  static void start(Task<T>& task, TaskPromiseBase::Ended ended, void* context) {
    if (!task.valid()) {
      throw NoState("toto: this Task is empty: it was default-constructed or moved from");
    }
    if (task.coroutine_.promise().started() || task.coroutine_.done()) {
      throw NoState("toto: this Task has run already, or is running: it runs once");
    }
    task.coroutine_.promise().on_end(ended, context);
    task.coroutine_.resume();
  }
  /// The result of a coroutine that has ended.
  template <class T>
  static T take(Task<T>& task) {
    return task.coroutine_.promise().take();
  }
  /// What it threw, or null.
  template <class T>
  static std::exception_ptr failure(const Task<T>& task) noexcept {
    return task.coroutine_.promise().failure();
  }
  /// Whether it has ended. Where it cannot be running.
  template <class T>
  static bool ended(const Task<T>& task) noexcept {
    return task.coroutine_.done();
  }
};

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_TASK_HPP
