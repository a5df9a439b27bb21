// SPDX-License-Identifier: MIT
//
// covers: [R5]
// only: posix
//
// The process ends from inside a task: exit, quick_exit, _Exit, abort. It never hangs, and exit() drains
// what else there is, without waiting for the thread that called it.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "support/coroutines.hpp"
#include "support/gate.hpp"
#include "support/scenarios.hpp"

using namespace std::chrono_literals;
using toto_tests::Evidence;

namespace {

[[noreturn]] void sleep_for_ever() {
  for (;;) {
    std::this_thread::sleep_for(1h);
  }
}

/// A drain that waits for the thread that called exit would take forever.
void wait_for_ever_at_exit() {
  toto::TaskQueue::set_exit_limit(toto::Duration::never());
}

int from_a_task_of_a_named_queue(Evidence& evidence) {
  wait_for_ever_at_exit();
  toto::TaskQueue& queue = toto::TaskQueue::instance("exits");
  queue.add_task([] {
    std::this_thread::sleep_for(20ms);
    std::exit(7);
  });
  for (int i = 0; i < 10; ++i) {
    queue.add_task([&evidence] { ++evidence.count; });  // behind it: run by another thread
  }
  sleep_for_ever();
}

int from_a_task_that_has_added_others(Evidence& evidence) {
  wait_for_ever_at_exit();
  toto::TaskQueue& queue = toto::TaskQueue::instance("exits");
  queue.add_task([&evidence, &queue] {
    for (int i = 0; i < 10; ++i) {
      queue.yield_task([&evidence] { ++evidence.count; }).detach();
    }
    std::exit(7);
  });
  sleep_for_ever();
}

int from_a_coroutine_task(Evidence&) {
  wait_for_ever_at_exit();
  struct Coroutine {
    static toto::Task<> leave(bool suspend_first) {
      if (suspend_first) {
        co_await toto::sleep_for(5ms);
      }
      std::exit(7);
    }
  };
  toto::TaskQueue::instance("exits").add_task(&Coroutine::leave, false);
  sleep_for_ever();
}

int from_a_resumed_coroutine_task(Evidence&) {
  wait_for_ever_at_exit();
  struct Coroutine {
    static toto::Task<> leave() {
      co_await toto::TaskQueue::instance("other").yield_task([] {});
      std::exit(7);
    }
  };
  toto::TaskQueue::instance("exits").add_task(&Coroutine::leave);
  sleep_for_ever();
}

int from_a_coroutine_on_another_queue(Evidence&) {
  // The library cannot know that this is the coroutine which the other queue still waits for: that takes as long as it
  // is given.
  toto::TaskQueue::set_exit_limit(100ms);
  struct Coroutine {
    static toto::Task<> leave() {
      co_await toto::TaskQueue::instance("other").schedule();
      std::exit(7);
    }
  };
  toto::TaskQueue::instance("exits").add_task(&Coroutine::leave);
  sleep_for_ever();
}

int from_a_call_of_a_wrapper(Evidence&) {
  wait_for_ever_at_exit();
  static const toto::AwaitableInstance wrapper(std::make_unique<int>(1), "exits");
  toto_tests::Gate waiting_is_queued;  // from then on nobody uses the wrapper, which exit() destroys
  wrapper([&waiting_is_queued](int&) {
    waiting_is_queued.wait();
    std::exit(7);
  }).detach();
  wrapper([](int& value) { return value; }).detach();
  waiting_is_queued.open();
  sleep_for_ever();
}

int from_a_task_of_a_local_queue(Evidence& evidence) {
  toto::TaskQueue& named = toto::TaskQueue::instance("drained");
  named.add_task([&evidence] {
    std::this_thread::sleep_for(50ms);
    ++evidence.count;
  });
  toto::TaskQueue local;
  local.add_task([] { std::exit(7); });
  local.wait_idle();  // forever: it is never idle again
  sleep_for_ever();
}

int from_a_task_of_a_static_queue(Evidence& evidence) {
  static toto::TaskQueue queue(2);
  queue.add_task([&evidence] {
    std::this_thread::sleep_for(50ms);
    ++evidence.count;
  });
  queue.add_task([] { std::exit(7); });  // destroys the queue that this task runs on
  sleep_for_ever();
}

int from_a_task_of_a_static_queue_with_one_thread(Evidence&) {
  static toto::TaskQueue queue;
  queue.add_task([] { std::exit(7); });
  sleep_for_ever();
}

int from_a_task_that_another_one_waits_for(Evidence&) {
  toto::TaskQueue& first = toto::TaskQueue::instance("waits");
  toto::TaskQueue& second = toto::TaskQueue::instance("exits");
  toto::TaskQueue::set_exit_limit(200ms);  // the other one can never end
  first.add_task([&second] {
    auto handle = second.yield_task([] {
      std::this_thread::sleep_for(20ms);
      std::freopen("/dev/null", "w", stderr);
      std::exit(7);
    });
    handle.wait();
  });
  sleep_for_ever();
}

int from_the_thread_of_the_timers(Evidence&) {
  // A coroutine whose loop is gone continues on the timer thread.
  {
    toto::EventLoop loop;
    struct Coroutine {
      static toto_tests::FireAndForget leave() {
        co_await toto::sleep_for(20ms);
        std::exit(7);
      }
    };
    loop.post([] { Coroutine::leave(); });
    loop.post([&loop] { loop.stop(); });
    loop.run();
  }
  sleep_for_ever();
}

int from_an_event_loop(Evidence& evidence) {
  toto::TaskQueue::instance("drained").add_task([&evidence] {
    std::this_thread::sleep_for(30ms);
    ++evidence.count;
  });
  toto::EventLoop loop;
  loop.post([] { std::exit(7); });
  loop.run();
  return 0;
}

int quick_exit_from_a_task(Evidence&) {
  toto::TaskQueue& queue = toto::TaskQueue::instance("exits", 2);
  queue.add_task([] { sleep_for_ever(); });
  queue.add_task([] { std::quick_exit(7); });
  sleep_for_ever();
}

int underscore_exit_from_a_task(Evidence&) {
  toto::TaskQueue& queue = toto::TaskQueue::instance("exits", 2);
  queue.add_task([] { sleep_for_ever(); });
  queue.add_task([] { std::_Exit(7); });
  sleep_for_ever();
}

int abort_from_a_task(Evidence&) {
  toto::TaskQueue& queue = toto::TaskQueue::instance("exits", 2);
  queue.add_task([] { sleep_for_ever(); });
  queue.add_task([] { std::abort(); });
  sleep_for_ever();
}

std::string ten(const Evidence& evidence) {
  return evidence.count == 10 ? "" : "the others did not run";
}
std::string one(const Evidence& evidence) {
  return evidence.count == 1 ? "" : "the other one did not run";
}

}  // namespace

int main(int argc, char** argv) {
  return toto_tests::run_scenarios(
      {
          {"exit from a task of a named queue", &from_a_task_of_a_named_queue, 7, &ten},
          {"exit from a task that has added others", &from_a_task_that_has_added_others, 7, &ten},
          {"exit from a coroutine task", &from_a_coroutine_task, 7},
          {"exit from a resumed coroutine task", &from_a_resumed_coroutine_task, 7},
          {"exit from a coroutine task on another queue", &from_a_coroutine_on_another_queue, 7},
          {"exit from a call of a wrapper", &from_a_call_of_a_wrapper, 7},
          {"exit from a task of a local queue", &from_a_task_of_a_local_queue, 7, &one},
          {"exit from a task of a static queue", &from_a_task_of_a_static_queue, 7, &one},
          {"exit from a task of a static queue with one thread", &from_a_task_of_a_static_queue_with_one_thread, 7},
          {"exit from a task that another one waits for", &from_a_task_that_another_one_waits_for, 7},
          {"exit from the thread of the timers", &from_the_thread_of_the_timers, 7},
          {"exit from an event loop", &from_an_event_loop, 7, &one},
          {"quick_exit from a task", &quick_exit_from_a_task, 7},
          {"_Exit from a task", &underscore_exit_from_a_task, 7},
          {"abort from a task", &abort_from_a_task, -SIGABRT},
      },
      argc, argv);
}
