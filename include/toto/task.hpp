// SPDX-License-Identifier: MIT
//
// Task<T>: the return type of toto's own coroutines. It is lazy: nothing happens until it is awaited or spawned, or a
// queue runs the function that returns it. Other coroutine types can await the library's handles, too; Task exists so
// that you need not write one. After Lewis Baker's cppcoro::task.

#ifndef TOTO_TASK_HPP
#define TOTO_TASK_HPP

#include <coroutine>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "detail/executor/whereabouts.hpp"
#include "detail/ground/result.hpp"
#include "detail/ground/temporaries.hpp"
#include "detail/ground/trampoline.hpp"
#include "errors.hpp"

namespace toto::inline v0_1 {

template <class T = void>
class Task;

namespace detail {

template <class T>
struct IsTask : std::false_type {};
template <class T>
struct IsTask<Task<T>> : std::true_type {};

/// The result of a callable that returns T: for a Task<U>, that of the coroutine.
template <class T>
struct TaskResult {
  using Type = T;
};
template <class T>
struct TaskResult<Task<T>> {
  using Type = ResultOf<T>;
};

// With Clang, a handle that await_suspend returns is always resumed by a jump (musttail). With other compilers, that
// depends on options that no macro reveals, and a loop that awaits Tasks would pile up stack frames. So there, a
// Trampoline resumes it.
#if defined(__clang__)
inline constexpr bool kJumps = true;
#else
inline constexpr bool kJumps = false;
#endif

/// An awaiting coroutine, as a trampoline sees it.
template <class Promise>
Trampoline::Target jump_target(std::coroutine_handle<Promise> coroutine) noexcept {
  if constexpr (std::is_base_of_v<Jumper, Promise>) {
    return {coroutine, &coroutine.promise()};
  } else {
    return {coroutine, nullptr};
  }
}

class TaskPromiseBase : public Jumper, public Traveller {
 public:
  /// Called, instead of resuming a continuation, when the coroutine has ended. It is still on the caller's stack.
  using Ended = void (*)(void* context) noexcept;

  static std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    static bool await_ready() noexcept { return false; }
    template <class Promise>
    TOTO_NOINLINE static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      TaskPromiseBase& promise = self.promise();
      if (const Ended ended = promise.ended_) {
        ended(promise.context_);  // the frame may be gone after this line
        return std::noop_coroutine();
      }
      if constexpr (kJumps) {
        return promise.awaiter_.coroutine;
      } else {
        return Trampoline::end(promise, promise.awaiter_);
      }
    }
    static void await_resume() noexcept {}
  };
  static FinalAwaiter final_suspend() noexcept { return {}; }

  /// The coroutine is already being awaited or run.
  bool started() const noexcept { return ended_ != nullptr || awaiter_.coroutine; }

  void on_end(Ended ended, void* context) noexcept {
    ended_ = ended;
    context_ = context;
  }

  /// Starts the coroutine `self`, whose promise this is, on behalf of `parent`. Returns what await_suspend returns.
  template <class Parent>
  auto start_for(std::coroutine_handle<Parent> parent, std::coroutine_handle<> self) {
    const Trampoline::Target awaiter = detail::jump_target(parent);
    awaiter_ = awaiter;
    strand = detail::strand_of(parent);
    if constexpr (kJumps) {
      return self;
    } else {
      return Trampoline::await(awaiter, {self, this});
    }
  }

 private:
  Trampoline::Target awaiter_;
  Ended ended_ = nullptr;
  void* context_ = nullptr;
};

/// Storage for a coroutine's result, in its promise. Compilers do not align coroutine frames beyond what operator new
/// guarantees, so a result that needs more gets a separate block.
template <class T, bool kOverAligned = (alignof(Result<T>) > __STDCPP_DEFAULT_NEW_ALIGNMENT__)>
class ResultPlace {
 public:
  Result<T>* operator->() noexcept { return std::addressof(result_); }

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

/// A T made from the U that a coroutine returns, where T can only be copied.
template <class U, class T>
inline constexpr bool kCopied = std::is_same_v<std::remove_cvref_t<U>, T> && std::is_copy_constructible_v<T>;

template <class T>
class ResultPromise : public TaskPromiseBase {
 public:
  Task<T> get_return_object() noexcept;
  void unhandled_exception() {
    std::exception_ptr failure = std::current_exception();
    if (!failure) {
      throw;  // a forced unwind (pthread_exit): not ours to stop
    }
    result_->set_exception(std::move(failure));
  }

  ResultOf<T> take() { return result_->take(); }
  std::exception_ptr failure() noexcept { return result_->failure(); }

 protected:
  ResultPlace<ResultOf<T>> result_;
};

template <class T>
class TaskPromise final : public ResultPromise<T> {
 public:
  template <class U = T>
  void return_value(U&& value)
    requires(std::is_convertible_v<U &&, T> || kCopied<U, T> || !kCanBeTaken<T>)
  {
    if constexpr (std::is_convertible_v<U&&, T>) {
      this->result_->set_from([&]() -> T { return std::forward<U>(value); });
    } else if constexpr (kCopied<U, T>) {
      this->result_->set_from([&]() -> T { return std::as_const(value); });
    } else {
      detail::require_can_be_taken<T>();
    }
  }
};
template <>
class TaskPromise<void> final : public ResultPromise<void> {
 public:
  void return_void() noexcept {
    result_->set_from([] {});
  }
};

struct TaskAccess;

}  // namespace detail

/// A coroutine that starts when it is awaited, and resumes its one awaiter when it ends.
///
/// Awaiting takes no stack, whatever the compiler's options: only memory limits loops and recursion. (If the innermost
/// Task of a chain had to wait, the chain takes some stack as it ends, unless the compiler jumps; destroying a chain
/// that has not ended always takes some. docs/semantics.md has numbers.)
///
/// T is void, an lvalue reference, or a value that can be moved or copied and is not const. Move-only; destroying a
/// Task that has not ended destroys the coroutine.
/// Resumes on: the thread on which the coroutine ends; every suspension inside it comes back to where it was.
/// Thread safety: One thread at a time.
template <class T>
class [[nodiscard(
    "a Task does nothing until it is awaited or spawned; give a queue the function that returns it")]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;
  static_assert(detail::require_result<T>());

  /// An empty Task, to assign to. Awaiting it throws NoState.
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

  /// Returns false for an empty or moved-from Task.
  bool valid() const noexcept { return static_cast<bool>(coroutine_); }

  /// Starts the coroutine and returns its result, or throws the coroutine's exception.
  /// Throws: also NoState if the Task is empty, or was awaited or run before.
  auto operator co_await() noexcept { return Awaiter{coroutine_}; }

 private:
  friend detail::ResultPromise<T>;
  friend detail::TaskAccess;
  using Coroutine = std::coroutine_handle<promise_type>;

  class Awaiter {
   public:
    explicit Awaiter(Coroutine coroutine) noexcept : coroutine_(coroutine) {}

    bool await_ready() const {
      if (coroutine_.address() == nullptr) {
        throw NoState("toto: this Task is empty: it was default-constructed or moved from");
      }
      if (coroutine_.promise().started() && !coroutine_.done()) {
        throw NoState("toto: this Task is already being awaited or run; it can have only one awaiter");
      }
      return coroutine_.done();
    }
    template <class Parent>
    TOTO_NOINLINE auto await_suspend(std::coroutine_handle<Parent> parent) {
      return coroutine_.promise().start_for(parent, coroutine_);
    }
    detail::ResultOf<T> await_resume() { return coroutine_.promise().take(); }

   private:
    Coroutine coroutine_;
  };

  explicit Task(Coroutine coroutine) noexcept : coroutine_(coroutine) {}

  Coroutine coroutine_;
};

namespace detail {

template <class T>
Task<T> ResultPromise<T>::get_return_object() noexcept {
  using Promise = TaskPromise<T>;
  return Task<T>(std::coroutine_handle<Promise>::from_promise(static_cast<Promise&>(*this)));
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
template <bool kTemporary, class T>
auto stored_task(Task<T> task) {
  return std::conditional_t<kTemporary, UnstoredTask<T>, Task<T>>(std::move(task));
}
template <class T>
struct IsTask<UnstoredTask<T>> : std::true_type {};
template <class T>
struct TaskResult<UnstoredTask<T>> {
  using Type = T;
};

/// For code that runs a Task which no coroutine awaits: queues, loops, sync_wait.
struct TaskAccess {
  /// Starts the coroutine; `ended(context)` is called on the thread where it ends, while it is still on the stack:
  /// destroy the frame later. `strand`: the strand that it begins, if the coroutine may have an owner.
  template <class T>
  static void start(Task<T>& task, TaskPromiseBase::Ended ended, void* context, Strand* strand = nullptr) {
    check_startable(task);
    task.coroutine_.promise().strand = strand;
    task.coroutine_.promise().on_end(ended, context);
    task.coroutine_.resume();
  }
  /// Returns the result of a coroutine that has ended.
  template <class T>
  static ResultOf<T> take(Task<T>& task) {
    return task.coroutine_.promise().take();
  }
  /// What the coroutine threw, or null.
  template <class T>
  static std::exception_ptr failure(const Task<T>& task) noexcept {
    return task.coroutine_.promise().failure();
  }

 private:
  template <class T>
  static void check_startable(const Task<T>& task) {
    if (!task.valid()) {
      throw NoState("toto: this Task is empty: it was default-constructed or moved from");
    }
    if (task.coroutine_.promise().started() || task.coroutine_.done()) {
      throw NoState("toto: this Task is running or has already run; it runs only once");
    }
  }
};

}  // namespace detail
}  // namespace toto::inline v0_1

#endif  // TOTO_TASK_HPP
