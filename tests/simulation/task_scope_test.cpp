// SPDX-License-Identifier: MIT
//
// Models of the end of a TaskScope, whose coroutines wait, come, go and end meanwhile.

#include <toto/task_scope.hpp>

#include <functional>
#include <optional>
#include <utility>

#include "support/explore.hpp"

using namespace toto_tests;
using namespace std::chrono_literals;

namespace {

using SimScope = toto::BasicTaskScope<SimRuntime>;

/// Has gone when the scope has.
struct Window {
  bool gone = false;
  void touch() const { require(!gone, "nothing of a scope runs at its home after its end"); }
};

/// Starts what `make(window, queue, home)` gives in a scope, which ends at any moment.
template <class Make>
void end_scope(Simulation& sim, Make make, bool loop_first = false) {
  Tally living;
  {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    Window window;
    std::optional<SimLoop> loop(std::in_place);
    std::optional<SimScope> scope(std::in_place, loop->executor());
    scope->spawn(make(window, queue, loop->executor(), Counted(living)));
    loop->post([&] {
      SimRuntime::point("before the end");
      if (!loop_first) {
        scope.reset();
        window.gone = true;
      }
      loop->stop();
    });
    loop->run();
    if (loop_first) {
      loop.reset();
      SimRuntime::point("between the ends");
      scope.reset();
    } else {
      SimRuntime::point("after the end");
      loop->run();  // what is on its way there
    }
    queue.wait_idle();
  }
  while (living != 0) {
    sim.sleep_for(1ms);
  }
}

using Home = toto::BasicExecutorRef<SimRuntime>;

toto::Task<> go_and_come_back(Window& window, SimQueue& queue, Home home, Counted kept) {
  co_await queue.schedule();
  SimRuntime::point("away");
  co_await toto::resume_on<SimRuntime>(home);
  window.touch();
  static_cast<void>(kept);
}
toto::Task<> go(SimQueue& queue, Counted kept) {
  co_await queue.schedule();
  SimRuntime::point("away");
  static_cast<void>(kept);
}

}  // namespace

TEST_CASE("a scope ends while its coroutine goes to a queue and comes back", "[simulation][task_scope][L19][inv.W1]") {
  explore("the end of a scope against a coroutine that roams", {},
          [](Simulation& sim) { end_scope(sim, &go_and_come_back); });
}

TEST_CASE("a scope ends while its coroutine waits for a task", "[simulation][task_scope][L19]") {
  explore("the end of a scope against a task", {}, [](Simulation& sim) {
    end_scope(sim, [](Window& window, SimQueue& queue, Home, Counted kept) -> toto::Task<> {
      auto handle = queue.yield_task([] {});
      co_await handle;
      window.touch();
      static_cast<void>(kept);
    });
  });
}

TEST_CASE("a scope ends while its coroutine comes home from a task", "[simulation][task_scope][L19][inv.W1]") {
  explore("the end of a scope against a task that sends a coroutine home", {}, [](Simulation& sim) {
    end_scope(sim, [](Window& window, SimQueue& queue, Home home, Counted kept) -> toto::Task<> {
      co_await queue.schedule();
      auto handle = queue.yield_task([] {});
      co_await std::move(handle).resume_on(home);
      window.touch();
      static_cast<void>(kept);
    });
  });
}

TEST_CASE("a scope ends while its coroutine waits for others, one of which is away", "[simulation][task_scope][L19]") {
  explore("the end of a scope against children that come and go", kOnlyOrder, [](Simulation& sim) {
    end_scope(sim, [](Window& window, SimQueue& queue, Home home, Counted kept) -> toto::Task<> {
      Tally mine;
      auto handle = queue.yield_task([] {});
      co_await toto::when_all(std::move(handle), go(queue, Counted(mine)),
                              go_and_come_back(window, queue, home, Counted(mine)));
      window.touch();
      static_cast<void>(kept);
    });
  });
}

TEST_CASE("a scope ends while its coroutine waits for one that sleeps and one that is away",
          "[simulation][task_scope][L19]") {
  explore("the end of a scope against a sleeper among those that roam", kOnlyOrder, [](Simulation& sim) {
    end_scope(sim, [](Window& window, SimQueue& queue, Home home, Counted kept) -> toto::Task<> {
      Tally mine;
      const auto sleep = [](Window& seen, Counted) -> toto::Task<> {
        co_await toto::sleep_for<SimRuntime>(1ms);
        seen.touch();
      };
      co_await toto::when_all(sleep(window, Counted(mine)), go_and_come_back(window, queue, home, Counted(mine)));
      window.touch();
      static_cast<void>(kept);
    });
  });
}

TEST_CASE("a loop ends, and then the scope, while its coroutine comes and goes",
          "[simulation][task_scope][L19][inv.W2]") {
  explore("the end of a loop and of a scope", {}, [](Simulation& sim) {
    end_scope(
        sim,
        [](Window&, SimQueue& queue, Home home, Counted kept) -> toto::Task<> {
          co_await queue.schedule();
          SimRuntime::point("away");
          co_await toto::resume_on<SimRuntime>(home);
          static_cast<void>(kept);
        },
        true);
  });
}

TEST_CASE("a thread spawns into a scope, and another joins it", "[simulation][task_scope][L19]") {
  explore("spawn and join of a scope", {}, [](Simulation& sim) {
    Tally living;
    int joined = 0;
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    SimScope scope(loop.executor());
    queue.add_task([&] { scope.spawn(go(queue, Counted(living))); });
    loop.run_sync([](SimScope& all, SimQueue& other, int& count) -> toto::Task<> {
      co_await other.yield_task([] {});
      co_await all.join();
      ++count;
    }(scope, queue, joined));
    require(joined == 1 && scope.size() == 0 && living == 0, "joined once, when all had ended");
  });
}

TEST_CASE("a loop ends while others join two of its scopes", "[simulation][task_scope][L19][inv.W3]") {
  explore("the end of a loop with two scopes", kOnlyOrder, [](Simulation& sim) {
    Tally joined;
    {
      SimQueue queue(1, 5ms);
      const auto checks = watch(sim, queue);
      std::optional<SimLoop> loop(std::in_place);
      SimScope first(loop->executor());
      SimScope second(loop->executor());
      const auto join = [](SimScope& scope, Tally& count) -> toto::Task<> {
        co_await scope.join();
        ++count;
      };
      for (SimScope* const scope : {&first, &second}) {
        scope->spawn([]() -> toto::Task<> { co_await toto::sleep_for<SimRuntime>(1h); }());
        queue.yield_task(join, std::ref(*scope), std::ref(joined)).detach();
      }
      loop.reset();
      queue.wait_idle();
    }
    require(joined == 2, "whoever joins a scope of a loop that has ended goes on");
  });
}

TEST_CASE("a scope is joined that was empty for an instant", "[simulation][task_scope][L19][inv.W3]") {
  explore("a spawn and a join as the last coroutine of a scope ends", {}, [](Simulation& sim) {
    SimQueue queue(1, 5ms);
    const auto checks = watch(sim, queue);
    SimLoop loop;
    SimScope scope(loop.executor());
    Tally ended;
    const auto count = [](Tally& all) -> toto::Task<> {
      ++all;
      co_return;
    };
    scope.spawn(count(ended));
    auto joining = queue.yield_task([&]() -> toto::Task<> {
      scope.spawn(count(ended));
      co_await scope.join();
      require(ended == 2, "who joins a scope waits for the coroutines that it has by then");
    });
    loop.run_sync(std::move(joining));
  });
}
