// SPDX-License-Identifier: MIT
//
// A task that promises not to throw and does ends the process through std::terminate, as the language says: the queue
// does not get between.
// covers: [F9]

#include <toto/tasks.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

namespace {

void fail() {
  throw std::runtime_error("in spite of noexcept");
}

[[noreturn]] void terminated() {
  // On the worker, with the exception in flight, like anywhere else.
  const bool on_worker = toto::TaskQueue::current() != nullptr;
  const bool in_flight = std::current_exception() != nullptr;
  if (!on_worker || !in_flight) {
    std::fprintf(stderr, "terminated, but on_worker=%d in_flight=%d\n", on_worker, in_flight);
    std::_Exit(1);
  }
  std::_Exit(0);
}

}  // namespace

int main() {
  std::set_terminate(&terminated);
  toto::TaskQueue queue;
  queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) {
    std::fprintf(stderr, "on_error was called\n");
    std::_Exit(1);
  });
  auto handle = queue.yield_task([]() noexcept { fail(); });
  try {
    handle.get();
  } catch (...) {
    std::fprintf(stderr, "the exception came out of get()\n");
  }
  return 1;
}
