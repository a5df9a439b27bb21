// SPDX-License-Identifier: MIT
//
// QueueCore: everything a queue is, in shared state that outlives the TaskQueue object for as long as a worker, a
// handle or a waiting coroutine refers to it. This file: what it holds and its invariants. The bodies:
// queue_adding.hpp, worker_loop.hpp (the life of a worker), queue_ending.hpp (ending and observing).
//
// One mutex guards the rare decisions: filling slots, waking, starting, resting, leaving, ending. Claiming and running
// tasks happens without it (slot_queue.hpp).
//
// Invariants (docs/design.md argues them; I1 to I9 are cited by the tests):
//  I1  A worker rests or leaves only in the critical section in which it saw the queue empty.
//  I2  If there is work, then somebody is on the way (searching_), or no worker is idle and no more may be started, or
//      the last start failed and a live worker will come back to look.
//  I3  searching_ has one owner: the worker being woken, being started or taking its last look. Only the owner clears
//      it, under the mutex, before it looks.
//  I4  No task is accepted while no thread is known to exist (secured_ == 0).
//  I5  live_ never exceeds thread_count, and counts a worker from the decision to start it to its leaving.
//  I6  Nothing of the user's is called, moved or destroyed under the mutex, except trivial copies.
//  I7  A slot is claimed by exactly one compare-exchange on its chunk, a QueuedTask in it by exactly one on its slot.
//  I8  After ended_ nothing is accepted, and everything accepted before has been completed.
//  I9  Every thread is joined: by the next one to leave, by the end of the queue; a queue that dies in its own task
//      lets that one thread go.

#ifndef TOTO_DETAIL_QUEUE_CORE_HPP
#define TOTO_DETAIL_QUEUE_CORE_HPP

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "../duration.hpp"
#include "../errors.hpp"
#include "../options.hpp"
#include "../stats.hpp"
#include "continuation.hpp"
#include "executor_core.hpp"
#include "fork.hpp"
#include "lock.hpp"
#include "ref.hpp"
#include "slot_queue.hpp"
#include "timer.hpp"
#include "wait_list.hpp"
#include "worker.hpp"

namespace toto::inline v0::detail {

template <class Runtime>
class QueueCore final : public ExecutorCore<Runtime>, private ForkAware<Runtime> {
 public:
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;
  using Thread = typename Runtime::Thread;
  using Worker = detail::Worker<Runtime>;
  using Slot = detail::Slot<Runtime>;
  using Chunk = detail::Chunk<Runtime>;
  using QueuedTask = detail::QueuedTask<Runtime>;
  using ErrorHook = std::function<void(std::exception_ptr, const TaskInfo&)>;

  /// What a slot holds: a closure, a QueuedTask, or a hop. All keep one order. A hop is not a task: closing does not
  /// refuse it.
  enum class Kind { closure, task, hop };

  explicit QueueCore(const QueueOptions& options)
      : ForkAware<Runtime>(ForkRank::executors),
        name_(options.name),
        thread_count_(options.thread_count),
        idle_timeout_(options.idle_timeout) {
    TimerService<Runtime>::instance();  // older than this queue, so that at exit its timers end later
    this->watch_forks();
  }

  // Adding. Each wakes or starts a worker if one is needed. Thread-safe.

  /// Fills one slot. `fill(slot)` runs under the mutex: it copies trivial things and cannot fail.
  /// Throws: QueueClosed, std::bad_alloc, std::system_error; then nothing has changed.
  template <class Fill>
  void add(Kind kind, typename Slot::Run run, Fill fill) {
    mutex_.lock();
    prepare_locked(kind);
    publish(kind, run, fill);
  }

  /// Adds a task that is more than a closure, and makes it an owner of this core. If its lane is full, it waits there.
  void add(QueuedTask& task);

  /// Hands over a continuation: behind everything queued now. Not refused by closing.
  bool post(Continuation& node) noexcept override { return post_node(node, false); }

  /// The same, but ahead of everything queued.
  bool post_front(Continuation& node) noexcept { return post_node(node, true); }

  void withdraw(Continuation& node) noexcept override {
    const Lock lock(mutex_);
    nodes_.remove(node);
    note_due_locked();
    announce_quiet_locked();
  }

  void add_timer(TimerNode<Runtime>& node) override { TimerService<Runtime>::instance().add(node, this); }
  void remove_timer(TimerNode<Runtime>& node) noexcept override {
    TimerService<Runtime>::instance().remove(node, this);
  }

  /// A coroutine's place in the queue while it awaits schedule(). Lives in the coroutine's frame.
  struct Hop : Continuation {
    std::coroutine_handle<> coroutine;
    /// Where it is queued; null: as a node, or not at all. Guarded by the queue's mutex.
    Slot* slot = nullptr;
  };

  /// Queues a hop behind everything queued now.
  /// Throws: QueueClosed if the queue has ended, std::bad_alloc, std::system_error; then nothing has changed.
  void add(Hop& hop) {
    hop.run = [](Continuation& node, Turn) noexcept { static_cast<Hop&>(node).coroutine.resume(); };
    add(Kind::hop, &run_hop, [&](Slot& slot) {
      Hop* const pointer = &hop;
      std::memcpy(slot.closure, &pointer, sizeof(pointer));
      hop.slot = &slot;
    });
  }

  /// Takes back a hop that is queued. The caller sees to it that it does not begin to run now.
  void withdraw(Hop& hop) noexcept {
    const Lock lock(mutex_);
    if (hop.slot != nullptr) {
      hop.slot->run.store(&run_nothing, std::memory_order_relaxed);
      --hops_;
    } else {
      nodes_.remove(hop);
      note_due_locked();
    }
    announce_quiet_locked();
  }

  /// A task has ended: the next one that waits in its lane joins the queue, if there is one.
  void leave_lane(QueuedTask& task) noexcept;

  /// Takes a task out of the queue and discards it, if no worker has claimed it.
  bool cancel(QueuedTask& task) noexcept;

  /// Declares that the calling worker is about to block on a task of this queue for as long as it takes.
  /// Throws: DeadlockError if no worker would be left to run any of the tasks that they all wait for.
  void block_on_locked(Worker& worker, const QueuedTask& task) TOTO_REQUIRES(mutex_);

  /// A coroutine task has begun, and will end with coroutine_ended(), on whatever thread.
  void coroutine_began() noexcept;
  void coroutine_ended(bool failed) noexcept;

  /// Runs what belongs to this worker, which is about to block in the middle of a task: coroutine tasks that have ended
  /// on its thread.
  void run_local(Worker& self) noexcept;

  // The worker's life: worker_loop.hpp.

  /// Starts one worker now, if fewer than thread_count live.
  void start_one();

  // Ending and observing: queue_ending.hpp.

  void close(Pending pending);
  /// Waits until everything is done, every thread has left and the last one was joined. On one of this queue's own
  /// workers: until every other one has left.
  void finish();
  bool finish_until(TimePoint deadline);
  /// The calling thread, if it is one of this queue's workers, never comes back: it has called exit(). Its place is
  /// given to another, so that what is queued still runs.
  void lose_this_thread() noexcept;
  bool wait_idle_until(TimePoint deadline);
  std::size_t cancel_queued();
  QueueStats stats() const;
  std::size_t size() const;
  void on_error(ErrorHook hook);
  /// Tells the error hook of a failure. Not under the mutex; the hook may do anything.
  void report(const std::exception_ptr& failure) noexcept;
  /// The same for the failure of a task whose result nobody will see; not if it is one of the library's own, which say
  /// that a task was not run or not waited for.
  void report_unseen(const std::exception_ptr& failure) noexcept;

  const std::string& name() const noexcept { return name_; }
  std::size_t thread_count() const noexcept { return thread_count_; }

  /// The worker of this core that the calling thread is, or null.
  Worker* this_worker() const noexcept {
    Worker* const worker = ThreadContext<Runtime>::current().worker;
    return worker != nullptr && &worker->core == this ? worker : nullptr;
  }

  /// Gives back the reference that a task took when it was added.
  void return_reference() noexcept {
    if (Worker* const worker = this_worker()) {
      ++worker->returned_references;  // no atomic operation; handed over at the worker's next visit to the
                                      // mutex
    } else {
      this->release();
    }
  }

  /// Guards what is declared below, and the threads blocked on this queue's tasks.
  typename Runtime::Mutex& mutex() const noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

  /// The TaskQueue that owns this core. Its own workers read it; null once that object is being destroyed.
  typename Runtime::template Atomic<void*> owner{nullptr};

 private:
  struct Wake {
    Worker* worker = nullptr;  // to wake; or to use for the new thread, if there is an unused one
    bool start = false;
  };

  static constexpr std::uint64_t kNoneDue = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::size_t kCredit = 1024;

  ~QueueCore() override;

  static void run_queued(Slot& slot, Worker& worker);
  static void run_task_node(Continuation&, Turn) noexcept {}  // tells a task among the nodes; see run_node
  static void run_hop(Slot& slot, Worker& worker);
  static void run_nothing(Slot&, Worker&) {}

  QueueClosed closed_error() const {
    return QueueClosed("toto: queue '" + name_ + "' is closed and takes no more tasks");
  }
  /// Makes sure that there is a slot to fill and a thread to run it. May let go of the mutex on the way.
  /// Throws, without the mutex: QueueClosed, std::bad_alloc, std::system_error.
  void prepare_locked(Kind kind) TOTO_REQUIRES(mutex_) {
    if (closed_ || secured_ == 0 || !slots_.has_room()) [[unlikely]] {
      prepare_slowly_locked(kind);
    }
  }
  void prepare_slowly_locked(Kind kind) TOTO_REQUIRES(mutex_);

  /// Fills the slot that was prepared. Lets go of the mutex.
  template <class Fill>
  void publish(Kind kind, typename Slot::Run run, Fill fill) TOTO_RELEASE(mutex_) {
    Slot& slot = slots_.next();
    fill(slot);
    slots_.publish(slot, run);
    ++(kind == Kind::hop ? hops_ : submitted_);
    if (kind == Kind::task) {
      take_reference_locked();
    }
    const Wake wake = pick_locked();
    mutex_.unlock();
    deliver(wake);
  }

  std::exception_ptr secure_first_worker() TOTO_REQUIRES(mutex_);
  bool post_node(Continuation& node, bool first) noexcept;
  Continuation& pop_node_locked() noexcept TOTO_REQUIRES(mutex_);
  void note_due_locked() noexcept TOTO_REQUIRES(mutex_);
  void take_reference_locked() noexcept TOTO_REQUIRES(mutex_);
  bool has_work_locked() noexcept TOTO_REQUIRES(mutex_);
  Wake pick_locked() noexcept TOTO_REQUIRES(mutex_);
  Wake count_start_locked() noexcept TOTO_REQUIRES(mutex_);
  void deliver(Wake wake) noexcept;
  void adopt_stranded() noexcept;
  void try_again() noexcept;

  std::exception_ptr start(Worker* worker, bool searches) noexcept;
  Worker* new_worker();
  void store_thread(Worker& worker, Thread thread) noexcept;
  void secure_locked(Worker& worker) noexcept TOTO_REQUIRES(mutex_);
  void work(Worker& self, bool searches);
  Slot* claim(Chunk& chunk) noexcept;
  void drain(Worker& self, Chunk& chunk, Slot* first);
  void run_node(Worker& self, Continuation& node);
  void lose(Worker& self) noexcept TOTO_RELEASE(mutex_);
  void settle(Worker& self) noexcept;
  bool rest(Worker& self) TOTO_REQUIRES(mutex_);
  void look_again(Worker& self) TOTO_REQUIRES(mutex_);
  void leave(Worker& self) TOTO_RELEASE(mutex_);
  void fold_locked(Worker& self) noexcept TOTO_REQUIRES(mutex_);
  void push_idle_locked(Worker& worker) noexcept TOTO_REQUIRES(mutex_);
  void remove_idle_locked(Worker& worker) noexcept TOTO_REQUIRES(mutex_);
  void rouse_idle_locked() noexcept TOTO_REQUIRES(mutex_);

  std::size_t empty_slots_locked(ContinuationList& tasks, Chunk*& surplus) noexcept TOTO_REQUIRES(mutex_);
  void empty_lanes_locked(ContinuationList& tasks) noexcept TOTO_REQUIRES(mutex_);
  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_);
  bool quiet_locked() noexcept TOTO_REQUIRES(mutex_);
  bool over_locked() const noexcept TOTO_REQUIRES(mutex_) { return closed_ && (open_coroutines_ == 0 || ownerless_); }
  void announce_quiet_locked() noexcept TOTO_REQUIRES(mutex_);
  bool finished_locked() const noexcept TOTO_REQUIRES(mutex_);
  std::uint64_t queued_tasks_locked() const noexcept TOTO_REQUIRES(mutex_);

  const std::string name_;
  const std::size_t thread_count_;
  const Duration idle_timeout_;

  mutable typename Runtime::Mutex mutex_;

  // Work, in order.
  SlotQueue<Runtime> slots_ TOTO_GUARDED_BY(mutex_);
  ContinuationList nodes_ TOTO_GUARDED_BY(mutex_);
  std::size_t node_tasks_ TOTO_GUARDED_BY(mutex_) = 0;  // of these: tasks that have come out of a lane
  ContinuationList lanes_ TOTO_GUARDED_BY(mutex_);      // those in which tasks wait
  /// The ticket before which the first continuation stands, kNoneDue if there is none. Written under the mutex; a
  /// draining worker reads it after the acquire load of the slot behind it.
  typename Runtime::template Atomic<std::uint64_t> due_{kNoneDue};

  // Workers.
  std::size_t live_ TOTO_GUARDED_BY(mutex_) = 0;     // decided to start, and not left
  std::size_t secured_ TOTO_GUARDED_BY(mutex_) = 0;  // of these: their thread exists
  std::size_t busy_ TOTO_GUARDED_BY(mutex_) = 0;     // neither resting nor gone
  bool searching_ TOTO_GUARDED_BY(mutex_) = false;
  /// Adders that have seen, or wait for, the start of the first worker and have not published: it may not leave.
  std::size_t promised_ TOTO_GUARDED_BY(mutex_) = 0;
  Worker* idle_ TOTO_GUARDED_BY(mutex_) = nullptr;    // a stack: the most recently idle first
  Worker* unused_ TOTO_GUARDED_BY(mutex_) = nullptr;  // objects whose thread has left
  Worker* all_ TOTO_GUARDED_BY(mutex_) = nullptr;
  std::size_t worker_objects_ TOTO_GUARDED_BY(mutex_) = 0;
  /// The thread that left last: whoever leaves next joins it, so at most one ended thread is unjoined.
  Thread exited_ TOTO_GUARDED_BY(mutex_);
  bool joining_ TOTO_GUARDED_BY(mutex_) = false;

  // Ending.
  bool closed_ TOTO_GUARDED_BY(mutex_) = false;
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
  bool orphaned_ TOTO_GUARDED_BY(mutex_) = false;   // the TaskQueue was destroyed by one of its own tasks
  bool ownerless_ TOTO_GUARDED_BY(mutex_) = false;  // the TaskQueue is being destroyed by one of its own tasks, or gone
  /// References to this object that were counted wholesale, to be given to tasks without an atomic operation.
  std::size_t credit_ TOTO_GUARDED_BY(mutex_) = 0;
  mutable WaitList<Runtime> changed_ TOTO_GUARDED_BY(mutex_);

  // Counting. What workers did since their last visit is in their tallies.
  std::uint64_t submitted_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t begun_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t completed_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t failed_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t cancelled_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t hops_ TOTO_GUARDED_BY(mutex_) = 0;  // added and neither run (as far as folded) nor withdrawn
  std::uint64_t open_coroutines_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t threads_started_ TOTO_GUARDED_BY(mutex_) = 0;

  /// The error hook, shared with whoever is calling it.
  struct SharedHook : RefCounted<Runtime> {
    explicit SharedHook(ErrorHook function) : call(std::move(function)) {}
    ErrorHook call;
  };
  Ref<SharedHook> hook_ TOTO_GUARDED_BY(mutex_);
};

}  // namespace toto::inline v0::detail

#include "queue_adding.hpp"
#include "queue_ending.hpp"
#include "worker_loop.hpp"

#endif  // TOTO_DETAIL_QUEUE_CORE_HPP
