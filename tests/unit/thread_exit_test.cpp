// SPDX-License-Identifier: MIT
//
// What a worker's thread-locals may do in their destructors, which run after the worker has left its queue.

#include <toto/tasks.hpp>

#include <chrono>
#include <memory>
#include <utility>

#include "support/catch.hpp"
#include "support/eventually.hpp"
#include "support/gate.hpp"
#include "support/process_info.hpp"

using namespace std::chrono_literals;
using toto::TaskQueue;
using toto_tests::Arrivals;
using toto_tests::eventually;
using toto_tests::Gate;
using toto_tests::kPatience;

namespace {

/// Adds a task when its thread ends: after the worker has left its queue.
struct AddsAtThreadExit {
  TaskQueue* queue = nullptr;
  Arrivals* ran = nullptr;
  ~AddsAtThreadExit() {
    if (queue != nullptr) {
      queue->add_task([ran = ran] { ran->arrive(); });
    }
  }
};
thread_local AddsAtThreadExit adds_at_thread_exit;

}  // namespace

TEST_CASE("a thread-local of an expired worker may add a task in its destructor", "[task_queue][B13]") {
  for (int round = 0; round < 200; ++round) {
    Gate gate;
    Arrivals ran;
    TaskQueue queue(2, 0s, "b13");
    queue.add_task([&gate] { gate.wait(); });  // a second worker: the queue is never without one
    queue.add_task([&] {
      adds_at_thread_exit.queue = &queue;
      adds_at_thread_exit.ran = &ran;
    });
    REQUIRE(ran.wait_for(1));
    gate.open();
    REQUIRE(queue.wait_idle_for(kPatience));
  }
}

namespace {

/// Opens a gate after the queue it owned is gone.
struct OwnsAtThreadExit {
  std::shared_ptr<Gate> destroyed;
  std::shared_ptr<TaskQueue> queue;
  ~OwnsAtThreadExit() {
    if (queue != nullptr) {
      queue.reset();
      destroyed->open();
    }
  }
};
thread_local OwnsAtThreadExit owns_at_thread_exit;

}  // namespace

TEST_CASE("a thread-local of an expired worker may own the queue and destroy it", "[task_queue][B13][L9]") {
  const auto destroyed = std::make_shared<Gate>();
  auto queue = std::make_shared<TaskQueue>(1, 0s, "b13-own");
  TaskQueue& reference = *queue;
  reference.add_task([destroyed, queue = std::move(queue)]() mutable {
    owns_at_thread_exit.destroyed = destroyed;
    owns_at_thread_exit.queue = std::move(queue);
  });
  REQUIRE(destroyed->wait());
  if (toto_tests::kProcessInfo) {
    REQUIRE(eventually([] { return toto_tests::threads_named("b13-own-") == 0; }));
  }
}
