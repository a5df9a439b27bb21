// SPDX-License-Identifier: MIT
//
// QueuedTask: a task that is more than a closure of plain bytes: it has a handle, a result, or captures that need
// destroying. Closure: a task of plain bytes. Read next: order.hpp, which holds both.
//
// Lane: a separate limit over a queue's threads. At most `limit` of its tasks are in the queue proper or run; the
// others wait in the lane, in order, and hold no thread. A view with a limit is a lane, an AwaitableInstance a lane of
// one.
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.L1]):
//  L1  `admitted` counts the tasks that have a turn, those of the lane that run or stand in the queue proper, and
//      never exceeds `limit`.
//  L2  A task that leaves the lane lets in the one that has waited longest. As long as one waits, all turns are taken.

#ifndef TOTO_DETAIL_QUEUE_QUEUED_TASK_HPP
#define TOTO_DETAIL_QUEUE_QUEUED_TASK_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "../executor/continuation.hpp"
#include "../ground/ref.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class Worker;

/// A task without a handle whose callable and arguments are plain bytes. Copied into the queue and out of it, under the
/// queue's mutex: nothing of the user's runs there.
struct Closure {
  /// What closures of one type have in common. `what`: the type of the callable.
  struct Kind {
    void (*call)(std::byte* bytes);
    std::string_view what;
  };
  static constexpr std::size_t kBytes = 40;

  /// Once.
  void operator()() { kind->call(bytes); }

  const Kind* kind;
  alignas(8) std::byte bytes[kBytes];
};

/// Its queue's mutex guards what can change. As a Continuation it stands in the Order's list of lanes in which tasks
/// wait; it is never run.
template <class Runtime>
class Lane final : public RefCounted<Runtime>, public Continuation {
 public:
  explicit Lane(std::size_t limit_of_lane, std::string name_of_lane = {}) noexcept
      : limit(limit_of_lane), name(std::move(name_of_lane)) {}

  const std::size_t limit;
  const std::string name;
  std::size_t admitted = 0;  // turns that are taken
  ContinuationList waiting;

  /// How many forks the queue has been through, as the child's. Tasks that were here before the last fork are gone.
  /// `mine`: how many turns the forking thread has.
  void forget_lost_tasks(std::size_t queues_forks, std::size_t mine = 0) noexcept {
    if (std::exchange(forks_, queues_forks) != queues_forks) {
      admitted = mine;
      waiting = {};
    }
  }

 protected:
  ~Lane() override = default;

 private:
  std::size_t forks_ = 0;
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
