// SPDX-License-Identifier: MIT
//
// covers: [B15]
// only: posix
//
// The time of day jumps by an hour, back and forth, whenever it is read. The library never reads it, and its threads,
// sleepers, limits and timers keep their time.

#include <cstdio>

#if defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <string>
#include <toto/tasks.hpp>

#include "support/eventually.hpp"
#include "support/expect.hpp"

using namespace std::chrono_literals;
using toto_tests::eventually;
using namespace toto_tests;

namespace {

std::atomic<long> asked{0};

/// Whether what is to take that long takes about as long.
template <class Function>
bool takes(std::chrono::milliseconds length, Function function) {
  const auto begin = std::chrono::steady_clock::now();
  function();
  const auto took = std::chrono::steady_clock::now() - begin;
  return took >= length && took < length + toto_tests::kPatience;
}

}  // namespace

// In the program, so that the C++ library finds it instead of the C library's. What waits in the kernel until some time
// says there which clock it means: futex.hpp.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto result = static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  if (result == 0 && clock == CLOCK_REALTIME) {
    time->tv_sec += ++asked % 2 == 0 ? 3600 : -3600;
  }
  return result;
}

int main() {
  const auto before = std::chrono::system_clock::now();
  const auto after = std::chrono::system_clock::now();
  expect(after - before > 30min || before - after > 30min, "the time of day jumps");
  const long asked_by_test = asked;

  toto::TaskQueue queue({.thread_count = 2, .idle_timeout = 30ms});
  expect(takes(30ms,
               [&] {
                 queue.add_task([] {});
                 expect(eventually([&] { return queue.size() == 0; }), "an idle thread leaves");
               }),
         "... at its time");
  queue.yield_task([] {}).get();
  expect(takes(20ms, [&] { queue.yield_task([]() -> toto::Task<> { co_await toto::sleep_for(20ms); }).get(); }),
         "a coroutine sleeps as long as it wants");
  std::atomic<bool> over{false};
  auto handle = queue.yield_task([&] { eventually([&] { return over.load(); }); });
  expect(takes(20ms, [&] { expect(!handle.wait_for(20ms), "a wait with a limit ends"); }), "... at its time");
  over = true;
  handle.get();
  std::atomic<int> calls{0};
  expect(takes(15ms,
               [&] {
                 auto timer = queue.add_task_every(5ms, [&calls] { ++calls; });
                 expect(eventually([&] { return calls >= 3; }), "a timer calls");
               }),
         "... each time after its period");
  expect(asked == asked_by_test, "nobody has asked for the time of day");
  return failures == 0 ? 0 : 1;
}

#else

int main() {
  std::puts("skipped: the C library's clock is replaced on Linux only");
}

#endif
