// SPDX-License-Identifier: MIT
//
// Four waits of half a second, each of another kind, take no processor time and do not end early. Where the system's
// call and the C library differ about what a time looks like, a wait returns at once, again and again.

#include <chrono>
#include <cstdio>
#include <ctime>
#include <toto/tasks.hpp>

#include "support/expect.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;

namespace {

constexpr auto kWait = 500ms;

template <class Wait>
void measure(const char* name, Wait wait) {
  std::printf("%s\n", name);
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t used = std::clock();  // of the process
  wait();
  const double seconds = static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("        %.3f s, of which %.3f s of processor time\n", took.count(), seconds);
  expect(took >= kWait, "it does not end early");
  expect(seconds < 0.05, "it takes no processor time");
}

toto::Task<> sleep_once() {
  co_await toto::sleep_for(kWait);
}

}  // namespace

int main() {
  toto::TaskQueue queue;
  toto::EventLoop gate;
  auto open = gate.post_after(1h, [] {});  // the loop has something to wait for
  auto busy = queue.yield_task([&gate] { gate.run(); });

  measure("a thread waits for a task", [&] { expect(!busy.wait_for(kWait), "the task is not over"); });
  measure("a thread waits for a queue", [&] { expect(!queue.wait_idle_for(kWait), "the queue is not idle"); });
  measure("a loop waits for its timer", [] { toto::sync_wait(sleep_once()); });
  open.stop();
  busy.get();
  measure("the thread of the timers waits for a coroutine of a queue", [&] { queue.yield_task(&sleep_once).get(); });
  return failures == 0 ? 0 : 1;
}
