// SPDX-License-Identifier: MIT
//
// An exception that leaves a resumed coroutine has nobody left to go to: the process ends through std::terminate. It
// neither vanishes nor takes the worker with it silently.
// covers: [F11]

#include <toto/tasks.hpp>

#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

/// A coroutine that no one awaits and that lets its exceptions out.
struct Detached {
  struct promise_type {
    static Detached get_return_object() noexcept { return {}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_never final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() { throw; }
  };
};

Detached wait_and_throw(toto::TaskQueue& queue) {
  co_await queue.yield_task([] {});
  co_await queue.schedule();  // from here on a worker, in any case
  throw std::runtime_error("out of a detached coroutine");
}

[[noreturn]] void terminated() {
  try {
    std::rethrow_exception(std::current_exception());
  } catch (const std::runtime_error& error) {
    if (toto::TaskQueue::current() != nullptr && error.what() == std::string("out of a detached coroutine")) {
      std::_Exit(0);
    }
    std::fprintf(stderr, "terminated for another reason: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "terminated for another reason\n");
  }
  std::_Exit(1);
}

}  // namespace

int main() {
  std::set_terminate(&terminated);
  toto::TaskQueue queue;
  wait_and_throw(queue);
  queue.wait_idle();
  queue.yield_task([] {}).get();
  std::fprintf(stderr, "the exception has vanished\n");
  return 1;
}
