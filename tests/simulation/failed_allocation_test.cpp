// SPDX-License-Identifier: MIT
//
// Models of a program that is short of memory: any one allocation of the library fails, in any order of the threads.
// tests/faults lets each fail in turn, on real threads.
//
// not: address sanitizer, which has its own operators, and reports memory that is not released as it was allocated

#include <cstddef>
#include <cstdlib>
#include <new>
#include <system_error>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::testing::NoFaults;

namespace {

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (toto::testing::allocation_should_fail()) {
    throw std::bad_alloc();
  }
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (void* const memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded)) {
    return memory;
  }
  throw std::bad_alloc();
}

}  // namespace

// The other forms call these.
TOTO_NOINLINE void* operator new(std::size_t bytes) {
  return allocate(bytes, alignof(std::max_align_t));
}
TOTO_NOINLINE void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
}
TOTO_NOINLINE void operator delete(void* memory) noexcept {
  std::free(memory);
}
TOTO_NOINLINE void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
TOTO_NOINLINE void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
TOTO_NOINLINE void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

TEST_CASE("a task for which there is no memory is refused, and the others run", "[simulation][S7][S8][inv.I4]") {
  explore("allocations fail", {.failing_allocations = 1, .random_schedules = 8'000}, [](Simulation& sim) {
    const NoFaults prepared;
    Tally ran;
    Tally accepted;
    Tally living;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      const auto add = [&] {
        try {
          queue.add_task([&ran, capture = Counted(living)] { ++ran; });
          ++accepted;
        } catch (const std::bad_alloc&) {
        }
      };
      sim.run_threads({{"a", add}, {"b", add}});
    }
    require(ran == accepted && accepted >= 1 && living == 0, "what was accepted ran, and nothing is left");
  });
}

TEST_CASE("a coroutine gets its result or is told that there is no memory", "[simulation][S8][S9]") {
  explore("allocations of a coroutine fail", {.failing_allocations = 1, .random_schedules = 4'000},
          [](Simulation& sim) {
            const NoFaults prepared;
            Tally over;
            SimQueue queue(1, 5ms);
            const auto checks = watch(sim, queue);
            const auto both = [](SimQueue& on) -> toto::Task<int> {
              auto one = on.yield_task([] { return 1; });
              auto two = on.yield_task([]() -> toto::Task<int> {
                co_await toto::sleep_for<SimRuntime>(1ms);
                co_return 2;
              });
              const auto [first, second] = co_await toto::when_all(one, two);
              co_return first + second;
            };
            sim.run_threads({{"user", [&] {
                                try {
                                  SimLoop loop;
                                  require(loop.run_sync(both(queue)) == 3, "the results");
                                  ++over;
                                } catch (const std::bad_alloc&) {
                                  ++over;
                                }
                              }}});
            queue.wait_idle();
            require(over == 1, "either, once");
          });
}
