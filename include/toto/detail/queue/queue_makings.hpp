// SPDX-License-Identifier: MIT
//
// QueueMakings: functions compiled in the files that make a queue, so that files that merely use one do not compile
// them.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_MAKINGS_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_MAKINGS_HPP

#include <exception>
#include <string>
#include <string_view>

#include "worker.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class Control;
template <class Runtime>
class SupervisorBase;
template <class Runtime>
class TaskStateBase;
template <class Runtime>
struct PackedCall;

/// Makes a Supervisor in `memory`, for a task whose callable is of the type `what`.
/// Throws: std::bad_alloc, std::system_error.
template <class Runtime>
using MakeSupervisor = SupervisorBase<Runtime>* (*)(void* memory, TaskStateBase<Runtime>& state, std::string_view what,
                                                    const Control<Runtime>& control);

template <class Runtime>
struct QueueMakings {
  using Core = QueueCore<Runtime>;
  /// Starts a thread: start_worker().
  std::exception_ptr (*start)(Core& core, Worker<Runtime>* worker, bool searches) noexcept = nullptr;
  /// It could not be started: StartAgain::begin().
  void (*try_again)(Core& core) noexcept = nullptr;
  /// Appends the queue's report about itself: describe_queue().
  void (*describe)(const Core& core, std::string& text) = nullptr;
  /// Adds a closure to a queue whose tasks need states. `what`: the type of the callable. Null without options.
  void (*add_with_state)(Core& core, const PackedCall<Runtime>& call, std::string_view what) = nullptr;
  /// Null without options.
  MakeSupervisor<Runtime> make_supervisor = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_MAKINGS_HPP
