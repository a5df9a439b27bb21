// SPDX-License-Identifier: MIT
//
// What a simulated thread does with threads and time: start, join, detach, sleep. Read next: sim_runtime.hpp.

#ifndef TOTO_TESTING_THREAD_OPERATIONS_HPP
#define TOTO_TESTING_THREAD_OPERATIONS_HPP

#include <cstdint>
#include <system_error>

#include "scheduler.hpp"

namespace toto::inline v0_1::testing::detail {

/// Throws: std::system_error if the next start is to fail.
inline void maybe_refuse_start(Scheduler& scheduler) {
  FaultsLeft& faults = scheduler.faults();
  if (faults.planned.refuse(++faults.starts_seen) || scheduler.choose_fault(faults.starts)) {
    scheduler.step({.operation = Operation::start, .outcome = Outcome::refused});
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again), "SimRuntime::Thread");
  }
}

inline void join(Scheduler& scheduler, std::uint32_t thread) noexcept {
  ThreadRecord& other = scheduler.threads()[thread];
  if (&other == &scheduler.running()) {
    scheduler.fail("a thread tried to join itself");
  }
  if (other.alive != 0) {
    scheduler.block({.kind = Wait::Kind::thread, .word = &other.alive, .object = thread}, "join a thread");
  }
  other.disowned = true;
  if (scheduler.memory().weak()) {
    scheduler.memory().join(scheduler.running().number, thread);
  }
  scheduler.step({.operation = Operation::join, .object = thread});
}

inline void detach(Scheduler& scheduler, std::uint32_t thread) noexcept {
  scheduler.threads()[thread].disowned = true;
  scheduler.step({.operation = Operation::detach, .object = thread});
}

inline void sleep_until(Scheduler& scheduler, TimePoint deadline) noexcept {
  static constexpr std::uint32_t never_set = 0;
  if (deadline > scheduler.now()) {
    scheduler.block({.kind = Wait::Kind::sleep, .word = &never_set, .until_set = true, .deadline = deadline}, "sleep");
  }
  scheduler.step({.operation = Operation::sleep});
}

/// Returns when the running thread is the only one left; fails if one of the others still has an owner.
inline void wait_for_others(Scheduler& scheduler) noexcept {
  const ThreadList& threads = scheduler.threads();
  if (threads.others() != 0) {
    scheduler.block({.kind = Wait::Kind::others, .word = &threads.others()}, "let all others end");
  }
  for (const auto& thread : threads.all()) {
    if (!thread->disowned && thread.get() != &scheduler.running()) {
      scheduler.fail("leaked thread: " + threads.name_of(thread->number) +
                     " has ended, but was neither joined nor detached");
    }
    if (scheduler.memory().weak()) {
      scheduler.memory().join(scheduler.running().number, thread->number);
    }
  }
}

}  // namespace toto::inline v0_1::testing::detail

#endif  // TOTO_TESTING_THREAD_OPERATIONS_HPP
