// SPDX-License-Identifier: MIT
//
// CallState: the state of a task made from a callable and its arguments. Read next: result_state.hpp; coroutine_state.hpp.

#ifndef TOTO_DETAIL_TASK_CALL_STATE_HPP
#define TOTO_DETAIL_TASK_CALL_STATE_HPP

#include <cstddef>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "../ground/block_cache.hpp"
#include "bound_call.hpp"
#include "result_state.hpp"
#include "supervisor.hpp"
#include "task_state.hpp"

namespace toto::inline v0_1::detail {

/// What the states of plain calls and of coroutines have in common: the call, and how it is destroyed.
template <class Runtime, class F, class... Args>
class BoundState : public ResultState<typename CallTraits<Runtime, F, Args...>::Result, Runtime>,
                   public InRecycledBlock<Runtime> {
 public:
  using Base = ResultState<typename CallTraits<Runtime, F, Args...>::Result, Runtime>;

  template <class... As>
  explicit BoundState(QueueCore<Runtime>& core, As&&... call) : Base(core), call_(std::forward<As>(call)...) {}

  void discard() noexcept override {
    this->result_.set_cancelled();
    unbind();
    this->complete(nullptr);
  }

  std::string_view what() const noexcept override { return detail::type_name<F>(); }

 protected:
  ~BoundState() { unbind(); }

  /// Destroys the captures, if they are there.
  void unbind() noexcept {
    if (std::exchange(this->bound, false)) {
      if (const std::exception_ptr thrown = call_.unbind()) {
        this->core().report(thrown, this->info());
      }
    }
  }

  BoundCall<Runtime, F, Args...> call_;

 private:
  void request_stop() noexcept override { call_.request_stop(); }
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
    std::exception_ptr failure;
    try {
      this->result_.set_from([this]() -> decltype(auto) { return this->call_(); });
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
    this->unbind();
    worker.count(failed ? Tally::kFailed : Tally::kCompleted);
    worker.running = nullptr;
    this->complete(&worker);
  }

 protected:
  ~CallState() = default;

 private:
  void unwound(Worker& worker) noexcept {
    worker.count(Tally::kFailed);
    this->result_.set_unwound();
    this->unbind();
    worker.running = nullptr;
    this->complete(nullptr);  // not on the worker: this thread ends and resumes nothing
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
