// SPDX-License-Identifier: MIT
//
// covers: [R3][W6]
// only: posix
//
// main returns while named queues still have threads and work. They are drained, whatever state they are in; what
// takes too long is given up with a line on stderr; the exit code stays main's.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "support/scenarios.hpp"

using namespace std::chrono_literals;
using toto_tests::Evidence;

namespace {

std::string expect_count(const Evidence& evidence, int expected) {
  return evidence.count == expected
             ? ""
             : std::to_string(evidence.count) + " tasks ran instead of " + std::to_string(expected);
}
template <int kExpected>
std::string counted(const Evidence& evidence) {
  return expect_count(evidence, kExpected);
}

int with_idle_threads(Evidence& evidence) {
  toto::TaskQueue& queue = toto::TaskQueue::instance("idle", 2, toto::Duration::never());
  queue.yield_task([&] { ++evidence.count; }).get();
  return 3;
}

int with_a_busy_thread(Evidence& evidence) {
  std::latch begun(1);
  toto::TaskQueue::instance("busy").add_task([&] {
    Evidence& left = evidence;  // `begun` and main's other locals are gone when main returns
    begun.count_down();
    std::this_thread::sleep_for(100ms);
    ++left.count;
  });
  begun.wait();
  return 0;
}

int with_queued_tasks(Evidence& evidence) {
  for (const char* const name : {"first", "second"}) {
    toto::TaskQueue& queue = toto::TaskQueue::instance(name);
    queue.add_task([] { std::this_thread::sleep_for(20ms); });
    for (int i = 0; i < 500; ++i) {
      queue.add_task([&evidence] { ++evidence.count; });
    }
  }
  return 0;
}

int with_a_suspended_coroutine(Evidence& evidence) {
  struct Coroutine {
    static toto::Task<> sleep(Evidence& left) {
      co_await toto::sleep_for(50ms);
      ++left.count;
      co_await toto::sleep_for(50ms);
      ++left.count;
    }
  };
  toto::TaskQueue& queue = toto::TaskQueue::instance("sleepy");
  queue.add_task(&Coroutine::sleep, std::ref(evidence));
  while (queue.stats().suspended == 0) {
    std::this_thread::yield();
  }
  return 0;
}

int with_a_coroutine_between_two_queues(Evidence& evidence) {
  struct Coroutine {
    static toto::Task<> travel(Evidence& left) {
      auto handle = toto::TaskQueue::instance("there").yield_task([] {
        std::this_thread::sleep_for(50ms);
        return 1;
      });
      left.count += co_await handle;
    }
  };
  toto::TaskQueue& queue = toto::TaskQueue::instance("here");
  queue.add_task(&Coroutine::travel, std::ref(evidence));
  while (queue.stats().suspended == 0) {
    std::this_thread::yield();
  }
  return 0;
}

int with_tasks_that_add_tasks(Evidence& evidence) {
  toto::TaskQueue& queue = toto::TaskQueue::instance("adding");
  for (int i = 0; i < 10; ++i) {
    queue.add_task([&evidence] {
      std::this_thread::sleep_for(2ms);
      try {
        toto::TaskQueue::instance("adding").add_task([&evidence] { ++evidence.count; });
        ++evidence.other;
      } catch (const toto::QueueClosed&) {
      }
    });
  }
  return 0;
}

int with_a_task_that_never_ends(Evidence& evidence) {
  toto::TaskQueue::set_exit_limit(100ms);
  toto::TaskQueue::instance("endless").add_task([&evidence] {
    evidence.flag = true;
    for (;;) {
      std::this_thread::sleep_for(1h);
    }
  });
  while (!evidence.flag) {
    std::this_thread::yield();
  }
  std::freopen("/dev/null", "w", stderr);  // the line it writes is not for this test's log
  return 4;
}

int after_shutting_down(Evidence& evidence) {
  struct UsedByTasks {
    ~UsedByTasks() { alive = false; }
    bool alive = true;
  };
  static UsedByTasks used;  // NOLINT: destroyed before the named queues would be drained
  toto::TaskQueue& queue = toto::TaskQueue::instance("shut down");
  for (int i = 0; i < 100; ++i) {
    queue.add_task([&evidence] { evidence.count += used.alive ? 1 : 0; });
  }
  return toto::TaskQueue::shutdown_instances(5s) ? 0 : 1;
}

int with_an_accepted_call_of_a_wrapper(Evidence& evidence) {
  struct Slow {
    explicit Slow(Evidence& left) : evidence(left) {}
    void call() const {
      std::this_thread::sleep_for(5ms);
      ++evidence.count;
    }
    Evidence& evidence;
  };
  const toto::AwaitableInstance slow(Slow(evidence), "wrapped");
  for (int i = 0; i < 10; ++i) {
    slow(&Slow::call).detach();
  }
  return 0;
}

int a_reference_from_the_registry_in_a_static_destructor(Evidence& evidence) {
  struct Late {
    explicit Late(toto::TaskQueue& q, Evidence& left) : queue(q), evidence(left) {}
    ~Late() {
      evidence.flag = queue.name() == "kept" && queue.stats().queued == 0 && toto::TaskQueue::find("kept") == &queue;
    }
    toto::TaskQueue& queue;
    Evidence& evidence;
  };
  // Destroyed after the drain: it is older than the first named queue.
  static std::unique_ptr<Late> late;
  toto::TaskQueue& queue = toto::TaskQueue::instance("kept");
  late = std::make_unique<Late>(queue, evidence);
  queue.add_task([&evidence] { ++evidence.count; });
  return 0;
}

int an_error_while_draining(Evidence& evidence) {
  toto::TaskQueue& queue = toto::TaskQueue::instance("failing");
  queue.on_error([&evidence](const std::exception_ptr&, const toto::TaskInfo&) { ++evidence.other; });
  for (int i = 0; i < 10; ++i) {
    queue.add_task([&evidence] {
      std::this_thread::sleep_for(1ms);
      ++evidence.count;
      throw std::runtime_error("on purpose");
    });
  }
  return 0;
}

int a_handle_that_is_left_behind(Evidence& evidence) {
  static toto::TaskHandle<int> handle;  // destroyed after everything
  handle = toto::TaskQueue::instance("handle").yield_task([&evidence] { return ++evidence.count; });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto flagged = [](const Evidence& evidence) -> std::string {
    return evidence.flag ? expect_count(evidence, 1) : "the reference was not good";
  };
  return toto_tests::run_scenarios(
      {
          {"with idle threads", &with_idle_threads, 3, &counted<1>},
          {"with a busy thread", &with_a_busy_thread, 0, &counted<1>},
          {"with queued tasks", &with_queued_tasks, 0, &counted<1000>},
          {"with a suspended coroutine", &with_a_suspended_coroutine, 0, &counted<2>},
          {"with a coroutine between two queues", &with_a_coroutine_between_two_queues, 0, &counted<1>},
          {"with tasks that add tasks", &with_tasks_that_add_tasks, 0,
           [](const Evidence& evidence) { return expect_count(evidence, evidence.other); }},
          {"with a task that never ends", &with_a_task_that_never_ends, 4},
          {"after shutting the named queues down", &after_shutting_down, 0, &counted<100>},
          {"with calls of a wrapper", &with_an_accepted_call_of_a_wrapper, 0, &counted<10>},
          {"a reference from the registry in a static destructor",
           &a_reference_from_the_registry_in_a_static_destructor, 0, flagged},
          {"an error while draining", &an_error_while_draining, 0,
           [](const Evidence& evidence) {
             return evidence.other == 10 ? expect_count(evidence, 10) : "a hook was not called";
           }},
          {"a handle that is left behind", &a_handle_that_is_left_behind, 0, &counted<1>},
      },
      argc, argv);
}
