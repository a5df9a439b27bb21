// SPDX-License-Identifier: MIT
//
// Run tasks later: add_task_after and add_task_every of a queue, post_after and post_every of an event loop. They
// return a Timer, which stops the calls to come when it is stopped or destroyed.

#include <chrono>
#include <latch>
#include <thread>
#include <toto/tasks.hpp>

#include "expect.hpp"

using namespace std::chrono_literals;

void of_a_queue() {
  std::latch once(1);
  std::latch thrice(3);
  int flushes = 0;
  toto::TaskQueue queue({.name = "housekeeping"});

  const auto start = std::chrono::steady_clock::now();
  queue.add_task_after(20ms, [&] { once.count_down(); }).detach();  // cannot be stopped any more
  once.wait();
  expect(std::chrono::steady_clock::now() - start >= 20ms, "a task after a delay");

  toto::Timer flushing = queue.add_task_every(1ms, [&] {
    if (++flushes <= 3) {
      thrice.count_down();
    }
  });
  thrice.wait();
  flushing.stop();
  queue.wait_idle();  // a call that was running has ended, and no other begins
  expect(flushes >= 3 && !flushing.active(), "and one after each period, until it is stopped");

  {
    const toto::Timer never = queue.add_task_after(1h, [&] { flushes = 0; });
    expect(never.active() && queue.size() <= 1, "a timer is not a task of the queue until its time has come");
  }
  expect(flushes != 0, "a timer that is destroyed before never fires");
}

void of_a_loop() {
  toto::EventLoop loop;
  int ticks = 0;
  toto::Timer ticking;
  ticking = loop.post_every(1ms, [&] {
    if (++ticks == 3) {
      ticking.stop();  // in the function itself, too
    }
  });
  const std::thread::id here = std::this_thread::get_id();
  bool on_this_thread = false;
  toto::Timer later = loop.post_after(5ms, [&] { on_this_thread = std::this_thread::get_id() == here; });
  loop.run();  // until no timer is left
  expect(ticks == 3 && on_this_thread, "a loop's timers are called on its thread, and keep it running");
}

int main() {
  of_a_queue();
  of_a_loop();
}
