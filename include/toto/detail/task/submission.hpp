// SPDX-License-Identifier: MIT
//
// How a task gets into its queue: submit_call() makes its state, with a supervisor if it needs one, and adds it. Read
// next: ../queue/queue_core.hpp.

#ifndef TOTO_DETAIL_TASK_SUBMISSION_HPP
#define TOTO_DETAIL_TASK_SUBMISSION_HPP

#include <type_traits>
#include <utility>

#include "../../task_handle.hpp"
#include "../ground/callable.hpp"
#include "../queue/queue_core.hpp"
#include "coroutine_state.hpp"
#include "supervisor.hpp"

namespace toto::inline v0_1::detail {

/// The type of the handle for a call. With GCC before 13 it may be one that must be stored before it is awaited,
/// because of the temporaries that it was made from: see temporaries.hpp.
template <class Runtime, class F, class... Args>
using HandleFor = HandleFrom<typename CallTraits<Runtime, F, Args...>::Result, Runtime, F, Args...>;

/// Adds the task to its queue, by its supervisor if it has one. `reserved`: the caller has reserved room. After this
/// the task may be gone, unless it has a handle.
/// Throws: what adding throws.
template <class Runtime>
TOTO_ALWAYS_INLINE void add_to_queue(TaskState<Runtime>& state, bool reserved = false) {
  if (state.supervised) {
    state.supervisor()->add(reserved);
  } else {
    state.core().add(state, reserved);
  }
}

/// Adds `fn(args...)` to the queue, in a lane or none, and gives its handle; for void, none. `reserved`: the caller has
/// reserved room.
/// Throws: std::bad_alloc, std::system_error, QueueClosed, QueueFull, what copying throws, std::invalid_argument for a
/// null callable.
template <class Handle, class Runtime, class F, class... Args>
Handle submit_call(QueueCore<Runtime>& core, const Ref<Lane<Runtime>>& lane, const Control<Runtime>& control,
                   bool reserved, F&& fn, Args&&... args) {
  detail::require_callable<Runtime, F, Args...>();
  using State = StateFor<Runtime, Stored<F>, Stored<Args>...>;
  constexpr bool kForgotten = std::is_void_v<Handle>;
  detail::check_callable(fn, args...);
  const MakeSupervisor<Runtime> make = control.supervisor_maker(core);
  using Supervised = SupervisedState<Runtime, State>;
  State* state = nullptr;
  if (make != nullptr) {
    state = new BlockState<Supervised>(core, std::forward<F>(fn), std::forward<Args>(args)...);
  } else {
    state = new BlockState<State>(core, std::forward<F>(fn), std::forward<Args>(args)...);
    if constexpr (kForgotten) {
      state->let_go();
    }
  }
  state->lane = lane;
  state->priority = static_cast<signed char>(control.options().priority);
  try {
    if (make != nullptr) [[unlikely]] {
      static_cast<Supervised*>(state)->supervise(make, control);
    }
    detail::add_to_queue(*state, reserved);
  } catch (...) {
    state->destroy();
    throw;
  }
  if (make != nullptr) [[unlikely]] {  // the task frees its state only after drop(), below: it is still here
    state->supervisor()->added();
  }
  if constexpr (!kForgotten) {
    return Access::make<Handle>(state);
  } else if (make != nullptr) {
    state->drop();
  }
}

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_TASK_SUBMISSION_HPP
