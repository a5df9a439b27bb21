// SPDX-License-Identifier: MIT
//
// QueuedTask: a task that is more than a closure of plain bytes: it has a handle, a result, or captures that need
// destroying. Closure: a task of plain bytes. Read next: order.hpp, which holds both.

#ifndef TOTO_DETAIL_QUEUE_QUEUED_TASK_HPP
#define TOTO_DETAIL_QUEUE_QUEUED_TASK_HPP

#include <cstddef>

#include "../executor/continuation.hpp"
#include "../ground/ref.hpp"
#include "lane.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class Worker;

/// A task without a handle whose callable and arguments are plain bytes. Copied into the queue and out of it, under the
/// queue's mutex: nothing of the user's runs there.
template <class Runtime>
struct Closure {
  using Run = void (*)(std::byte* bytes, Worker<Runtime>& worker);
  static constexpr std::size_t kBytes = 40;

  Run run;
  alignas(8) std::byte bytes[kBytes];
};

/// As a Continuation it stands in the queue; afterwards its node serves the coroutine that awaits it.
template <class Runtime>
class QueuedTask : public Continuation {
 public:
  QueuedTask(const QueuedTask&) = delete;
  QueuedTask& operator=(const QueuedTask&) = delete;

  /// Runs the task on a worker. Throws nothing but a forced unwind (pthread_exit, pthread_cancel).
  virtual void run_on(Worker<Runtime>& worker) = 0;

  /// The task was taken out of its queue and will never run: destroys its captures and completes it.
  virtual void discard() noexcept = 0;

  /// It has ended, and whoever waits for it is being notified.
  virtual bool ready() const noexcept = 0;

  /// The lane whose limit it counts against, or none.
  Ref<Lane<Runtime>> lane;

  // Last, and small: what derives from this has its own word in the same eight bytes.

  /// Which list of the Order holds it: the Order's alone, under the queue's mutex.
  enum class Place : unsigned char { nowhere, line, level, lane } place = Place::nowhere;

  /// Above 0: more urgent than others. Constant once it has been added.
  signed char priority = 0;

  /// Has a supervisor, which follows its beginning, its end and the resumption of its awaiter.
  bool supervised = false;

  /// Whether the callable and its arguments exist. Used by whoever runs, discards or frees the task.
  bool bound = true;

 protected:
  QueuedTask() = default;
  ~QueuedTask() = default;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUED_TASK_HPP
