// SPDX-License-Identifier: MIT
//
// The event loop: one thread that runs coroutines, timers and what other threads post. Anything that lives on
// the loop needs no lock, because it is only ever touched by that one thread.

#include <chrono>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

using namespace std::chrono_literals;

// Two of these take turns on one thread: while one sleeps, the other runs.
toto::Task<> count(std::vector<std::string>& log, std::string name, toto::Duration pause) {
  for (int i = 1; i <= 2; ++i) {
    co_await toto::sleep_for(pause);
    log.push_back(name + std::to_string(i));
  }
}

toto::Task<int> answer() {
  co_await toto::sleep_for(1ms);
  co_return 42;
}

int main() {
  std::vector<std::string> log;
  toto::EventLoop loop;

  // run() returns when nothing is left: no coroutine, no posted function, no timer.
  loop.spawn(count(log, "a", 40ms));  // at 40 and 80
  loop.spawn(count(log, "b", 60ms));  // at 60 and 120
  loop.call_later(100ms, [&] { log.push_back("timer"); });
  loop.post([&] { log.push_back("posted"); });  // as soon as the loop runs
  loop.run();
  expect(log == std::vector<std::string>{"posted", "a1", "b1", "a2", "timer", "b2"},
         "everything at its time");

  // Other threads reach the loop by post, which is thread-safe.
  std::thread::id where;
  std::thread outsider([&] {
    loop.post([&] {
      where = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.call_later(1h, [] {});  // something to wait for; stop() ends run() before
  loop.run();
  outsider.join();
  expect(where == std::this_thread::get_id(), "what another thread posts runs on the loop's thread");

  // run_sync drives the loop until one coroutine is done, and gives its result.
  expect(loop.run_sync(answer()) == 42, "run_sync gives the coroutine's result");
}
