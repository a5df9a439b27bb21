// SPDX-License-Identifier: MIT
//
// CallState: the state of a task made from a callable and its arguments. Read next: task_state.hpp;
// coroutine_state.hpp.

#ifndef TOTO_DETAIL_TASK_CALL_STATE_HPP
#define TOTO_DETAIL_TASK_CALL_STATE_HPP

#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "../ground/block_cache.hpp"
#include "../ground/callable.hpp"
#include "../ground/text.hpp"
#include "bound_call.hpp"
#include "result_state.hpp"
#include "supervisor.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

struct NoStop {};

/// What the states of plain calls and of coroutines have in common: the callable, its arguments, and, if it takes a
/// token, what that listens to. All cases of a call's end destroy the captures before the result is published.
template <class Runtime, class F, class... Args>
class BoundState : public ResultState<typename CallTraits<Runtime, F, Args...>::Result, Runtime>,
                   public InRecycledBlock<Runtime> {
 public:
  using Traits = CallTraits<Runtime, F, Args...>;
  using Base = ResultState<typename Traits::Result, Runtime>;

  template <class Fn, class... As>
  explicit BoundState(QueueCore<Runtime>& core, Fn&& function, As&&... args) : Base(core) {
    constexpr bool kStorable = std::is_constructible_v<Call, Fn, As...>;
    static_assert(kStorable,
                  "toto: fn or one of its arguments can be moved, but not copied: pass it with std::move, or by "
                  "reference with std::ref");
    if constexpr (kStorable) {
      ::new (static_cast<void*>(std::addressof(call_))) Call(std::forward<Fn>(function), std::forward<As>(args)...);
    }
  }

  void discard() noexcept override {
    this->result_.set_cancelled();
    unbind();
    this->complete(nullptr);
  }

  std::string_view what() const noexcept override {
    if constexpr (std::is_same_v<F, Closure>) {
      return call_.kind->what;  // plain bytes: they stay
    } else {
      return detail::type_name<F>();
    }
  }

 protected:
  ~BoundState() { unbind(); }

  /// Once.
  decltype(auto) call() {
    if constexpr (!Traits::kValid) {
      return;  // refused by require_callable()
    } else if constexpr (sizeof...(Args) == 0) {
      return invoke(call_);
    } else {
      return std::apply([this](F& function, Args&... args) -> decltype(auto) { return invoke(function, args...); },
                        call_);
    }
  }

  /// Destroys the captures, if they are there.
  void unbind() noexcept {
    if (std::exchange(this->bound, false)) {
      if constexpr (std::is_trivially_destructible_v<Call>) {
        // nothing to destroy, and what() may still read it
      } else if constexpr (std::is_nothrow_destructible_v<Call>) {
        call_.~Call();
      } else {
        try {
          call_.~Call();
        } catch (...) {
          this->core().report(std::current_exception(), this->info());
        }
      }
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
  void request_stop() noexcept override {
    if constexpr (Traits::kTakesToken) {
      stop_.request_stop();
    }
  }

  [[no_unique_address]] Stop stop_;  // its state is made for a callable that takes a token
  union {
    Call call_;  // while `bound`
  };
};

template <class Runtime, class F, class... Args>
class CallState : public BoundState<Runtime, F, Args...> {
 public:
  using Worker = detail::Worker<Runtime>;
  using BoundState<Runtime, F, Args...>::BoundState;

  void run_on(Worker& worker) override {
    if (this->supervised && !this->supervisor()->begin(worker, nullptr)) [[unlikely]] {
      return;
    }
    worker.running = this;
    try {
      this->result_.keep_end_of([this]() -> decltype(auto) { return this->call(); });
    } catch (...) {
      end(worker, nullptr);  // a forced unwind: the thread is ending, and resumes nothing
      throw;
    }
    end(worker, &worker);
  }

 protected:
  ~CallState() = default;

 private:
  void end(Worker& worker, Worker* resumer) noexcept {
    this->unbind();
    worker.count(this->result_.outcome() == Outcome::value ? Tally::kCompleted : Tally::kFailed);
    worker.running = nullptr;
    this->complete(resumer);
  }
};

/// A state in a block of its own, which it frees.
template <class State>
class BlockState final : public State {
 public:
  using State::State;

  void destroy() noexcept override {
    if constexpr (requires { this->end_supervision(); }) {
      this->end_supervision();
    }
    delete this;
  }

 protected:
  ~BlockState() = default;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_CALL_STATE_HPP
