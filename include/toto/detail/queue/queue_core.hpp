// SPDX-License-Identifier: MIT
//
// Folder: queue. Uses: ground executor line.
// Tasks in their order and the threads that run them; who waits for whom; the named queues. Knows a task as a
// QueuedTask, and nothing of results or handles.
//
// QueueCore: what can be done with a queue by a task, a handle or a coroutine: adding, cancelling, coming back, waiting
// for room. Shared state that outlives the TaskQueue object for as long as a worker, a handle or a waiting coroutine
// refers to it. Read next: order.hpp and queue_parts.hpp (what it is made of), worker_loop.hpp (the life of a worker);
// queue_gate.hpp (what an add does when something is missing); queue_end.hpp and queue_report.hpp (what the owner of a
// queue needs).
//
// Invariants (docs/design.md justifies them; tests cite them as [inv.I7]):
//  I7  A task that was queued is claimed, cancelled or discarded by taking it out of the Order, under the mutex: one of
//      these, once.
//  I11 A worker runs a task, or lets a coroutine continue, without queueing it only if that would be the next to be
//      claimed, and this worker would claim it at once.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_CORE_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_CORE_HPP

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "../../duration.hpp"
#include "../../options.hpp"
#include "../executor/timer.hpp"
#include "../ground/aligned_memory.hpp"
#include "../ground/lock.hpp"
#include "queue_parts.hpp"
#include "watchdog.hpp"

namespace toto::inline v0_1::detail {

/// What tasks, handles and coroutines do with a queue.
/// Thread safety: Thread-safe, unless a name ends in _locked.
template <class Runtime>
class QueueCore final : public QueueParts<Runtime> {
 public:
  using Parts = QueueParts<Runtime>;
  using Parts::crew;
  using Parts::ledger;
  using Parts::mutex;
  using Parts::order;
  using Parts::room;
  using Parts::this_worker;
  using Parts::unlock_and_wake;
  using typename Parts::Worker;
  using QueuedTask = detail::QueuedTask<Runtime>;

  TOTO_COLD QueueCore(const QueueOptions& options, const QueueFunctions<Runtime>& functions)
      : Parts(options, functions) {
    TimerService<Runtime>::instance();  // older than this queue, so that at exit its timers end later
  }

  /// Once.
  /// Throws: std::bad_alloc, std::system_error.
  void watch(Duration period) { watchdog_ = Ref<RefCounted<Runtime>>::adopt(new Watchdog<Runtime>(*this, period)); }
  /// Ends the watchdog when the returned object is destroyed, which must be without the mutex.
  Ref<RefCounted<Runtime>> take_watchdog() noexcept TOTO_REQUIRES(mutex()) { return std::move(watchdog_); }

  static void* operator new(std::size_t bytes) { return detail::allocate_aligned<alignof(QueueCore)>(bytes); }
  static void operator delete(void* core) noexcept { detail::free_aligned(core); }

  // Adding. Each wakes or starts a worker if one is needed. Thread-safe.

  /// `fill(closure)` copies trivial things, under the mutex, and cannot fail.
  /// Throws: QueueClosed, QueueFull, std::bad_alloc, std::system_error; then nothing has changed.
  template <class Fill>
  void add_closure(Fill fill) {
    mutex().lock();
    bool reserved = false;
    if (needs_preparation_locked() || !order().closures().has_memory()) [[unlikely]] {
      prepare_locked(Entry::closure, reserved);
    }
    fill(order().push_closure());
    count_added_locked(reserved);
    unlock_and_wake();
  }

  /// Adds a task that is more than a closure, and makes it an owner of this core. If its lane is full, the
  /// task waits there, not the caller.
  /// `reserved`: the caller has reserved room, which is used up if this does not throw.
  /// Throws: as add_closure().
  void add(QueuedTask& task, bool reserved = false) {
    mutex().lock();
    if (needs_preparation_locked()) [[unlikely]] {
      prepare_locked(Entry::task, reserved);
    }
    const bool runnable = order().push(task);
    ledger().take_reference(*this);  // a closure needs none: it is gone before the worker that runs it lets go of this
    count_added_locked(reserved);
    if (runnable) {
      unlock_and_wake();
    } else {
      mutex().unlock();
    }
  }

  /// The same for a task that needs no room: never waits for it.
  /// Throws: as add_closure(), except QueueFull.
  void add_beyond_bound(QueuedTask& task) {
    beyond_bound([&](bool reserved) { add(task, reserved); });
  }

  /// Returns `add(reserved)`, which is to add one task, with room reserved for it whether there is any or not.
  /// Throws: what `add` throws; then the room is given back.
  template <class Add>
  auto beyond_bound(Add add) {
    const bool reserved = this->bounded();
    if (reserved) {
      const Lock lock(mutex());
      room().reserve_beyond_limit();
    }
    try {
      return add(reserved);
    } catch (...) {
      if (reserved) {
        give_back_room();
      }
      throw;
    }
  }
  void give_back_room() noexcept {
    mutex().lock();
    bool reserved = true;
    room().give_back(reserved);
    this->unlock_and_give_room({});
  }

  /// Queues the hop of a coroutine (`co_await queue.schedule()`) behind everything queued now. Returns false if the hop
  /// would be next, and its worker would take it at once: then the coroutine just continues.
  /// Throws: QueueClosed if the queue has ended, std::bad_alloc, std::system_error; then nothing has changed.
  bool hop(Continuation& node, std::coroutine_handle<> coroutine) {
    if (Worker* const self = this_worker(); self != nullptr && self->on_top == coroutine && would_be_next(*self)) {
      return false;
    }
    mutex().lock();
    if (needs_preparation_locked()) [[unlikely]] {
      bool reserved = false;
      prepare_locked(Entry::hop, reserved);
    }
    order().push_back(node);
    unlock_and_wake();
    return true;
  }

  /// Has the calling worker run the task next, without queueing it, if it would claim it next and returns to its loop
  /// at once. Returns false if the task must be added. (If a user's awaitable resumes its coroutine inside its
  /// await_suspend(), the worker does not return at once: then the task waits until that await_suspend() returns, or
  /// blocks in the library.)
  bool keep_next(Worker& self, QueuedTask& task) noexcept {
    if (&self.core != this || !would_be_next(self) || task.supervised || this->needs_states() || this->bounded() ||
        this->closed() || Tally(self.tally.load(std::memory_order_relaxed)).unqueued >= Tally::kMostUnqueued) {
      return false;
    }
    Ledger<Runtime>::take_reference(*this, self);
    self.task_next = &task;
    return true;
  }

  // Tasks that are queued, begin or end.

  /// Takes a task out of the queue and discards it, if no worker has claimed it. Then `mark` is set, before anyone can
  /// notice.
  bool cancel(QueuedTask& task, bool* mark = nullptr) noexcept {
    mutex().lock();
    if (!order().remove(task)) {
      mutex().unlock();
      return false;
    }
    if (mark != nullptr) {
      *mark = true;
    }
    ContinuationList tasks;
    tasks.push_back(task);
    this->discard_and_relock(tasks, 0);
    this->unlock_and_give_room({});
    return true;
  }
  /// A task that had a turn in its lane has ended.
  void leave_lane(QueuedTask& task) noexcept {
    mutex().lock();
    order().leave_lane(task);
    unlock_and_wake();
  }
  /// A worker has claimed a task, and then found that it was cancelled.
  void count_unrun() noexcept {
    const Lock lock(mutex());
    ledger().count_unrun();
  }
  /// A coroutine task has begun, and will end with coroutine_ended(), on whatever thread.
  void coroutine_began() noexcept {
    const Lock lock(mutex());
    ledger().count_coroutine_begun();
  }
  void coroutine_ended(bool failed) noexcept {
    const Lock lock(mutex());
    ledger().count_coroutine_ended(failed);
    this->announce_quiet_locked();
  }

  /// Runs what belongs to this worker, which is about to block in the middle of a task.
  TOTO_NOINLINE void run_local(Worker& self) noexcept {
    const bool nested = std::exchange(self.in_run_local, true);
    while (!self.local.empty()) {
      Continuation& node = self.local.pop_front();
      node.run(node, Turn::on_executor);
    }
    self.in_run_local = nested;
    if (self.task_next != nullptr) {  // this worker will not come to it at once after all
      mutex().lock();
      queue_next_locked(self);
      unlock_and_wake();
    }
  }
  /// If the calling thread is a worker, of any queue, finishes the coroutine tasks that have ended on it. Called by a
  /// thread that is about to sleep, because what it waits for may depend on such a task. Runs user code: no lock may be
  /// held.
  static void run_local_here() noexcept {
    if (Worker* const worker = ThreadContext<Runtime>::current().worker) {
      worker->core.run_local(*worker);
    }
  }
  /// Queues what the worker was to run next, for any worker.
  void queue_next_locked(Worker& self) noexcept TOTO_REQUIRES(mutex()) {
    if (QueuedTask* const task = std::exchange(self.task_next, nullptr)) {
      ledger().count_submitted();
      order().push(*task);
    }
  }

  // Continuations: see ExecutorCore.

  QueueCore* queue() noexcept override { return this; }
  bool post(Continuation& node) noexcept override { return post_node(node, false); }
  bool post_front(Continuation& node) noexcept override { return post_node(node, true); }
  /// announce() picks the worker to wake: starting a thread may fail, and that needs the timers, whose mutex the caller
  /// may hold.
  bool post_silently(Continuation& node, Notice<Runtime>&) noexcept override {
    const Lock lock(mutex());
    if (!ledger().ended()) {
      order().push_back(node);
    }
    return !ledger().ended();
  }
  void announce(Notice<Runtime>&) noexcept override { wake(); }
  /// Wakes or starts a worker, if one is needed.
  void wake() noexcept {
    mutex().lock();
    unlock_and_wake();
  }
  bool withdraw(Continuation& node) noexcept override {
    const Lock lock(mutex());
    order().remove(node);
    this->announce_quiet_locked();
    return true;
  }

 private:
  ~QueueCore() override = default;

  bool needs_preparation_locked() const noexcept TOTO_REQUIRES(mutex()) {
    return ledger().closed() || crew().secured() == 0 || this->bounded();
  }
  /// May release the mutex on the way, and throws without it: see QueueGate::prepare().
  void prepare_locked(Entry entry, bool& reserved) TOTO_REQUIRES(mutex()) {
    this->functions().prepare(*this, entry, reserved);
  }
  void count_added_locked(bool& reserved) noexcept TOTO_REQUIRES(mutex()) {
    ledger().count_submitted();
    room().fill(reserved);
  }
  bool post_node(Continuation& node, bool first) noexcept {
    mutex().lock();
    if (ledger().ended()) {
      mutex().unlock();
      return false;
    }
    if (first) {
      order().push_front(node);
    } else {
      order().push_back(node);
    }
    unlock_and_wake();
    return true;
  }
  /// Whether what is added now would be the next that this worker claims. Without the mutex: what another thread adds
  /// at the same time may be missed, and comes later.
  bool would_be_next(const Worker& self) const noexcept {
    return this->runnable() == 0 && self.local.empty() && !self.resume_next && self.task_next == nullptr;
  }

  Ref<RefCounted<Runtime>> watchdog_;  // of a type that few files compile; gone when the queue begins to end
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_CORE_HPP
