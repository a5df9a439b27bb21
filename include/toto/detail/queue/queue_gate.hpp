// SPDX-License-Identifier: MIT
//
// QueueGate: checks before a task may enter a queue: the queue is open, a thread is known to exist, there is memory,
// and there is room under the bound, or the caller waits for it. Read next: queue_core.hpp.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_GATE_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_GATE_HPP

#include <cstddef>
#include <exception>
#include <new>

#include "../../errors.hpp"
#include "../../options.hpp"
#include "../ground/lock.hpp"
#include "../ground/text.hpp"
#include "queue_parts.hpp"

namespace toto::inline v0_1::detail {

/// Lets tasks in.
template <class Runtime>
class QueueGate : public QueueParts<Runtime> {
 public:
  using Parts = QueueParts<Runtime>;
  using typename Parts::Choice;
  using typename Parts::Clock;
  using typename Parts::TimePoint;
  using typename Parts::Worker;
  using QueuedTask = detail::QueuedTask<Runtime>;
  using Parts::bounded;
  using Parts::changed;
  using Parts::crew;
  using Parts::ledger;
  using Parts::mutex;
  using Parts::options;
  using Parts::order;
  using Parts::room;
  using Parts::this_worker;

  // Room under the bound. Thread-safe.

  /// Reserves room for one task. False if there was none until the deadline; a worker of this queue does not wait.
  /// Throws: QueueClosed.
  TOTO_COLD bool reserve_room_until(TimePoint deadline) {
    const Lock lock(mutex());
    bool reserved = !ledger().closed() && room().reserve(order().tasks());
    // A worker might wait for itself.
    if (!ledger().closed() && !reserved && deadline > Clock::now() && this_worker() == nullptr) {
      wait_for_room_locked(deadline, reserved);
    }
    if (ledger().closed() && !reserved) {
      throw closed_error();
    }
    return reserved;
  }
  /// Reserves room for one task, or puts `waiter` in line for room, to be notified.
  /// Throws: QueueClosed.
  TOTO_COLD bool reserve_room_or_wait(RoomWaiter& waiter) {
    const Lock lock(mutex());
    if (ledger().closed()) {
      throw closed_error();
    }
    const bool reserved = room().reserve(order().tasks());
    if (!reserved) {
      room().line().join(waiter);
    }
    return reserved;
  }
  /// The waiter leaves the line, if it is there. Returns true if it was granted room.
  bool leave_line(RoomWaiter& waiter) noexcept {
    const Lock lock(mutex());
    room().line().withdraw(waiter);
    return waiter.request.granted;
  }
  /// Returns `add(reserved)`, which is to add one task, with room reserved for it whether there is any or not.
  /// Throws: what `add` throws; then the room is given back.
  template <class Add>
  auto beyond_bound(Add add) {
    const bool reserved = bounded();
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

  // Tasks that leave the queue without having begun.

  /// Completes with TaskCancelled the tasks that were taken out, and the `dropped` closures. Returns with the mutex
  /// held.
  void discard_and_relock(ContinuationList& tasks, std::size_t dropped) noexcept TOTO_REQUIRES(mutex()) {
    ledger().count_cancelled(dropped + tasks.size());
    ledger().begin_completing();  // the queue does not end meanwhile
    auto* const surplus = order().closures().take_surplus();
    mutex().unlock();
    ClosureLine<Runtime>::free_all(surplus);
    while (!tasks.empty()) {
      static_cast<QueuedTask&>(tasks.pop_front()).discard();
    }
    mutex().lock();
    ledger().end_completing();
    this->announce_quiet_locked();
  }

  /// If the calling thread is a worker, of any queue, finishes the coroutine tasks that have ended on it. Called by a
  /// thread that is about to sleep, because what it waits for may depend on such a task. Runs user code: no lock may be
  /// held.
  static void run_local_here() noexcept {
    if (Worker* const worker = ThreadContext<Runtime>::current().worker) {
      worker->core.run_local(*worker);
    }
  }

  /// What prepare_locked() does, compiled where a queue is made.
  TOTO_COLD static void prepare(QueueCore<Runtime>& core, Entry entry, bool& reserved) TOTO_NO_THREAD_SAFETY_ANALYSIS {
    QueueGate& gate = core;
    const bool given = reserved;
    try {
      while (gate.prepare_further_locked(entry, reserved)) {
      }
    } catch (...) {
      if (!given) {
        gate.room().give_back(reserved);
      }
      gate.unlock_and_give_room({});
      throw;
    }
  }

 protected:
  using Parts::Parts;
  ~QueueGate() override = default;

  bool needs_preparation_locked() const noexcept TOTO_REQUIRES(mutex()) {
    return ledger().closed() || crew().secured() == 0 || bounded();
  }
  /// Makes sure that there is memory for a closure, a thread to run it, and room under the bound. May release the mutex
  /// on the way.
  /// Throws, without the mutex: QueueClosed, QueueFull, std::bad_alloc, std::system_error.
  void prepare_locked(Entry entry, bool& reserved) TOTO_REQUIRES(mutex()) {
    this->functions().prepare(static_cast<QueueCore<Runtime>&>(*this), entry, reserved);
  }

 private:
  bool refuses_locked(Entry entry) const noexcept TOTO_REQUIRES(mutex()) {
    return entry == Entry::hop ? ledger().ended() : ledger().closed();
  }
  /// One step of prepare(). Returns false if nothing is missing. Whatever has released the mutex, everything is checked
  /// again.
  /// Throws, with the mutex held: as prepare_locked().
  bool prepare_further_locked(Entry entry, bool& reserved) TOTO_REQUIRES(mutex()) {
    if (refuses_locked(entry)) {
      throw closed_error();
    }
    if (entry == Entry::closure && !order().closures().has_memory()) {
      mutex().unlock();
      auto* const chunk = ClosureLine<Runtime>::Chunk::make();
      mutex().lock();
      if (chunk == nullptr) {
        throw std::bad_alloc();
      }
      order().closures().add_spare(chunk);
    } else if (crew().secured() == 0) {
      secure_first_worker_locked(entry);
    } else if (entry == Entry::hop || reserved || room().available(order().tasks())) {
      return false;
    } else if (options().overflow == Overflow::block && this_worker() != nullptr) {
      return false;  // it would wait for itself
    } else {
      make_room_locked(reserved);
    }
    return true;
  }

  /// Starts the first thread, or waits for the adder that is starting it (I4).
  void secure_first_worker_locked(Entry entry) TOTO_REQUIRES(mutex()) {
    Runtime::point("no worker is secured");
    crew().promise();  // keeps the new worker from leaving before this adder has pushed
    std::exception_ptr failure;
    if (crew().searching() || crew().live() == this->thread_count()) {  // somebody is starting one
      // Whatever ends this wait must change what the next step does; otherwise it would come here again.
      changed().wait(mutex(), [this, entry]() TOTO_REQUIRES(mutex()) {
        return crew().secured() > 0 || refuses_locked(entry) ||
               !(crew().searching() || crew().live() == this->thread_count());
      });
    } else {
      crew().begin_search();
      const Choice choice = crew().count_start();
      mutex().unlock();
      failure = this->functions().start_thread(static_cast<QueueCore<Runtime>&>(*this), choice.worker, true);
      mutex().lock();
    }
    crew().keep_promise();
    if (failure && crew().secured() == 0) {
      std::rethrow_exception(failure);
    }
  }

  /// The queue is full: makes room, or waits for some.
  /// Throws: QueueFull.
  void make_room_locked(bool& reserved) TOTO_REQUIRES(mutex()) {
    if (options().overflow == Overflow::reject) {
      throw QueueFull(detail::join(
          {"toto: queue '", this->name(), "' is full: ", Digits(room().limit()), " task(s) are waiting for a thread"}));
    }
    if (options().overflow == Overflow::block) {
      wait_for_room_locked((TimePoint::max)(), reserved);
      return;
    }
    ContinuationList tasks;
    const bool found = order().take_oldest_task(tasks);
    room().reserve_beyond_limit();  // the task's room, before anybody who waits; beyond the bound if all is reserved
    reserved = true;
    if (found) {
      discard_and_relock(tasks, tasks.empty() ? 1 : 0);
    }
  }

  /// Stands in line until there is room, the queue has closed, or the deadline has passed.
  void wait_for_room_locked(TimePoint deadline, bool& reserved) TOTO_REQUIRES(mutex()) {
    if (ThreadContext<Runtime>::current().worker != nullptr) {
      mutex().unlock();
      run_local_here();
      mutex().lock();
      reserved = !ledger().closed() && room().reserve(order().tasks());
      if (ledger().closed() || reserved) {
        return;
      }
    }
    LineThread<Runtime, RoomRequest> self(RoomRequest{});
    self.wait(mutex(), room().line(), deadline, [] {});
    reserved = self.request.granted;
  }

  TOTO_COLD QueueClosed closed_error() const {
    return QueueClosed(detail::join({"toto: queue '", this->name(), "' is closed and takes no more tasks"}));
  }
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_GATE_HPP
