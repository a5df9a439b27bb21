// SPDX-License-Identifier: MIT
//
// The event loop: one thread that runs coroutines, timers and functions posted by other threads. Data that belongs
// to the loop needs no lock, because only that thread touches it.

#include <chrono>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <vector>

#include "expect.hpp"

using namespace std::chrono_literals;

// Any number of these take turns on one thread: while one sleeps, the others run.
toto::Task<> note_after(toto::Duration delay, std::vector<std::string>& log, std::string word) {
  co_await toto::sleep_for(delay);
  log.push_back(word);
}

toto::Task<int> answer() {
  co_await toto::sleep_for(1ms);
  co_return 42;
}

int main() {
  std::vector<std::string> log;
  toto::EventLoop loop;

  // run() returns when no coroutine, posted function or timer is left.
  loop.spawn(note_after(100ms, log, "third"));
  loop.spawn(note_after(50ms, log, "second"));
  loop.call_later(150ms, [&] { log.push_back("fourth"); });
  loop.post([&] { log.push_back("first"); });
  loop.run();
  expect(log == std::vector<std::string>{"first", "second", "third", "fourth"}, "everything when it is due");

  // Other threads reach the loop with post, which is thread-safe.
  std::thread::id where;
  std::thread outsider([&] {
    loop.post([&] {
      where = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.call_later(1h, [] {});  // keeps run() waiting; stop() ends it before
  loop.run();
  outsider.join();
  expect(where == std::this_thread::get_id(), "a function posted by another thread runs on the loop's thread");

  // run_sync runs the loop until one coroutine has ended, and returns its result.
  expect(loop.run_sync(answer()) == 42, "run_sync returns the coroutine's result");
}
