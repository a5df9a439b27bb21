// SPDX-License-Identifier: MIT
//
// The flag behind interrupted(): one lock-free atomic, which a signal handler may write.

#include "interrupt.hpp"

#include <atomic>
#include <csignal>

namespace catalog {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int) {
  flag.store(true, std::memory_order_relaxed);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = &on_signal;
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);  // reset: the second one kills
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() noexcept {
  return flag.load(std::memory_order_relaxed);
}

void interrupt() noexcept {
  flag.store(true, std::memory_order_relaxed);
}

}  // namespace catalog
