// SPDX-License-Identifier: MIT
//
// QueueCore: everything a queue is, in shared state that outlives the TaskQueue object for as long as a worker, a
// handle or a waiting coroutine refers to it. This file: what it holds and its invariants. The bodies:
// queue_adding.hpp, queue_keeping.hpp (adding without the mutex), queue_bound.hpp (room for tasks),
// queue_cancelling.hpp, queue_blocking.hpp (who could still run a task), worker_start.hpp, worker_loop.hpp (the life of
// a worker), queue_ending.hpp (ending and observing), queue_dump.hpp (the same in words).
//
// One mutex guards the rare decisions: filling slots, waking, starting, resting, leaving, ending. Claiming and running
// tasks happens without it (slot_queue.hpp).
//
// Invariants (docs/design.md argues them; tests cite them as [inv.I1]):
//  I1  A worker rests or leaves only in the critical section in which it saw the queue empty.
//  I2  If there is work, then somebody is on the way (searching_), or no worker is idle and no more may be started, or
//      the last start failed and a live worker will come back to look.
//  I3  searching_ has one owner: the worker being woken, being started or taking its last look. Only the owner clears
//      it, under the mutex, before it looks.
//  I4  No task is accepted while no thread is known to exist (secured_ == 0).
//  I5  live_ never exceeds thread_count, and counts a worker from the decision to start it to its leaving.
//  I6  Nothing of the user's is called, moved or destroyed under the mutex, except trivial copies.
//  I7  A slot is claimed by exactly one compare-exchange on its chunk. A QueuedTask in it is run or cancelled, never
//      both: cancel() wins only if the slot is unclaimed after its function has been changed.
//  I8  After ended_ nothing is accepted, and everything accepted before has been completed.
//  I9  Every thread is joined: by the next one to leave, by the end of the queue; a queue that dies in its own task
//      lets that one thread go.
//  I11 A worker keeps a task or a hop for itself only if that would be the next one to be claimed, and nobody else
//      could begin with it sooner (queue_keeping.hpp).

#ifndef TOTO_DETAIL_QUEUE_QUEUE_CORE_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_CORE_HPP

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "../../duration.hpp"
#include "../../errors.hpp"
#include "../../options.hpp"
#include "../../stats.hpp"
#include "../executor/continuation.hpp"
#include "../executor/executor_core.hpp"
#include "../executor/timer.hpp"
#include "../ground/aligned_memory.hpp"
#include "../ground/error_hook.hpp"
#include "../ground/fork.hpp"
#include "../ground/lean_std.hpp"
#include "../ground/linked_list.hpp"
#include "../ground/lock.hpp"
#include "../ground/ref.hpp"
#include "../ground/wait_list.hpp"
#include "priority_levels.hpp"
#include "queue_core_base.hpp"
#include "room_waiter.hpp"
#include "slot_queue.hpp"
#include "tracked_task.hpp"
#include "watchdog.hpp"
#include "worker.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class QueueCore final : public QueueCoreBase<Runtime>, private ForkAware<Runtime> {
 public:
  using Base = QueueCoreBase<Runtime>;
  using Kind = typename Base::Kind;
  using Clock = typename Runtime::Clock;
  using TimePoint = typename Clock::time_point;
  using Thread = typename Runtime::Thread;
  using Worker = detail::Worker<Runtime>;
  using Slot = detail::Slot<Runtime>;
  using Chunk = detail::Chunk<Runtime>;
  using QueuedTask = detail::QueuedTask<Runtime>;
  using RoomWaiter = detail::RoomWaiter<Runtime>;
  using ErrorHook = detail::ErrorHook<Runtime>;

  /// What only a queue that was given options can come to. The constructor that takes them names it: files that merely
  /// use queues, or make them without options, do not compile it.
  struct OptionParts {
    /// Adds a closure to a queue whose tasks need states. `what`: the type of the callable.
    void (*add_with_state)(QueueCore& core, const PackedClosure<Runtime>& closure, std::string_view what) = nullptr;
    /// For queues that are followed.
    MakeSupervisor<Runtime> make_supervisor = nullptr;
    /// What becomes of a task for which there is no room.
    std::exception_ptr (QueueCore::*overflow_locked)(bool& reserved) = nullptr;
  };
  static constexpr OptionParts option_parts(decltype(OptionParts::add_with_state) add_with_state,
                                            MakeSupervisor<Runtime> make_supervisor) noexcept {
    return {add_with_state, make_supervisor, &QueueCore::overflow_locked};
  }

  explicit TOTO_COLD QueueCore(const QueueOptions& options, OptionParts parts);
  /// Once.
  /// Throws: std::bad_alloc, std::system_error.
  void watch(Duration period) { watchdog_ = std::make_unique<Watchdog<Runtime>>(*this, period); }

  static void* operator new(std::size_t bytes) { return allocate_aligned<alignof(QueueCore)>(bytes); }
  static void operator delete(void* core) noexcept { free_aligned(core); }

  // Adding. Each wakes or starts a worker if one is needed. Thread-safe.

  /// Fills one slot. `fill(slot)` runs under the mutex: it copies trivial things and cannot fail.
  /// Throws: QueueClosed, std::bad_alloc, std::system_error; then nothing has changed. `reserved`: the caller has a
  /// reservation, which is used up if this does not throw.
  template <class Fill>
  void add(Kind kind, typename Slot::Run run, Fill fill, bool reserved = false) {
    mutex_.lock();
    if (prepare_locked(kind, reserved)) {
      publish(kind, run, fill, reserved);
    } else {
      Slot slot;
      fill(slot);
      run_here(kind, run, slot);
    }
  }

  /// Adds a task that is more than a closure, and makes it an owner of this core. If its lane is full, it waits there,
  /// unless the caller runs it.
  void add(QueuedTask& task, bool reserved = false);

  /// The same without a slot, by a worker that would come to the task next: queue_keeping.hpp.
  bool keep(Worker& self, QueuedTask& task) noexcept;

  /// A worker has claimed a task which, as it turned out, is cancelled.
  void count_unrun(Worker& self) noexcept;

  /// Null: nobody.
  QueueObserver* observer() const noexcept { return observer_; }
  /// Every task has to be a QueuedTask: somebody follows it, or it is queued by its age.
  bool needs_states() const noexcept { return follows() || ages(); }
  void add_with_state(const PackedClosure<Runtime>& closure, std::string_view what) {
    parts_.add_with_state(*this, closure, what);
  }
  /// Every task has a supervisor: somebody is told of it, or it is listed.
  bool follows() const noexcept { return observer_ != nullptr || tracks_; }
  /// Null: not every task.
  MakeSupervisor<Runtime> supervisor_maker() const noexcept { return follows() ? parts_.make_supervisor : nullptr; }
  bool tracks() const noexcept { return tracks_; }
  void track(TrackedTask<Runtime>& task, std::string_view what) noexcept;
  /// A worker begins to run it: a plain task, or a coroutine, which leaves that worker before or after its end.
  void track_begun(TrackedTask<Runtime>& task, BegunTask<Runtime>* begun, std::size_t worker) noexcept;
  void track_suspended(BegunTask<Runtime>& begun) noexcept;
  void untrack(TrackedTask<Runtime>& task) noexcept;

  /// Has to be called before a task with a priority is added.
  /// Throws: std::bad_alloc.
  TOTO_COLD void allow_priorities();

  // Bounds: queue_bound.hpp.

  /// Throws: std::invalid_argument if tasks may overtake each other for want of room.
  TOTO_COLD void require_order(const char* what) const;
  bool bounded() const noexcept { return max_queued_ != kUnbounded; }
  bool ages() const noexcept { return !ageing_.is_never(); }
  /// Books room for one task. False if there was none until the deadline; a worker does not wait. Thread-safe.
  /// Throws: QueueClosed.
  bool reserve_until(TimePoint deadline);
  /// Books room for one task, or stands in line for it: then `waiter` will be told. Thread-safe.
  /// Throws: QueueClosed.
  bool reserve_or_wait(RoomWaiter& waiter);
  /// Leaves the line, if it stands there. True: it has been given a reservation.
  bool withdraw(RoomWaiter& waiter) noexcept;
  void return_reservation() noexcept;
  /// Books room whether there is any or not.
  void reserve_beyond_bound() noexcept;
  /// Adds a task that needs no room: never waits for it, and never runs the task here.
  /// Throws: as add(), except QueueFull.
  void add_beyond_bound(QueuedTask& task);

  /// Hands over a continuation: behind everything queued now. Not refused by closing.
  bool post(Continuation& node) noexcept override { return post_node(node, false); }
  bool post_silently(Continuation& node, std::uint64_t& ticket) noexcept override;
  void announce(std::uint64_t ticket) noexcept override;

  /// The same, but ahead of everything queued.
  bool post_front(Continuation& node) noexcept override { return post_node(node, true); }

  bool withdraw(Continuation& node) noexcept override;

  /// A coroutine's place in the queue while it awaits schedule(). Lives in the coroutine's frame.
  struct Hop : Continuation {
    std::coroutine_handle<> coroutine;
    /// Where it is queued; null: as a node, with the worker that keeps it, or not at all. Guarded by the queue's mutex.
    Slot* slot = nullptr;
  };

  /// Queues a hop behind everything queued now.
  /// Throws: QueueClosed if the queue has ended, std::bad_alloc, std::system_error; then nothing has changed.
  void add(Hop& hop);

  /// Takes back a hop that is queued. The caller sees to it that it does not begin to run now.
  void withdraw(Hop& hop) noexcept;

  /// A task has ended: the next one that waits in its lane joins the queue, if there is one.
  void leave_lane(QueuedTask& task) noexcept;

  /// Takes a task out of the queue and discards it, if no worker has claimed it. Then `mark` is set, before anybody can
  /// know of it.
  bool cancel(QueuedTask& task, bool* mark = nullptr) noexcept;

  /// A coroutine task has begun, and will end with coroutine_ended(), on whatever thread.
  void coroutine_began(Worker& self) noexcept;
  void coroutine_ended(bool failed) noexcept;

  /// Runs what belongs to this worker, which is about to block in the middle of a task: coroutine tasks that have ended
  /// on its thread. What it keeps, somebody else may run.
  void run_local(Worker& self) noexcept { base().do_run_local(self); }

  /// The same for the calling thread, if it is a worker, of whatever queue: whoever is about to sleep calls it, because
  /// what it waits for may depend on such a task. Runs user code: no lock may be held.
  static void run_local_here() noexcept {
    if (Worker* const worker = ThreadContext<Runtime>::current().worker) {
      worker->core.run_local(*worker);
    }
  }

  bool closed() const noexcept {
    const Lock lock(mutex_);
    return closed_;
  }

  // The worker's life: worker_loop.hpp.

  /// Starts one worker now, if fewer than thread_count live.
  TOTO_COLD void start_one();

  // Ending and observing: queue_ending.hpp.

  TOTO_COLD void close();
  /// Waits until everything is done, every thread has left and the last one was joined. On one of this queue's own
  /// workers: until every other one has left.
  TOTO_COLD void finish();
  TOTO_COLD bool finish_until(TimePoint deadline);
  /// The calling thread, if it is one of this queue's workers, never comes back: it has called exit(). Its place is
  /// given to another, so that what is queued still runs.
  TOTO_COLD void lose_this_thread() noexcept;
  TOTO_COLD bool wait_idle_until(TimePoint deadline);
  TOTO_COLD std::size_t cancel_queued();
  TOTO_COLD QueueStats stats() const;
  TOTO_COLD std::size_t size() const;
  TOTO_COLD std::string dump() const;
  TOTO_COLD QueueProgress progress() const noexcept;
  /// None: a line on stderr.
  TOTO_COLD void on_error(Ref<ErrorHook> hook) noexcept;
  /// Tells the error hook of a failure. Not under the mutex; the hook may do anything.
  void report(const std::exception_ptr& failure) noexcept { base().do_report(failure); }
  /// The same for the failure of a task whose result nobody will see; not if it is one of the library's own, which say
  /// that a task was not run or not waited for.
  TOTO_COLD void report_unseen(const std::exception_ptr& failure) noexcept;

  const std::string& name() const noexcept { return name_; }
  std::size_t thread_count() const noexcept { return thread_count_; }

  /// The worker of this core that the calling thread is, or null.
  Worker* this_worker() const noexcept {
    Worker* const worker = ThreadContext<Runtime>::current().worker;
    return worker != nullptr && &worker->core == this ? worker : nullptr;
  }
  /// Whether the calling thread is in the middle of one of its tasks, as a worker or as a guest.
  bool runs_here() const noexcept {
    const GuestTask<Runtime>* guest = ThreadContext<Runtime>::current().guest;
    while (guest != nullptr && &guest->queue != this) {
      guest = guest->outer;
    }
    return guest != nullptr || this_worker() != nullptr;
  }

  /// Gives back the reference that a task took when it was added.
  void return_reference() noexcept;

  // What the WaitGraph asks, under its mutex: queue_blocking.hpp.

  /// Whether a worker may come to this task, or go on with it, for all that the graph knows.
  TOTO_COLD bool may_run(const QueuedTask& task, const WaitGraph<Runtime>& graph) const;
  /// Whether it would not be added any more, if it has not been.
  bool refuses(const QueuedTask& task) const {
    const Lock lock(mutex_);
    return closed_ && task.place == QueuedTask::Place::nowhere && !is_kept_locked(task);
  }
  /// Why no worker comes to it, if it waits in a lane: in words, to be put behind others.
  TOTO_COLD std::string lane_words(const QueuedTask& task) const;
  /// Whether everything there is to do may be done.
  TOTO_COLD bool may_become_idle(const WaitGraph<Runtime>& graph) const;

  /// Guards what is declared below, and the threads blocked on this queue's tasks.
  typename Runtime::Mutex& mutex() const noexcept TOTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

  /// Of threads that wait for a task.
  SpinBudget<Runtime> spins;

  /// The TaskQueue that owns this core. Its own workers read it; null once that object's destructor has waited for the
  /// others.
  typename Runtime::template Atomic<void*> owner{nullptr};

 private:
  using Wake = typename Base::Wake;

  static constexpr std::uint64_t kNoneDue = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint64_t kNoneDueClosed = kNoneDue - 1;
  /// How long until the start of a thread that has failed is tried again.
  static constexpr std::chrono::milliseconds kRetry{10};
  /// The ticket of what a worker of another queue has adopted.
  static constexpr std::uint64_t kAdopted = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint64_t kNoneSeen = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::size_t kCredit = 1024;
  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

  TOTO_COLD ~QueueCore() override;

  Base& base() noexcept { return *this; }
  /// For the thread safety analysis: what is called next, through the base, lets go of the mutex.
  void lets_go() noexcept TOTO_RELEASE(mutex_) TOTO_NO_THREAD_SAFETY_ANALYSIS {}
  bool do_prepare_slowly_locked(Kind kind, bool& reserved) override TOTO_REQUIRES(mutex_);
  TOTO_COLD void do_run_here(Kind kind, typename Slot::Run run, Slot& filled) override TOTO_RELEASE(mutex_);
  void do_unlock_and_wake() noexcept override TOTO_RELEASE(mutex_);
  void do_unlock_and_tell(Wake wake) noexcept override TOTO_RELEASE(mutex_);
  void do_run_local(Worker& self) noexcept override;
  TOTO_COLD void do_report(const std::exception_ptr& failure) noexcept override;

  /// What is in the slot of a QueuedTask. The ticket is the slot's: the node of a task that is over may have one of
  /// another queue.
  struct Filling {
    QueuedTask* task;
    std::uint64_t ticket;
  };
  static Filling filling(const Slot& slot) noexcept {
    Filling filling;
    std::memcpy(&filling, slot.closure, sizeof(filling));
    return filling;
  }
  static void run_queued(Slot& slot, Worker& worker);
  static void run_undecided(Slot& slot, Worker& worker);
  static void run_task_node(Continuation&, Turn) noexcept {}  // tells a task among the nodes; see run_node
  static void run_hop(Slot& slot, Worker& worker);
  static void run_hop_node(Continuation& node, Turn) noexcept;
  static void run_nothing(Slot&, Worker&) {}

  TOTO_COLD QueueClosed closed_error() const;
  /// A coroutine that runs may still hop to a closed queue.
  bool refuses_locked(Kind kind) const noexcept TOTO_REQUIRES(mutex_) { return kind == Kind::hop ? ended_ : closed_; }
  /// Makes sure that there is a slot to fill, a thread to run it, and room under the bound. False: the queue is full,
  /// and the caller is to run the task. May let go of the mutex on the way.
  /// Throws, without the mutex: QueueClosed, QueueFull, std::bad_alloc, std::system_error.
  bool prepare_locked(Kind kind, bool& reserved) TOTO_REQUIRES(mutex_);
  bool prepare_slowly_locked(Kind kind, bool& reserved) TOTO_REQUIRES(mutex_) {
    return base().do_prepare_slowly_locked(kind, reserved);
  }

  /// Fills the slot that was prepared. Lets go of the mutex.
  template <class Fill>
  void publish(Kind kind, typename Slot::Run run, Fill fill, bool reserved) TOTO_RELEASE(mutex_);
  void run_here(Kind kind, typename Slot::Run run, Slot& filled) TOTO_RELEASE(mutex_) {
    lets_go();
    base().do_run_here(kind, run, filled);
  }
  bool has_room_locked() noexcept TOTO_REQUIRES(mutex_) {
    return !bounded() || queued_tasks_locked() + reserved_ < max_queued_;
  }
  /// Nobody has to wait who comes now: there is room, and nobody stands in line for it.
  bool has_room_now_locked() noexcept TOTO_REQUIRES(mutex_) { return has_room_locked() && room_waiters_.empty(); }
  /// Books it, if so.
  bool book_room_locked() noexcept TOTO_REQUIRES(mutex_) {
    const bool booked = has_room_now_locked();
    reserved_ += booked ? 1U : 0U;
    return booked;
  }
  TOTO_COLD std::exception_ptr overflow_locked(bool& reserved) TOTO_REQUIRES(mutex_);
  void wait_for_room_locked(TimePoint deadline, bool& reserved) TOTO_REQUIRES(mutex_);
  TOTO_COLD bool discard_oldest_locked(bool& reserved) TOTO_REQUIRES(mutex_);
  void return_reservation_locked(bool& reserved) noexcept TOTO_REQUIRES(mutex_);
  LinkedList<RoomWaiter> grant_room_locked() noexcept TOTO_REQUIRES(mutex_);
  void unlock_and_tell(Wake wake) noexcept TOTO_RELEASE(mutex_) {
    lets_go();
    base().do_unlock_and_tell(wake);
  }
  TOTO_COLD std::exception_ptr closed_failure() const noexcept;
  TOTO_COLD std::exception_ptr full_failure() const noexcept;

  TOTO_COLD std::exception_ptr secure_first_worker(Kind kind) TOTO_REQUIRES(mutex_);
  bool post_node(Continuation& node, bool first) noexcept;
  void push_node_locked(Continuation& node) noexcept TOTO_REQUIRES(mutex_);
  void remove_node_locked(Continuation& node) noexcept TOTO_REQUIRES(mutex_);
  Continuation* pop_next_locked(Worker& self) noexcept TOTO_REQUIRES(mutex_);
  Slot* claim_locked(Worker& self, Chunk& chunk) noexcept TOTO_REQUIRES(mutex_);
  void note_due_locked() noexcept TOTO_REQUIRES(mutex_);
  void count_added_locked(Kind kind, bool reserved) noexcept TOTO_REQUIRES(mutex_);
  void take_reference_locked() noexcept TOTO_REQUIRES(mutex_);
  bool has_work_locked() const noexcept TOTO_REQUIRES(mutex_);
  /// Somebody is on the way, or all are busy and no more may be started.
  bool nobody_to_wake_locked() const noexcept TOTO_REQUIRES(mutex_) {
    return searching_ || (idle_ == nullptr && live_ == thread_count_);
  }
  Wake pick_locked() noexcept TOTO_REQUIRES(mutex_);
  void unlock_and_wake() noexcept TOTO_RELEASE(mutex_);
  Wake count_start_locked() noexcept TOTO_REQUIRES(mutex_);
  static void deliver(Wake wake) noexcept;
  TOTO_COLD void adopt_stranded() noexcept;
  TOTO_COLD void run_adopted() noexcept;
  TOTO_COLD void try_again_later() noexcept;
  TOTO_COLD void try_again() noexcept;
  TOTO_COLD void try_again_here() noexcept;

  TOTO_COLD std::exception_ptr start(Worker* worker, bool searches) noexcept;
  TOTO_COLD Worker* new_worker();
  TOTO_COLD void store_thread(Worker& worker, Thread thread) noexcept;
  void secure_locked(Worker& worker) noexcept TOTO_REQUIRES(mutex_);
  void work(Worker& self, bool searches);
  Slot* claim(Chunk& chunk, const std::uint64_t* due = nullptr) noexcept;
  void drain(Worker& self, Chunk& chunk, Slot* first);
  void run_node(Worker& self, Continuation& node);
  TOTO_COLD void lose(Worker& self) noexcept TOTO_RELEASE(mutex_);
  void settle(Worker& self);
  void settle_one(Worker& self) noexcept;
  static void resume_on_top(Worker& self, std::coroutine_handle<> coroutine) noexcept;
  void run_kept(Worker& self);
  bool keep(Worker& self, Hop& hop) noexcept;
  bool has_next_turn(const Worker& self, Continuation& node) const noexcept;
  bool is_kept_locked(const QueuedTask& task) const noexcept TOTO_REQUIRES(mutex_);
  bool take_kept_locked(Continuation& node) noexcept TOTO_REQUIRES(mutex_);
  void queue_kept_locked(Worker& worker) noexcept TOTO_REQUIRES(mutex_);
  bool rest(Worker& self) TOTO_REQUIRES(mutex_);
  void look_again() TOTO_REQUIRES(mutex_);
  bool leave_it_to_waker(Worker& self) noexcept;
  TOTO_COLD void leave(Worker& self) TOTO_RELEASE(mutex_);
  void fold_locked(Worker& self) noexcept TOTO_REQUIRES(mutex_);
  void push_idle_locked(Worker& worker) noexcept TOTO_REQUIRES(mutex_);
  void remove_idle_locked(Worker& worker) noexcept TOTO_REQUIRES(mutex_);
  void rouse_idle_locked() noexcept TOTO_REQUIRES(mutex_);

  TOTO_COLD std::size_t empty_slots_locked(ContinuationList& tasks, Chunk*& surplus, std::size_t most) noexcept
      TOTO_REQUIRES(mutex_);
  TOTO_COLD void take_unslotted_locked(ContinuationList& tasks, std::size_t most) noexcept TOTO_REQUIRES(mutex_);
  void before_fork() noexcept override TOTO_ACQUIRE(mutex_) { mutex_.lock(); }
  TOTO_COLD void after_fork(bool in_child) noexcept override TOTO_RELEASE(mutex_);
  bool quiet_locked() const noexcept TOTO_REQUIRES(mutex_);
  bool over_locked() const noexcept TOTO_REQUIRES(mutex_) { return closed_ && (open_coroutines_ == 0 || ownerless_); }
  void announce_quiet_locked() noexcept TOTO_REQUIRES(mutex_);
  /// Of tasks, as far as they are not cancelled.
  struct Counts {
    std::uint64_t submitted;
    std::uint64_t begun;
  };
  Counts counts_locked() const noexcept TOTO_REQUIRES(mutex_);
  std::uint64_t queued_tasks_locked() const noexcept TOTO_REQUIRES(mutex_);

  // What is read at each task and hardly ever written.
  const std::string name_;
  const std::size_t thread_count_;
  const Duration idle_timeout_;
  const std::size_t max_queued_;
  const Overflow overflow_;
  const Duration ageing_;
  QueueObserver* const observer_;
  const bool tracks_;
  const bool blocks_signals_;
  /// The ticket before which the first continuation stands; kNoneDue if there is none, kNoneDueClosed if tasks are
  /// refused besides; 0 if workers have to claim one task at a time, under the mutex: there is a bound, or tasks with
  /// priorities. Written under the mutex; a draining worker reads it after the acquire load of the slot behind it.
  typename Runtime::template Atomic<std::uint64_t> due_;

  // What adders write: 128 bytes away from what draining workers read (see slot_queue.hpp).
  alignas(128) mutable typename Runtime::Mutex mutex_;
  bool searching_ TOTO_GUARDED_BY(mutex_) = false;
  bool closed_ TOTO_GUARDED_BY(mutex_) = false;
  SlotQueue<Runtime> slots_ TOTO_GUARDED_BY(mutex_);
  std::size_t live_ TOTO_GUARDED_BY(mutex_) = 0;     // decided to start, and not left
  std::size_t secured_ TOTO_GUARDED_BY(mutex_) = 0;  // of these: their thread exists
  Worker* idle_ TOTO_GUARDED_BY(mutex_) = nullptr;   // a stack: the most recently idle first
  std::uint64_t submitted_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t hops_ TOTO_GUARDED_BY(mutex_) = 0;  // added and neither run (as far as folded) nor withdrawn
  /// References to this object that were counted wholesale, to be given to tasks without an atomic operation.
  std::size_t credit_ TOTO_GUARDED_BY(mutex_) = 0;

  // Work that is not in a slot.
  ContinuationList nodes_ TOTO_GUARDED_BY(mutex_);
  std::size_t node_tasks_ TOTO_GUARDED_BY(mutex_) = 0;  // of these: tasks that have come out of a lane
  ContinuationList adopted_ TOTO_GUARDED_BY(mutex_);    // no work of this queue any more: adopt_stranded()
  ContinuationList lanes_ TOTO_GUARDED_BY(mutex_);      // those in which tasks wait
  std::size_t forks_ TOTO_GUARDED_BY(mutex_) = 0;       // that this queue has come through as the child's
  std::unique_ptr<PriorityLevels<Runtime>> levels_ TOTO_GUARDED_BY(mutex_);  // null: there has been no priority yet
  std::size_t reserved_ TOTO_GUARDED_BY(mutex_) = 0;  // room under the bound: booked, and not yet filled
  LinkedList<RoomWaiter> room_waiters_ TOTO_GUARDED_BY(mutex_);

  // Workers.
  std::size_t busy_ TOTO_GUARDED_BY(mutex_) = 0;  // neither resting nor gone
  /// Of the last worker that looked again: how far tasks had come when it stopped, and how patient it was.
  std::uint64_t seen_ TOTO_GUARDED_BY(mutex_) = kNoneSeen;
  int patience_ TOTO_GUARDED_BY(mutex_) = 1;
  /// Adders that have seen, or wait for, the start of the first worker and have not published: it may not leave.
  std::size_t promised_ TOTO_GUARDED_BY(mutex_) = 0;
  /// A timer that tries to start a thread again; `retrying_`: it is armed, or being armed.
  struct Retry : TimerNode<Runtime> {
    QueueCore* core = nullptr;
  };
  Retry retry_;
  bool retrying_ TOTO_GUARDED_BY(mutex_) = false;
  Worker* unused_ TOTO_GUARDED_BY(mutex_) = nullptr;  // objects whose thread has left
  Worker* all_ TOTO_GUARDED_BY(mutex_) = nullptr;
  std::size_t worker_objects_ TOTO_GUARDED_BY(mutex_) = 0;
  /// The thread that left last: whoever leaves next joins it, so at most one ended thread is unjoined.
  Thread exited_ TOTO_GUARDED_BY(mutex_);
  bool joining_ TOTO_GUARDED_BY(mutex_) = false;
  /// Threads that have left and are not known to have ended. A new worker waits while they are too many.
  std::size_t leaving_ TOTO_GUARDED_BY(mutex_) = 0;

  // Ending.
  bool ended_ TOTO_GUARDED_BY(mutex_) = false;
  bool orphaned_ TOTO_GUARDED_BY(mutex_) = false;   // the TaskQueue was destroyed by one of its own tasks
  bool ownerless_ TOTO_GUARDED_BY(mutex_) = false;  // the TaskQueue is being destroyed by one of its own tasks, or gone
  mutable WaitList<Runtime> changed_ TOTO_GUARDED_BY(mutex_);

  // Counting. What workers did since their last visit is in their tallies.
  std::uint64_t begun_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t completed_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t failed_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t cancelled_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t open_coroutines_ TOTO_GUARDED_BY(mutex_) = 0;
  std::uint64_t threads_started_ TOTO_GUARDED_BY(mutex_) = 0;

  LinkedList<TrackedTask<Runtime>> tracked_ TOTO_GUARDED_BY(mutex_);
  std::unique_ptr<WatchdogBase> watchdog_;  // gone when the queue begins to end
  const OptionParts parts_;

  Ref<ErrorHook> hook_ TOTO_GUARDED_BY(mutex_);
};

template <class Runtime>
QueueCore<Runtime>::QueueCore(const QueueOptions& options, OptionParts parts)
    : ForkAware<Runtime>(ForkRank::executors),
      name_(options.name),
      thread_count_(options.thread_count),
      idle_timeout_(options.idle_timeout),
      max_queued_(options.max_queued),
      overflow_(options.overflow),
      ageing_(options.ageing),
      observer_(options.observer),
      tracks_(options.track_tasks),
      blocks_signals_(options.block_signals),
      due_(bounded() ? 0 : kNoneDue),
      parts_(parts) {
  if (ages()) {
    levels_ = std::make_unique<PriorityLevels<Runtime>>(ageing_);
  }
  TimersAtHand<Runtime>::instance();  // older than this queue, so that at exit its timers end later
  this->watch_forks();                // last: a constructor that throws later would leave this in the list
}

}  // namespace toto::inline v0_1::detail

#include "queue_adding.hpp"
#include "queue_blocking.hpp"
#include "queue_bound.hpp"
#include "queue_cancelling.hpp"
#include "queue_dump.hpp"
#include "queue_ending.hpp"
#include "queue_keeping.hpp"
#include "worker_loop.hpp"
#include "worker_start.hpp"

#endif  // TOTO_DETAIL_QUEUE_QUEUE_CORE_HPP
