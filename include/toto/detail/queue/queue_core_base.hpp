// SPDX-License-Identifier: MIT
//
// QueueCoreBase: a queue as those see it that only use one. A file that is given a queue compiles this, and the way of
// a task into a slot; a worker's life, and what leads to it, is compiled in the file that makes the queue. Read next:
// queue_core.hpp.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_CORE_BASE_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_CORE_BASE_HPP

#include <exception>
#include <string_view>

#include "../executor/executor_core.hpp"
#include "slot_queue.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class Control;
template <class Runtime>
class SupervisorBase;
template <class Runtime>
class TaskStateBase;

/// Makes a Supervisor in `room`, for a task whose callable is of the type `what`.
/// Throws: std::bad_alloc, std::system_error.
template <class Runtime>
using MakeSupervisor = SupervisorBase<Runtime>* (*)(void* room, TaskStateBase<Runtime>& state, std::string_view what,
                                                    const Control<Runtime>& control);

/// What adding a task does not always call, and a queue's workers need in any case. Called through this base, it is
/// compiled only where queues are made: a file that calls a member of QueueCore itself compiles it, even a virtual one.
template <class Runtime>
class QueueCoreBase : public ExecutorCore<Runtime> {
 public:
  /// What a slot holds: a closure, a QueuedTask, or a hop. All keep one order. A hop is not a task: closing does not
  /// refuse it.
  enum class Kind { closure, task, hop };

  /// Who shall come: see QueueCore::pick_locked().
  struct Wake {
    Worker<Runtime>* worker = nullptr;  // to wake; or to use for the new thread, if there is an unused one
    bool start = false;
    QueueCore<Runtime>* core = nullptr;  // one reference; null: nobody is to be told
  };

  // QueueCore has the same ones without `do_`, which call these, and say what they do.
  virtual bool do_prepare_slowly_locked(Kind kind, bool& reserved) = 0;
  virtual void do_run_here(Kind kind, typename Slot<Runtime>::Run run, Slot<Runtime>& filled) = 0;
  virtual void do_unlock_and_wake() noexcept = 0;
  virtual void do_unlock_and_tell(Wake wake) noexcept = 0;
  virtual void do_run_local(Worker<Runtime>& self) noexcept = 0;
  virtual void do_report(const std::exception_ptr& failure) noexcept = 0;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_CORE_BASE_HPP
