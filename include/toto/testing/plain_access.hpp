// SPDX-License-Identifier: MIT
//
// How a program reports its non-atomic memory accesses to the simulator, so that Memory::weak also finds data races: by
// hand, or through the calls that a compiler inserts for ThreadSanitizer (docs/simulation.md). Read next:
// plain_data.hpp.

#ifndef TOTO_TESTING_PLAIN_ACCESS_HPP
#define TOTO_TESTING_PLAIN_ACCESS_HPP

#include <cstddef>
#include <cstdint>
#include <string>

#include "plain_data.hpp"
#include "scheduler.hpp"

namespace toto::inline v0_1::testing {

namespace detail {

/// The scheduler, if an access is to be recorded: not if it is an observer's, or the simulator's own.
inline Scheduler* recording_scheduler() noexcept {
  Scheduler* const scheduler = Scheduler::current();
  return scheduler != nullptr && scheduler->memory().weak() && !scheduler->quiet() ? scheduler : nullptr;
}

inline PlainData::Access present_access(Scheduler& scheduler, PlainData::Kind kind, std::uint32_t place) noexcept {
  const std::uint32_t thread = scheduler.running().number;
  return {scheduler.memory().epoch(thread), static_cast<std::uint16_t>(thread), 0, kind, place};
}

inline void record_access(Scheduler& scheduler, const void* data, std::size_t size, PlainData::Kind kind,
                          std::uint32_t place) noexcept {
  const Scheduler::Quiet quiet(scheduler);
  const auto on_stack = [&](const void* address) {
    for (const ThreadRecord* const thread : scheduler.threads().living()) {
      if (thread->fibre->holds(address)) {
        return true;
      }
    }
    return false;
  };
  const PlainData::Access rival = scheduler.plain_data().record(
      scheduler.memory(), data, size, detail::present_access(scheduler, kind, place), on_stack);
  if (rival.thread != 0) {
    const auto text = [](PlainData::Kind what, std::uint32_t where) {
      constexpr const char* words[] = {"reads", "writes", "allocates", "frees"};
      std::string said = words[static_cast<std::size_t>(what)];
      if (where != 0) {
        static constexpr char digits[] = "0123456789abcdef";
        said += " at 0x";
        for (int shift = 28; shift >= 0; shift -= 4) {
          said += digits[(where >> static_cast<unsigned>(shift)) & 15U];
        }
      }
      return said;
    };
    scheduler.fail("data race: it " + text(kind, place) + " memory that " + scheduler.threads().name_of(rival.thread) +
                   " " + text(rival.kind, rival.place) + ", and neither happens before the other");
  }
}

}  // namespace detail

/// Reports that memory is about to be read. Under Memory::weak, fails the schedule if another thread's write to one of
/// these bytes does not happen before this read. `place`, a position in the program, appears in the report.
///
/// Only memory on the stack of a simulated thread, or announced by plain_memory_made(), is checked. Does nothing
/// outside a simulation, in an observer, or with Memory::sequential.
inline void plain_read(const void* data, std::size_t size, std::uint32_t place = 0) noexcept {
  if (detail::Scheduler* const scheduler = detail::recording_scheduler()) {
    detail::record_access(*scheduler, data, size, detail::PlainData::Kind::read, place);
  }
}

/// The same for a write, which must not race with another thread's read, either.
inline void plain_write(const void* data, std::size_t size, std::uint32_t place = 0) noexcept {
  if (detail::Scheduler* const scheduler = detail::recording_scheduler()) {
    detail::record_access(*scheduler, data, size, detail::PlainData::Kind::write, place);
  }
}

/// For a test's own operator new: this memory has been allocated.
inline void plain_memory_made(const void* memory, std::size_t size, std::uint32_t place = 0) noexcept {
  if (detail::Scheduler* const scheduler = detail::recording_scheduler()) {
    const detail::Scheduler::Quiet quiet(*scheduler);
    scheduler->plain_data().watch(memory, size,
                                  detail::present_access(*scheduler, detail::PlainData::Kind::made, place));
  }
}

/// For a test's own operator delete: this memory is about to be freed. Returns true if the simulator takes it over and
/// will pass it to std::free when the schedule ends: until then, it detects each access to it.
[[nodiscard]] inline bool plain_memory_gone(void* memory, std::size_t size, std::uint32_t place = 0) noexcept {
  detail::Scheduler* const scheduler = detail::Scheduler::current();
  if (scheduler == nullptr) {
    return false;
  }
  const bool recorded = !scheduler->quiet();
  const detail::Scheduler::Quiet quiet(*scheduler);  // what follows may be compiled to report its own accesses
  if (!scheduler->plain_data().watched(memory)) {
    return false;
  }
  if (recorded) {
    detail::record_access(*scheduler, memory, size, detail::PlainData::Kind::gone, place);
  }
  scheduler->plain_data().keep(memory);
  return true;
}

}  // namespace toto::inline v0_1::testing

#endif  // TOTO_TESTING_PLAIN_ACCESS_HPP
