// SPDX-License-Identifier: MIT
//
// covers: [R10]
//
// Whatever Qt, Xlib, windows.h, AssertMacros.h or curses.h have defined before: every public header compiles, and tasks
// run on queues, pools and loops. toto/asio.hpp and toto/fmt.hpp: foreign_words_asio.cpp, foreign_words_fmt.cpp.
//
// nothing precompiled: the headers have to read what is defined before them

#include "support/foreign_words.hpp"
#include "support/expect.hpp"
// All others, in alphabetical order:
#include "public_headers.hpp"

#if !defined(slots) || !defined(min) || !defined(max) || !defined(timeout) || !defined(None) || !defined(require)
#error "a header of the library has taken back what another one had defined"
#endif

using namespace toto_tests;

namespace {

struct Counter {
  int value = 0;
  int add(int more) { return value += more; }
};

toto::Task<int> twice(toto::TaskQueue& queue, int value) {
  const int once = co_await queue.yield_task([value] { return value; });
  co_return once + co_await queue.call([value] { return value; });
}

}  // namespace

int main() {
  {
    toto::TaskQueue queue({.thread_count = 2, .name = "words", .max_queued = 100});
    expect(queue.yield_task([] { return 7; }).get() == 7, "a task is run");
    std::atomic<int> ran = 0;
    for (int i = 0; i < 1000; ++i) {
      queue.add_task([&ran] { ++ran; });
    }
    queue.wait_idle();
    expect(ran == 1000, "and so are a thousand");
    expect(queue.with({.priority = 1}).yield_task([] { return 8; }).get() == 8, "one with a priority, too");
    expect(queue.limited(1, "one").yield_task([](toto::StopToken) { return 9; }).get() == 9, "one in a view");

    toto::EventLoop loop;
    bool posted = false;
    loop.post([&posted] { posted = true; });
    expect(loop.run_sync(twice(queue, 4)) == 8 && posted, "a loop runs a coroutine, and what was posted");
    expect(toto::sync_wait(toto::when_all(twice(queue, 1), queue.yield_task([] { return 2; }))) == std::tuple(2, 2),
           "coroutines and tasks are gathered");

    toto::AwaitableInstance counter(Counter{}, queue);
    expect(counter(&Counter::add, 3).get() == 3, "an instance is called");
    toto::InstancePool pool([] { return Counter(); }, 2);
    expect(pool(&Counter::add, 2) == 2, "and one of a pool");
    expect(pool.await_transaction([](Counter& taken) { return taken.add(2); }, queue).get() == 4, "a transaction, too");
    pool.instance()->add(1);
    expect(pool.stats().leases == 3, "and they come back");

    std::ostringstream text;
    {
      toto::TraceWriter trace(text);
      toto::TaskQueue traced({.observer = &trace});
      traced.add_task([] {});
    }
    expect(text.str().find("traced") == std::string::npos && !text.str().empty(), "a trace is written");
  }
  const auto result =
      toto::testing::simulate({.name = "words", .schedules = 100}, [](toto::testing::Simulation& simulation) {
        toto::BasicTaskQueue<toto::testing::SimRuntime> queue;
        int ran = 0;
        queue.add_task([&ran] { ++ran; });
        queue.wait_idle();
        (simulation.check)(ran == 1, "the task has run");
        (toto::testing::require)(ran == 1, "the task has run");
      });
  expect(!result.failed, "the simulator runs tasks");
  return failures == 0 ? 0 : 1;
}
