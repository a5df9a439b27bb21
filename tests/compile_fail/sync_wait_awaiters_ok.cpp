// SPDX-License-Identifier: MIT
//
// sync_wait and run_sync take whatever co_await takes, what cannot be moved among it.

#include <toto/tasks.hpp>

#include <chrono>
#include <coroutine>

struct Immovable {
  Immovable() = default;
  Immovable(const Immovable&) = delete;
  bool await_ready() const { return true; }
  void await_suspend(std::coroutine_handle<>) const {}
  int await_resume() const { return 1; }
};

int use(toto::TaskQueue& queue, toto::EventLoop& loop) {
  toto::sync_wait(toto::sleep_for(std::chrono::milliseconds(1)));
  toto::sync_wait(queue.schedule());
  loop.run_sync(toto::sleep_for(std::chrono::milliseconds(1)));
  return toto::sync_wait(Immovable());
}
