// SPDX-License-Identifier: MIT
//
// What tasks that are gone leave behind, in bytes.

#include <cstddef>
#include <toto/tasks.hpp>
#include <vector>

#include "faults/injection.hpp"
#include "support/catch.hpp"
#include "support/held_worker.hpp"
#include "support/lifetime_counter.hpp"
#include "support/sanitizers.hpp"

using namespace toto_tests;

TEST_CASE("a cancelled task leaves at most 64 bytes in its queue until its turn, and none after that", "[cancel][K9]") {
  const int count = scaled(100'000, 20'000);
  const std::ptrdiff_t kFixed = 1 << 19;  // what the library keeps for the next tasks, however many there were
  Lifetimes captures;
  toto::TaskQueue queue;
  HeldWorker worker(queue);
  REQUIRE(worker.held());
  std::vector<toto::TaskHandle<>> handles;
  handles.reserve(static_cast<std::size_t>(count));
  const TakenBytes taken;
  const auto add_all = [&] {
    for (int i = 0; i < count; ++i) {
      handles.push_back(queue.yield_task([counted = Counted(captures)] {}));
    }
  };
  SECTION("one by one") {
    add_all();
    CHECK(taken.now() > 64 * count);  // or else this measures nothing
    for (toto::TaskHandle<>& handle : handles) {
      static_cast<void>(handle.cancel());
    }
  }
  SECTION("all together") {
    add_all();
    CHECK(queue.cancel_queued() == static_cast<std::size_t>(count));
  }
  handles.clear();
  REQUIRE(captures.alive() == 0);
  REQUIRE(queue.size() == 1);  // the worker
  CHECK(taken.now() <= 64 * static_cast<std::ptrdiff_t>(count) + kFixed);
  worker.release();
  queue.yield_task([] {}).get();
  REQUIRE(queue.wait_idle_for(kPatience));
  CHECK(taken.now() <= kFixed);
}
