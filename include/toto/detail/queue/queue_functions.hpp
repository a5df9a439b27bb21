// SPDX-License-Identifier: MIT
//
// QueueFunctions: what a queue calls through pointers, because it is compiled only in the files that make queues: files
// that merely use one compile faster without it. Read next: queue_gate.hpp, worker_start.hpp, ../task/supervisor.hpp.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_FUNCTIONS_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_FUNCTIONS_HPP

#include <exception>
#include <string>

#include "queued_task.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class QueueCore;
template <class Runtime>
class Worker;
template <class Runtime>
class Control;
template <class Runtime>
class SupervisorBase;
template <class Runtime>
class TaskState;

/// Makes a Supervisor in `memory`.
/// Throws: std::bad_alloc, std::system_error.
template <class Runtime>
using MakeSupervisor = SupervisorBase<Runtime>* (*)(void* memory, TaskState<Runtime>& state,
                                                    const Control<Runtime>& control);

/// What enters a queue. A hop is not a task: a coroutine that runs may still hop to a closed queue.
enum class Entry { closure, task, hop };

/// Set by the queue's constructor.
template <class Runtime>
struct QueueFunctions {
  using Core = QueueCore<Runtime>;
  /// Makes sure that `entry` can be added: QueueGate::prepare().
  void (*prepare)(Core& core, Entry entry, bool& reserved) = nullptr;
  /// Starts a thread: start_worker(). Returns why that has failed, or null.
  std::exception_ptr (*start_thread)(Core& core, Worker<Runtime>* worker, bool searches) noexcept = nullptr;
  /// After such a failure: start_again().
  void (*start_later)(Core& core) noexcept = nullptr;
  /// The queue's report about itself: dump_of().
  std::string (*dump)(const Core& core) = nullptr;
  /// Adds a closure to a queue whose tasks need states: add_with_state(). Null without options.
  void (*add_with_state)(Core& core, const Closure& closure) = nullptr;
  /// Null without options.
  MakeSupervisor<Runtime> make_supervisor = nullptr;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_FUNCTIONS_HPP
