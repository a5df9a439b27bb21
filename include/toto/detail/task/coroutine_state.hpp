// SPDX-License-Identifier: MIT
//
// CoroutineState: the state of a task made from a callable that returns a Task<R>, which is run to its end before the
// callable and the arguments are destroyed. StateFor: this or a CallState. SupervisedState: one that may have a
// supervisor. Read next: supervisor.hpp.

#ifndef TOTO_DETAIL_TASK_COROUTINE_STATE_HPP
#define TOTO_DETAIL_TASK_COROUTINE_STATE_HPP

#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>

#include "../../task.hpp"
#include "call_state.hpp"
#include "supervisor.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime, class F, class... Args>
class CoroutineState : public BoundState<Runtime, F, Args...> {
 public:
  using R = typename CallTraits<Runtime, F, Args...>::Result;
  using Worker = detail::Worker<Runtime>;
  using BoundState<Runtime, F, Args...>::BoundState;

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
      task_ = this->call();
      TaskAccess::start(task_, &CoroutineState::ended, this);  // after this the block may be gone
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

 protected:
  ~CoroutineState() = default;

 private:
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
    this->result_.keep_end_of([this]() -> decltype(auto) { return TaskAccess::take(task_); });
    end(this->core().this_worker());
  }

  void end(Worker* worker) noexcept {
    task_ = Task<R>();  // before the captures
    this->unbind();
    this->core().coroutine_ended(this->result_.outcome() != Outcome::value);
    this->complete(worker);
  }

  Task<R> task_;
};

/// The state of a task that calls an F with Args, both decayed.
template <class Runtime, class F, class... Args>
using StateFor = std::conditional_t<CallTraits<Runtime, F, Args...>::kCoroutine, CoroutineState<Runtime, F, Args...>,
                                    CallState<Runtime, F, Args...>>;

/// A state that has room for a supervisor. Others have none: you pay only for what you use.
template <class Runtime, class State>
class SupervisedState : public State {
 public:
  using State::State;

  /// Only when the whole object exists: other threads may call it from then on.
  /// Throws: std::bad_alloc, std::system_error.
  void supervise(MakeSupervisor<Runtime> make, const Control<Runtime>& control) {
    supervisor_ = make(room_, *this, control);
  }
  /// The supervisor lets go of token and timer: nobody calls this object any more. Before anything is destroyed.
  void end_supervision() noexcept {
    if (supervisor_ != nullptr) {
      supervisor_->~SupervisorBase();  // waits for who is calling this object, and may need the supervisor for it
      supervisor_ = nullptr;
    }
  }

 protected:
  ~SupervisedState() { end_supervision(); }

  SupervisorBase<Runtime>* supervisor() const noexcept final { return supervisor_; }

 private:
  alignas(Supervisor<Runtime>) std::byte room_[sizeof(Supervisor<Runtime>)];
  SupervisorBase<Runtime>* supervisor_ = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_COROUTINE_STATE_HPP
