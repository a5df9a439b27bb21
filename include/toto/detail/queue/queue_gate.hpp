// SPDX-License-Identifier: MIT
//
// QueueGate: what has to be so before a task may enter a queue: the queue is open, a thread is known to exist, there is
// memory, and there is room under the bound, or the caller waits for it. Used where something of this is missing. Read
// next: queue_core.hpp.

#ifndef TOTO_DETAIL_QUEUE_QUEUE_GATE_HPP
#define TOTO_DETAIL_QUEUE_QUEUE_GATE_HPP

#include <exception>
#include <new>

#include "../../errors.hpp"
#include "../../options.hpp"
#include "../ground/lock.hpp"
#include "../ground/text.hpp"
#include "queue_core.hpp"

namespace toto::inline v0_1::detail {

template <class Runtime>
class QueueGate {
 public:
  using Core = QueueCore<Runtime>;
  using TimePoint = typename Core::TimePoint;

  explicit QueueGate(Core& core) noexcept : core_(core) {}

  /// Reserves room for one task. False if there was none until the deadline; a worker of this queue does not wait.
  /// Throws: QueueClosed.
  TOTO_COLD bool reserve_room_until(TimePoint deadline) {
    const Lock lock(core_.mutex());
    bool reserved = !core_.ledger().closed() && core_.room().reserve(core_.order().tasks());
    // A worker might wait for itself.
    if (!core_.ledger().closed() && !reserved && deadline > Runtime::Clock::now() && core_.this_worker() == nullptr) {
      wait_for_room_locked(deadline, reserved);
    }
    if (core_.ledger().closed() && !reserved) {
      throw closed_error();
    }
    return reserved;
  }
  /// Reserves room for one task, or puts `waiter` in line for room, to be notified.
  /// Throws: QueueClosed.
  TOTO_COLD bool reserve_room_or_wait(RoomWaiter& waiter) {
    const Lock lock(core_.mutex());
    if (core_.ledger().closed()) {
      throw closed_error();
    }
    const bool reserved = core_.room().reserve(core_.order().tasks());
    if (!reserved) {
      core_.room().line().join(waiter);
    }
    return reserved;
  }
  /// The waiter leaves the line, if it is there. Returns true if it was granted room.
  bool leave_line(RoomWaiter& waiter) noexcept {
    const Lock lock(core_.mutex());
    core_.room().line().withdraw(waiter);
    return waiter.request.granted;
  }

  /// Makes sure that nothing is missing for `entry`: memory for a closure, a thread to run it, room under the bound.
  /// Enters and returns with the mutex held, but may release it on the way. Sets `reserved` if it has reserved room.
  /// Throws, without the mutex: QueueClosed, QueueFull, std::bad_alloc, std::system_error.
  TOTO_COLD static void prepare(Core& core, Entry entry, bool& reserved) TOTO_NO_THREAD_SAFETY_ANALYSIS {
    QueueGate gate(core);
    const bool given = reserved;
    try {
      while (gate.prepare_further_locked(entry, reserved)) {
      }
    } catch (...) {
      if (!given) {
        core.room().give_back(reserved);
      }
      core.unlock_and_give_room({});
      throw;
    }
  }

 private:
  bool refuses_locked(Entry entry) const noexcept TOTO_REQUIRES(core_.mutex()) {
    return entry == Entry::hop ? core_.ledger().ended() : core_.ledger().closed();
  }
  /// One step of prepare(). Returns false if nothing is missing. Whatever has released the mutex, everything is checked
  /// again.
  /// Throws, with the mutex held: as prepare().
  bool prepare_further_locked(Entry entry, bool& reserved) TOTO_REQUIRES(core_.mutex()) {
    if (refuses_locked(entry)) {
      throw closed_error();
    }
    if (entry == Entry::closure && !core_.order().closures().has_memory()) {
      core_.mutex().unlock();
      auto* const chunk = ClosureLine<Runtime>::Chunk::make();
      core_.mutex().lock();
      if (chunk == nullptr) {
        throw std::bad_alloc();
      }
      core_.order().closures().add_spare(chunk);
    } else if (core_.crew().secured() == 0) {
      secure_first_worker_locked(entry);
    } else if (entry == Entry::hop || reserved || core_.room().available(core_.order().tasks())) {
      return false;
    } else if (core_.options().overflow == Overflow::block && core_.this_worker() != nullptr) {
      return false;  // it would wait for itself
    } else {
      make_room_locked(reserved);
    }
    return true;
  }

  /// Starts the first thread, or waits for the adder that is starting it (I4).
  void secure_first_worker_locked(Entry entry) TOTO_REQUIRES(core_.mutex()) {
    Runtime::point("no worker is secured");
    core_.crew().promise();  // keeps the new worker from leaving before this adder has pushed
    std::exception_ptr failure;
    if (core_.crew().searching() || core_.crew().live() == core_.thread_count()) {  // somebody is starting one
      // Whatever ends this wait must change what the next step does; otherwise it would come here again.
      core_.changed().wait(core_.mutex(), [this, entry]() TOTO_REQUIRES(core_.mutex()) {
        return core_.crew().secured() > 0 || refuses_locked(entry) ||
               !(core_.crew().searching() || core_.crew().live() == core_.thread_count());
      });
    } else {
      core_.crew().begin_search();
      const auto choice = core_.crew().count_start();
      core_.mutex().unlock();
      failure = core_.functions().start_thread(core_, choice.worker, true);
      core_.mutex().lock();
    }
    core_.crew().keep_promise();
    if (failure && core_.crew().secured() == 0) {
      std::rethrow_exception(failure);
    }
  }

  /// The queue is full: makes room, or waits for some.
  /// Throws: QueueFull.
  void make_room_locked(bool& reserved) TOTO_REQUIRES(core_.mutex()) {
    if (core_.options().overflow == Overflow::reject) {
      throw QueueFull(detail::join({"toto: queue '", core_.name(), "' is full: ", Digits(core_.room().limit()),
                                    " task(s) are waiting for a thread"}));
    }
    if (core_.options().overflow == Overflow::block) {
      wait_for_room_locked((TimePoint::max)(), reserved);
      return;
    }
    ContinuationList tasks;
    const bool found = core_.order().take_oldest_task(tasks);
    core_.room()
        .reserve_beyond_limit();  // the task's room, before anybody who waits; beyond the bound if all is reserved
    reserved = true;
    if (found) {
      core_.discard_and_relock(tasks, tasks.empty() ? 1 : 0);
    }
  }

  /// Stands in line until there is room, the queue has closed, or the deadline has passed.
  void wait_for_room_locked(TimePoint deadline, bool& reserved) TOTO_REQUIRES(core_.mutex()) {
    if (ThreadContext<Runtime>::current().worker != nullptr) {
      core_.mutex().unlock();
      Core::run_local_here();
      core_.mutex().lock();
      reserved = !core_.ledger().closed() && core_.room().reserve(core_.order().tasks());
      if (core_.ledger().closed() || reserved) {
        return;
      }
    }
    LineThread<Runtime, RoomRequest> self(RoomRequest{});
    self.wait(core_.mutex(), core_.room().line(), deadline, [] {});
    reserved = self.request.granted;
  }

  TOTO_COLD QueueClosed closed_error() const {
    return QueueClosed(detail::join({"toto: queue '", core_.name(), "' is closed and takes no more tasks"}));
  }

  Core& core_;
};

}  // namespace toto::inline v0_1::detail

#endif  // TOTO_DETAIL_QUEUE_QUEUE_GATE_HPP
