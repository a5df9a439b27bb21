// SPDX-License-Identifier: MIT
//
// Models of what surrounds the user's code: no lock of the library, and no call of the library that the user's own lock
// is held in.

#include <utility>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;
using toto::testing::assert_no_lock_held;
using toto::testing::require;

namespace {

/// A capture that is moved and destroyed without a lock of the library.
class Capture {
 public:
  Capture() = default;
  Capture(Capture&&) noexcept { assert_no_lock_held(); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { assert_no_lock_held(); }
};

}  // namespace

TEST_CASE("a task may take a lock that its adder holds: none runs inside add", "[simulation][M7]") {
  explore("the adder's own lock", {}, [](Simulation& sim) {
    SimRuntime::Mutex own;
    int ran = 0;
    {
      SimQueue queue(1, 5ms);
      const auto task = [&] {
        const toto::detail::Lock lock(own);
        ++ran;
      };
      for (int i = 0; i < 2; ++i) {
        const toto::detail::Lock lock(own);
        queue.add_task(task);
        queue.yield_task(task).detach();
      }
      sim.sleep_for(5ms);
      const toto::detail::Lock lock(own);
      queue.add_task(task);
    }
    require(ran == 5, "all ran");
  });
}

TEST_CASE("no lock of the library is held where the user's code is called, moved or destroyed",
          "[simulation][M7][inv.I6]") {
  explore("no lock around user code", {.random_schedules = 6'000}, [](Simulation&) {
    int ran = 0;
    int cancelled = 0;
    {
      SimQueue queue(1, 5ms);
      queue.on_error([](const std::exception_ptr&, const toto::TaskInfo&) { assert_no_lock_held(); });
      queue.add_task([&ran, capture = Capture()] {
        assert_no_lock_held();
        ++ran;
      });
      auto handle = queue.yield_task([&ran, capture = Capture()] {
        assert_no_lock_held();
        ++ran;
        return Capture();
      });
      queue.add_task([&ran, capture = Capture()] {
        ++ran;
        throw 1;
      });
      cancelled += handle.cancel() ? 1 : 0;
      cancelled += static_cast<int>(queue.cancel_queued());
    }
    require(ran + cancelled == 3, "each ran or was cancelled");
  });
}
