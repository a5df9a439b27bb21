// SPDX-License-Identifier: MIT
//
// The headers are clean under warnings that others turn on, included as a program's own: here and not as a system's.
// There are no coroutines here, because GCC warns of each: see TOTO_COROUTINES_BEGIN.
// covers: [R12]
// only: gcc, clang
// flags: -Werror -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wcast-qual -Woverloaded-virtual -Wextra-semi -Wnon-virtual-dtor -Wzero-as-null-pointer-constant -Wformat-nonliteral -Wctor-dtor-privacy -Wno-unknown-warning-option -Wuseless-cast

#include <memory>
#include <string>
#include <toto/tasks.hpp>
#include <toto/testing/simulation.hpp>
#include <toto/trace.hpp>
#include <vector>

struct Counter {
  int value = 0;
  int add(int more) { return value += more; }
};

template <class Runtime>
struct All {
  using Queue = toto::BasicTaskQueue<Runtime>;
  using Token = typename Runtime::StopToken;

  static toto::Task<int> coroutine();
  static toto::Task<int> body(toto::BasicTaskGroup<Runtime>& group);

  static void use() {
    Queue queue(toto::QueueOptions{.thread_count = 2, .watchdog = std::chrono::seconds(1)});
    const std::string text = "text";
    queue.on_error([](std::exception_ptr, const toto::TaskInfo&) {});
    queue.add_task([] {});
    queue.add_task([text] {});
    queue.add_task([](Token, int) {}, 1);
    queue.add_task(&All::coroutine);
    auto view = queue.limited(1, "view").with({.priority = 1});
    auto handle = view.yield_task([text] { return text; });
    static_cast<void>(handle.wait_for(std::chrono::seconds(1)));
    static_cast<void>(std::move(handle).timeout(std::chrono::seconds(1)));
    static_cast<void>(queue.yield_task([] {}).resume_on(queue));
    static_cast<void>(queue.call([](int number) { return number; }, 1).await_ready());
    static_cast<void>(queue.schedule().await_ready());
    static_cast<void>(queue.admission().await_ready());
    auto timer = queue.add_task_every(std::chrono::seconds(1), [text] {});
    auto other = queue.add_task_after(std::chrono::seconds(1), &All::coroutine);
    static_cast<void>(queue.dump());

    toto::BasicEventLoop<Runtime> loop;
    loop.post([text] {});
    auto third = loop.post_every(std::chrono::seconds(1), [text] {});
    loop.run_sync(toto::sleep_for<Runtime>(std::chrono::seconds(1)));
    static_cast<void>(toto::sync_wait<Runtime>(coroutine()));
    static_cast<void>(toto::when_all(coroutine(), queue.yield_task([] {})).operator co_await());
    static_cast<void>(toto::when_any(coroutine(), queue.yield_task([] {})).operator co_await());
    static_cast<void>(toto::when_all_settled(std::vector<toto::Task<int>>()).operator co_await());
    static_cast<void>(toto::when_all_or_cancel(coroutine(), queue.yield_task([] {})).operator co_await());
    static_cast<void>(toto::with_task_group<Runtime>(&All::body));

    toto::AwaitableInstance<Counter, Runtime> counter(Counter(), queue);
    static_cast<void>(counter(&Counter::add, 1).get());
    toto::InstancePool<Counter, Runtime> pool([] { return Counter(); }, 2, {.idle_timeout = std::chrono::seconds(1)});
    pool.validate([](Counter&) { return true; });
    pool.on_return([](Counter&, bool) {});
    static_cast<void>(pool(&Counter::add, 1));
    static_cast<void>(pool.await_transaction([](Counter&) {}, queue).get());
    static_cast<void>(pool.lease().await_ready());
    static_cast<void>(pool.lease_for(std::chrono::seconds(1)).await_ready());
    static_cast<void>(pool.instance()->value + static_cast<int>(pool.dump().size()));
  }
};
template struct All<toto::StdRuntime>;
template struct All<toto::testing::SimRuntime>;
