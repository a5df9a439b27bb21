// SPDX-License-Identifier: MIT
//
// How a task gets into its queue: submit_call() makes its state, with a supervisor if it needs one, and adds it. Read
// next: ../../queue_view.hpp, ../../task_queue.hpp.

#ifndef TOTO_DETAIL_TASK_SUBMISSION_HPP
#define TOTO_DETAIL_TASK_SUBMISSION_HPP

#include <string_view>
#include <type_traits>
#include <utility>

#include "../../task_handle.hpp"
#include "../ground/callable.hpp"
#include "../queue/queue_core.hpp"
#include "coroutine_state.hpp"
#include "supervisor.hpp"

namespace toto::inline v0_1::detail {

/// The handle type for a call: one that must be stored before it is awaited, where the compiler demands it.
template <class Runtime, class F, class... Args>
using HandleFor = HandleFrom<typename CallTraits<Runtime, F, Args...>::Result, Runtime, F, Args...>;

/// Adds a state that was just made to its queue. `booked`: the caller has reserved room.
/// Throws: what adding throws; the state is freed then.
template <class Runtime>
void submit(QueueCore<Runtime>& core, TaskStateBase<Runtime>& state, bool booked = false) {
  try {
    core.add(state, booked);
  } catch (...) {
    state.destroy();
    throw;
  }
}

/// The same for a state with a supervisor and a handle.
template <class Runtime>
void submit_supervised(TaskStateBase<Runtime>& state, bool booked) {
  try {
    state.supervisor()->add(booked);
  } catch (...) {
    state.destroy();
    throw;
  }
  state.supervisor()->added();
}

/// A state with a supervisor. Others have none: you pay only for what you use.
template <class Runtime, class Base>
class SupervisedState final : public Base {
 public:
  template <class... As>
  SupervisedState(QueueCore<Runtime>& core, MakeSupervisor<Runtime> make, std::string_view what,
                  const Control<Runtime>& control, As&&... call)
      : Base(core, std::forward<As>(call)...) {
    supervisor_.emplace(make, *this, what, control);
  }

  void destroy() noexcept override {
    this->~SupervisedState();
    detail::deallocate_state<SupervisedState, Runtime>(this);
  }

 protected:
  ~SupervisedState() = default;

 private:
  SupervisorBase<Runtime>* supervisor() const noexcept override { return supervisor_.get(); }

  SupervisorMemory<Runtime> supervisor_;
};

/// Adds `fn(args...)` to the queue, in a lane or none, and gives its handle; for void, none. `what`: the type of the
/// callable, as the observer is to see it.
/// Throws: std::bad_alloc, std::system_error, QueueClosed, QueueFull, what copying throws, std::invalid_argument for a
/// null callable.
template <class Handle, class Runtime, class F, class... Args>
Handle submit_named_call(QueueCore<Runtime>& core, std::string_view what, const Ref<Lane<Runtime>>& lane,
                         const Control<Runtime>& control, bool booked, F&& fn, Args&&... args) {
  detail::require_callable<Runtime, F, Args...>();
  using Base = StateFor<Runtime, Stored<F>, Stored<Args>...>;
  constexpr bool kForgotten = std::is_void_v<Handle>;
  const auto set_up = [&](QueuedTask<Runtime>& task) {
    task.lane = lane;
    task.priority = static_cast<signed char>(control.options().priority);
  };
  detail::check_callable(fn, args...);
  if (const MakeSupervisor<Runtime> make = control.supervisor_maker(core)) {
    using State = SupervisedState<Runtime, Base>;
    Base* const state = detail::construct_state<State, Runtime>(core, make, what, control, std::forward<F>(fn),
                                                                std::forward<Args>(args)...);
    set_up(*state);
    detail::submit_supervised(*state, booked);
    if constexpr (kForgotten) {
      state->drop();
    } else {
      return HandleAccess::make<Handle>(state);
    }
  } else {
    Base* const state = detail::construct_state<Base, Runtime>(core, std::forward<F>(fn), std::forward<Args>(args)...);
    set_up(*state);
    if constexpr (kForgotten) {
      state->let_go();
      detail::submit(core, *state, booked);
    } else {
      detail::submit(core, *state, booked);
      return HandleAccess::make<Handle>(state);
    }
  }
}

/// The same for a callable that is called what it is.
template <class Handle, class Runtime, class F, class... Args>
Handle submit_call(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane, const Control<Runtime>& control,
                   bool booked, F&& fn, Args&&... args) {
  return detail::submit_named_call<Handle>(core, detail::type_name<Stored<F>>(), lane, control, booked,
                                           std::forward<F>(fn), std::forward<Args>(args)...);
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_SUBMISSION_HPP
