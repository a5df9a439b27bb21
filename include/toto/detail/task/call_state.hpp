// SPDX-License-Identifier: MIT
//
// CallState: the state of a task made from a callable and its arguments. CoroutineState: the same for a callable that
// returns a Task<R>, which is run to its end before the callable and the arguments are destroyed. StateFor picks one.
// Read next: ../task_queue.hpp.

#ifndef TOTO_DETAIL_TASK_CALL_STATE_HPP
#define TOTO_DETAIL_TASK_CALL_STATE_HPP

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../../task.hpp"
#include "../ground/block_cache.hpp"
#include "../ground/invoke.hpp"
#include "../ground/parameters.hpp"
#include "../ground/temporaries.hpp"
#include "result_state.hpp"
#include "supervisor.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// Whether an F that cannot be called with Args alone takes a stop token in front of them.
template <class Token, class F, class... Args>
inline constexpr bool kTakesToken = detail::may_take<F, 0, Token>() && std::is_invocable_v<F, Token, Args...>;

/// How a callable is called with its arguments: as std::thread would, or with a stop token in front if it cannot be
/// called without one.
template <class Runtime, class F, class... Args>
struct CallTraits {
  static constexpr bool kPlain = std::is_invocable_v<Stored<F>, Stored<Args>...>;
  static constexpr bool kTakesToken = [] {
    if constexpr (kPlain) {
      return false;  // not even asked: a generic lambda's body would be instantiated with the token
    } else {
      return detail::kTakesToken<typename Runtime::StopToken, Stored<F>, Stored<Args>...>;
    }
  }();
  static constexpr bool kValid = kPlain || kTakesToken;

  static constexpr auto returned() {
    if constexpr (kTakesToken) {
      return std::type_identity<std::invoke_result_t<Stored<F>, typename Runtime::StopToken, Stored<Args>...>>();
    } else if constexpr (kPlain) {
      return std::type_identity<std::invoke_result_t<Stored<F>, Stored<Args>...>>();
    } else {
      return std::type_identity<void>();
    }
  }
  using Returned = typename decltype(returned())::type;
  static constexpr bool kCoroutine = IsTask<std::remove_cvref_t<Returned>>::value;
  using Result = typename TaskResult<ResultOf<Returned>>::Type;
};

template <class Runtime, class F, class... Args>
consteval void require_callable() {
  constexpr bool kTask = IsTask<std::remove_cvref_t<F>>::value;
  static_assert(!kTask,
                "toto: a Task was given; give the function that returns it, and its arguments: "
                "yield_task(fn, args...) and not yield_task(fn(args...))");
  static_assert(kTask || CallTraits<Runtime, F, Args...>::kValid,
                "toto: fn cannot be called with these arguments; they are copied or moved as by std::thread: use "
                "std::ref to pass a reference");
}

struct NoStop {};

/// The callable, its arguments and, if it takes a token, what that listens to. All cases of a call's end go through
/// here, so that the captures are always gone before the result is published. Whether they are is kept by the task.
template <class Runtime, class F, class... Args>
class BoundCall {
 public:
  using Traits = CallTraits<Runtime, F, Args...>;

  template <class Fn, class... As>
  explicit BoundCall(Fn&& function, As&&... args) {
    constexpr bool kStorable = std::is_constructible_v<Call, Fn, As...>;
    static_assert(kStorable,
                  "toto: fn or one of its arguments can be moved, but not copied: give it by std::move, or refer to it "
                  "by std::ref");
    if constexpr (kStorable) {
      ::new (static_cast<void*>(std::addressof(call_))) Call(std::forward<Fn>(function), std::forward<As>(args)...);
    }
  }
  /// The callable and its arguments are gone.
  ~BoundCall() {}  // NOLINT(modernize-use-equals-default): there is a union
  BoundCall(const BoundCall&) = delete;
  BoundCall& operator=(const BoundCall&) = delete;

  /// Once.
  decltype(auto) operator()() {
    if constexpr (!Traits::kValid) {
      return;  // refused by require_callable()
    } else if constexpr (sizeof...(Args) == 0) {
      return invoke(call_);
    } else {
      return std::apply([this](F& function, Args&... args) -> decltype(auto) { return invoke(function, args...); },
                        call_);
    }
  }

  /// Destroys the callable and its arguments. A destructor that throws gives its exception.
  std::exception_ptr unbind() noexcept {
    if constexpr (std::is_nothrow_destructible_v<Call>) {
      call_.~Call();
      return nullptr;
    } else {
      try {
        call_.~Call();
        return nullptr;
      } catch (...) {
        return std::current_exception();
      }
    }
  }

  void request_stop() noexcept {
    if constexpr (Traits::kTakesToken) {
      stop_.request_stop();
    }
  }

 private:
  /// Most callables have no arguments, and a tuple takes long to compile.
  using Call = std::conditional_t<sizeof...(Args) == 0, F, std::tuple<F, Args...>>;
  using Stop = std::conditional_t<Traits::kTakesToken, typename Runtime::StopSource, NoStop>;

  decltype(auto) invoke(F& function, Args&... args) {
    if constexpr (Traits::kTakesToken) {
      return detail::invoke(std::move(function), stop_.get_token(), std::move(args)...);
    } else {
      return detail::invoke(std::move(function), std::move(args)...);
    }
  }

  [[no_unique_address]] Stop stop_;  // its state is made for a callable that takes a token
  union {
    Call call_;
  };
};

/// Memory for a state, recycled unless it is over-aligned.
template <class State, class Runtime>
void* allocate_state() {
  if constexpr (alignof(State) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    return ::operator new(sizeof(State), std::align_val_t(alignof(State)));
  } else {
    return BlockCache<Runtime>::allocate(sizeof(State));
  }
}

template <class State, class Runtime>
void deallocate_state(void* memory) noexcept {
  if constexpr (alignof(State) > __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(memory, std::align_val_t(alignof(State)));
  } else {
    BlockCache<Runtime>::deallocate(memory, sizeof(State));
  }
}

template <class Runtime, class F, class... Args>
class CallState : public TaskState<typename CallTraits<Runtime, F, Args...>::Result, Runtime> {
 public:
  using Base = TaskState<typename CallTraits<Runtime, F, Args...>::Result, Runtime>;
  using Worker = detail::Worker<Runtime>;

  template <class... As>
  explicit CallState(QueueCore<Runtime>& core, As&&... call) : Base(core), call_(std::forward<As>(call)...) {}

  void run_on(Worker& worker) override {
    if (this->supervised && !this->supervisor()->begin(worker, nullptr)) [[unlikely]] {
      return;
    }
    worker.running = this;
    std::exception_ptr failure;
    try {
      this->result_.set_from([this]() -> decltype(auto) { return call_(); });
    } catch (...) {
      failure = std::current_exception();
      if (!failure) {
        unwound(worker);
        throw;  // a forced unwind: the thread is ending
      }
    }
    // Outside the handler: the exception object is now owned by the result alone, not by this thread too.
    const bool failed = failure != nullptr;
    if (failed) {
      this->result_.set_exception(std::move(failure));
    }
    unbind();
    worker.count(failed ? Tally::kFailed : Tally::kCompleted);
    worker.running = nullptr;
    this->complete(&worker);
  }

  void discard() noexcept override {
    this->result_.set_cancelled();
    unbind();
    this->complete(nullptr);
  }

  std::string_view what() const noexcept override { return detail::type_name<F>(); }

  void destroy() noexcept override {
    this->CallState::~CallState();  // not a derived one
    detail::deallocate_state<CallState, Runtime>(this);
  }

 protected:
  ~CallState() { unbind(); }

  /// Destroys the captures, if they are there.
  void unbind() noexcept {
    if (std::exchange(this->bound, false)) {
      if (const std::exception_ptr thrown = call_.unbind()) {
        this->core().report(thrown, this->info());
      }
    }
  }

 private:
  void request_stop() noexcept override { call_.request_stop(); }

  void unwound(Worker& worker) noexcept {
    worker.count(Tally::kFailed);
    this->result_.set_unwound();
    unbind();
    worker.running = nullptr;
    this->complete(nullptr);
  }

  BoundCall<Runtime, F, Args...> call_;
};

template <class Runtime, class F, class... Args>
class CoroutineState : public TaskState<typename CallTraits<Runtime, F, Args...>::Result, Runtime> {
 public:
  using R = typename CallTraits<Runtime, F, Args...>::Result;
  using Base = TaskState<R, Runtime>;
  using Worker = detail::Worker<Runtime>;

  template <class... As>
  explicit CoroutineState(QueueCore<Runtime>& core, As&&... call) : Base(core), call_(std::forward<As>(call)...) {}

  void run_on(Worker& worker) override {
    BegunTask<Runtime> begun;
    QueueObserver* observer = nullptr;
    TaskEvent event;
    if (this->supervised) [[unlikely]] {
      if (!this->supervisor()->begin(worker, &begun)) {
        return;
      }
      observer = this->supervisor()->observer();
      event = this->supervisor()->event_on(worker.number);
    }
    this->core().coroutine_began();
    worker.in_coroutine.store(true, std::memory_order_relaxed);
    std::exception_ptr failure;
    try {
      task_.emplace(call_());
      TaskAccess::start(*task_, &CoroutineState::ended, this);  // after this the block may be gone
    } catch (...) {
      failure = std::current_exception();
      if (!failure) {
        this->result_.set_unwound();
        end(nullptr);
        throw;
      }
    }
    worker.in_coroutine.store(false, std::memory_order_relaxed);
    if (failure) {
      this->result_.set_exception(std::move(failure));
      end(&worker);
    }
    if (worker.core.tracks()) [[unlikely]] {
      worker.core.task_list().suspend(begun);
    }
    if (observer != nullptr) [[unlikely]] {
      observer->task_suspended(event);
    }
  }

  void discard() noexcept override {
    this->result_.set_cancelled();
    unbind();
    this->complete(nullptr);
  }

  std::string_view what() const noexcept override { return detail::type_name<F>(); }

  void destroy() noexcept override {
    this->CoroutineState::~CoroutineState();
    detail::deallocate_state<CoroutineState, Runtime>(this);
  }

 protected:
  ~CoroutineState() { unbind(); }

  /// Destroys the coroutine, then the captures, if they are there.
  void unbind() noexcept {
    task_.reset();
    if (std::exchange(this->bound, false)) {
      if (const std::exception_ptr thrown = call_.unbind()) {
        this->core().report(thrown, this->info());
      }
    }
  }

 private:
  void request_stop() noexcept override { call_.request_stop(); }

  /// The coroutine has reached its end, on whatever thread, and is still on that thread's stack: the rest is done from
  /// a worker of this queue.
  static void ended(void* context) noexcept {
    CoroutineState& state = *static_cast<CoroutineState*>(context);
    state.run = [](Continuation& node, Turn) noexcept { static_cast<CoroutineState&>(node).collect(); };
    if (Worker* const worker = state.core().this_worker()) {
      worker->local.push_back(state);
    } else {
      state.core().post(state);  // never refused: a queue with an open coroutine has not ended
    }
  }

  void collect() noexcept {
    std::exception_ptr failure;
    try {
      this->result_.set_from([this]() -> decltype(auto) { return TaskAccess::take(*task_); });
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) {
      this->result_.set_exception(std::move(failure));
    }
    end(this->core().this_worker());
  }

  void end(Worker* worker) noexcept {
    unbind();
    this->core().coroutine_ended(this->result_.outcome() != Outcome::value);
    this->complete(worker);
  }

  BoundCall<Runtime, F, Args...> call_;
  std::optional<Task<R>> task_;
};

/// The state of a task that calls an F with Args, both decayed.
template <class Runtime, class F, class... Args>
using StateFor = std::conditional_t<CallTraits<Runtime, F, Args...>::kCoroutine, CoroutineState<Runtime, F, Args...>,
                                    CallState<Runtime, F, Args...>>;

/// Makes a state in its memory.
/// Throws: std::bad_alloc, what the constructor throws.
template <class State, class Runtime, class... As>
State* construct_state(As&&... arguments) {
  void* const memory = detail::allocate_state<State, Runtime>();
  try {
    return ::new (memory) State(std::forward<As>(arguments)...);
  } catch (...) {
    detail::deallocate_state<State, Runtime>(memory);
    throw;
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_CALL_STATE_HPP
