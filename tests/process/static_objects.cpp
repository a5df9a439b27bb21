// SPDX-License-Identifier: MIT
//
// covers: [R4][R6]
// only: posix
//
// Queues with static and thread storage, and static destructors that use named queues: before the drain, after it,
// and for a name that nobody has used before. Every add runs or throws QueueClosed; nothing crashes or hangs.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>

#include "support/scenarios.hpp"

using namespace std::chrono_literals;
using toto_tests::Evidence;

namespace {

/// Adds `kTasks` tasks to a named queue when it is destroyed: count is how many ran, other how many were accepted,
/// flag that it was tried.
struct AddsAtItsEnd {
  static constexpr int kTasks = 20;
  AddsAtItsEnd(const char* queue_name, Evidence& left) : name(queue_name), evidence(left) {}
  ~AddsAtItsEnd() {
    evidence.flag = true;
    for (int i = 0; i < kTasks; ++i) {
      try {
        toto::TaskQueue::instance(name).add_task([&left = evidence] {
          std::this_thread::sleep_for(1ms);
          ++left.count;
        });
        ++evidence.other;
      } catch (const toto::QueueClosed&) {
      }
    }
  }
  const char* name;
  Evidence& evidence;
};

int adds_before_the_drain(Evidence& evidence) {
  toto::TaskQueue::instance("named").yield_task([] {}).get();
  static const AddsAtItsEnd younger("named", evidence);  // than the queue: destroyed first
  return 0;
}

int adds_after_the_drain(Evidence& evidence) {
  static const AddsAtItsEnd older("named", evidence);
  toto::TaskQueue::instance("named").yield_task([] {}).get();
  return 0;
}

int adds_to_a_new_name_after_the_drain(Evidence& evidence) {
  static const AddsAtItsEnd older("never used before", evidence);
  toto::TaskQueue::instance("named").yield_task([] {}).get();
  return 0;
}

int first_use_of_the_registry_in_a_static_destructor(Evidence& evidence) {
  static const AddsAtItsEnd only("named", evidence);
  return 0;
}

int awaits_after_the_drain(Evidence& evidence) {
  struct Awaits {
    explicit Awaits(Evidence& left) : evidence(left) {}
    ~Awaits() {
      evidence.flag = true;
      try {
        evidence.count = toto::TaskQueue::instance("named").yield_task([] { return 1; }).get();
        evidence.other = 1;
      } catch (const toto::QueueClosed&) {
      }
    }
    Evidence& evidence;
  };
  static const Awaits older(evidence);
  toto::TaskQueue::instance("named").yield_task([] {}).get();
  return 0;
}

toto::Task<> sleep_and_count(Evidence& evidence) {
  co_await toto::sleep_for(30ms);
  ++evidence.count;
}

void fill(toto::TaskQueue& queue, Evidence& evidence) {
  queue.add_task([] { std::this_thread::sleep_for(10ms); });
  for (int i = 0; i < AddsAtItsEnd::kTasks; ++i) {
    queue.add_task([&evidence] { ++evidence.count; });
  }
  evidence.other = AddsAtItsEnd::kTasks;
  evidence.flag = true;
}

int function_local_static_queue(Evidence& evidence) {
  static toto::TaskQueue queue(2);
  fill(queue, evidence);
  return 0;
}

int static_queue_with_a_sleeping_coroutine(Evidence& evidence) {
  static toto::TaskQueue queue;  // older than the first timer
  queue.add_task(&sleep_and_count, std::ref(evidence));
  while (queue.stats().suspended == 0) {
    std::this_thread::yield();
  }
  evidence.other = 1;
  evidence.flag = true;
  return 0;
}

int static_queue_whose_tasks_use_a_named_queue(Evidence& evidence) {
  static toto::TaskQueue queue;  // older than the named one: destroyed after the drain
  toto::TaskQueue::instance("named").yield_task([] {}).get();
  queue.add_task([&evidence] {
    std::this_thread::sleep_for(30ms);
    evidence.flag = true;
    try {
      auto handle = toto::TaskQueue::instance("named").yield_task([&evidence] { ++evidence.count; });
      ++evidence.other;
      handle.get();
    } catch (const toto::QueueClosed&) {
    }
  });
  return 0;
}

int thread_local_queue_of_main(Evidence& evidence) {
  thread_local toto::TaskQueue queue(2);
  fill(queue, evidence);
  return 0;
}

int thread_local_queue_of_a_thread(Evidence& evidence) {
  std::thread thread([&] {
    thread_local toto::TaskQueue queue;
    fill(queue, evidence);
  });
  thread.join();
  return evidence.count == AddsAtItsEnd::kTasks ? 0 : 1;  // drained before join returned
}

int thread_local_queue_of_a_worker(Evidence& evidence) {
  toto::TaskQueue outer(1, 0ms);
  outer
      .yield_task([&] {
        thread_local toto::TaskQueue inner;
        inner.add_task([owner = std::make_unique<int>(1)] { static_cast<void>(owner); });
        fill(inner, evidence);
      })
      .get();
  return 0;
}

int thread_local_queue_of_a_named_queues_worker(Evidence& evidence) {
  toto::TaskQueue::instance("outer")
      .yield_task([&] {
        thread_local toto::TaskQueue inner;
        fill(inner, evidence);
      })
      .get();
  return 0;
}

int static_wrapper(Evidence& evidence) {
  struct Object {
    void call(Evidence& left) const {
      std::this_thread::sleep_for(1ms);
      ++left.count;
    }
  };
  static toto::TaskQueue queue(2);
  static const toto::AwaitableInstance wrapper(Object{}, queue);
  for (int i = 0; i < AddsAtItsEnd::kTasks; ++i) {
    wrapper(&Object::call, std::ref(evidence)).detach();
  }
  evidence.other = AddsAtItsEnd::kTasks;
  evidence.flag = true;
  return 0;
}

std::string all_accepted_ran(const Evidence& evidence) {
  if (!evidence.flag) {
    return "was not tried";
  }
  return evidence.count == evidence.other
             ? ""
             : std::to_string(evidence.other) + " were accepted, and " + std::to_string(evidence.count) + " ran";
}
std::string all_ran(const Evidence& evidence) {
  return evidence.count == AddsAtItsEnd::kTasks ? all_accepted_ran(evidence) : std::to_string(evidence.count) + " ran";
}

}  // namespace

int main(int argc, char** argv) {
  return toto_tests::run_scenarios(
      {
          {"a static destructor adds before the drain", &adds_before_the_drain, 0, &all_ran},
          {"a static destructor adds after the drain", &adds_after_the_drain, 0, &all_accepted_ran},
          {"a static destructor adds to a new name after the drain", &adds_to_a_new_name_after_the_drain, 0,
           &all_accepted_ran},
          {"the registry is first used in a static destructor", &first_use_of_the_registry_in_a_static_destructor, 0,
           &all_accepted_ran},
          {"a static destructor waits for a task after the drain", &awaits_after_the_drain, 0, &all_accepted_ran},
          {"a queue that is a local static", &function_local_static_queue, 0, &all_ran},
          {"a static queue with a sleeping coroutine", &static_queue_with_a_sleeping_coroutine, 0, &all_accepted_ran},
          {"a static queue whose tasks use a named queue", &static_queue_whose_tasks_use_a_named_queue, 0,
           &all_accepted_ran},
          {"a thread_local queue of the main thread", &thread_local_queue_of_main, 0, &all_ran},
          {"a thread_local queue of another thread", &thread_local_queue_of_a_thread, 0, &all_ran},
          {"a thread_local queue of a worker", &thread_local_queue_of_a_worker, 0, &all_ran},
          {"a thread_local queue of a named queue's worker", &thread_local_queue_of_a_named_queues_worker, 0, &all_ran},
          {"a static wrapper", &static_wrapper, 0, &all_ran},
      },
      argc, argv);
}
