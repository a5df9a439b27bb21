// SPDX-License-Identifier: MIT
//
// The library's own globals are made at their first use. These tests are about that first use running out of memory,
// which happens once per process: run them as CTest does, each in its own process. Otherwise they pass without
// having tried much.

#include <chrono>
#include <memory>
#include <string>
#include <toto/tasks.hpp>

#include "faults/injection.hpp"
#include "support/catch.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

TEST_CASE("the first named queue of a process may run out of memory", "[task_queue][faults][W8]") {
  const Sweep swept =
      sweep([] { return 0; }, [](int) { static_cast<void>(toto::TaskQueue::instance("first")); },
            [](int, bool threw) -> std::string {
              if (threw) {
                return toto::TaskQueue::find("first") == nullptr ? "" : "there is a queue";
              }
              return toto::TaskQueue::instance("first").yield_task([] { return 1; }).get() == 1 ? "" : "does not work";
            },
            kMaybeNone);
  REQUIRE(swept.complaint.empty());
}

TEST_CASE("looking for a named queue never throws, whatever memory there is", "[task_queue][faults][W8]") {
  toto::TaskQueue* found = nullptr;
  {
    const FailingAllocation failing(1);
    found = toto::TaskQueue::find("none of that name");
  }
  REQUIRE(found == nullptr);
}

TEST_CASE("the first task of a process may run out of memory", "[task_queue][faults][S8]") {
  const auto token = std::make_shared<int>(1);
  const Sweep swept = sweep([] { return std::make_unique<toto::TaskQueue>(); },
                            [&](std::unique_ptr<toto::TaskQueue>& queue) {
                              auto handle = queue->yield_task([token] { return *token; });
                              std::move(handle).detach();
                            },
                            [&](std::unique_ptr<toto::TaskQueue>& queue, bool threw) -> std::string {
                              if (threw && token.use_count() != 1) {
                                return "captures are still alive";
                              }
                              return queue->yield_task([] { return 1; }).get() == 1 ? "" : "does not work";
                            },
                            kMaybeNone);
  REQUIRE(swept.complaint.empty());
}

TEST_CASE("the first sleep of a process may run out of memory", "[sleep_for][faults][S8]") {
  toto::TaskQueue queue(1, toto::Duration::never());
  // Each coroutine runs on the queue's only thread from beginning to end, and so does what makes it fail.
  struct OnTheQueue {
    static toto::Task<bool> sleep(std::size_t nth, bool* threw) {
      auto failing = std::make_unique<FailingAllocation>(nth);
      try {
        co_await toto::sleep_for(1ms);
      } catch (const std::bad_alloc&) {
        *threw = true;
      }
      co_return failing->failed();
    }
  };
  for (std::size_t nth = 1;; ++nth) {
    bool threw = false;
    const bool failed = queue.yield_task(&OnTheQueue::sleep, nth, &threw).get();
    REQUIRE(threw == failed);
    if (!failed) {
      break;
    }
    note_fault("allocation");
  }
}
