// SPDX-License-Identifier: MIT
//
// A library that is loaded and unloaded, uses the library, and hides its symbols: so it has a registry and a thread of
// the timers of its own.

#include "plugin.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <toto/tasks.hpp>

using namespace std::chrono_literals;

namespace {

toto::TaskQueue& queue() {
  return toto::TaskQueue::instance("of the plugin");
}

int add_up() {
  int sum = 0;
  for (int i = 0; i < 100; ++i) {
    sum += queue().yield_task([i] { return i; }).get();
  }
  return sum;
}

toto::Task<> sleep_twice(std::atomic<int>& slept) {
  for (int i = 0; i < 2; ++i) {
    co_await toto::sleep_for(100ms);
    ++slept;
  }
}

/// While the library is being loaded, the loader is locked.
const int sum_while_loading = add_up();

}  // namespace

extern "C" {

int use_while_loading() {
  return sum_while_loading;
}
int use() {
  return add_up();
}
void start_slow_task(int milliseconds, std::atomic<int>* done) {
  queue().add_task([milliseconds, done] {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    // While the library is being unloaded a thread is started, and states of tasks are made and freed.
    toto::TaskQueue inner;
    done->fetch_add(inner.yield_task([] { return 1; }).get());
  });
}
void start_sleeping(std::atomic<int>* slept) {
  queue().add_task(&sleep_twice, std::ref(*slept));
}
void set_exit_limit(int milliseconds) {
  toto::TaskQueue::set_exit_limit(std::chrono::milliseconds(milliseconds));
}
bool shutdown(int milliseconds) {
  return toto::TaskQueue::shutdown_instances(std::chrono::milliseconds(milliseconds));
}

}  // extern "C"
