// SPDX-License-Identifier: MIT
//
// Hand-over: a thread outside gives one task to a worker that has just finished the one before, and may still be
// spinning, and needs its result before it continues; the thread blocks, or a coroutine on its event loop awaits.

#include <cstddef>
#include <future>

#include "harness.hpp"
#include "pools/all.hpp"

#if defined(TOTO_BENCHMARK_ASIO)
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#endif

using namespace benchmark;

namespace {

template <class Pool>
double block_on_results(std::size_t count) {
  Pool pool(1);
  keep(pool.submit([] { return 1; }).get());
  return time_per_call(count, [&pool] { keep(pool.submit([] { return 1; }).get()); });
}

double block_on_async(std::size_t count) {
  return time_per_call(count, [] { keep(std::async(std::launch::async, [] { return 1; }).get()); });
}

toto::Task<double> await_results(toto::TaskQueue& queue, std::size_t count) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    auto handle = queue.yield_task([] { return 1; });
    keep(co_await handle);
  }
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double await_on_event_loop(std::size_t count) {
  toto::TaskQueue queue(1);
  toto::EventLoop loop;
  return loop.run_sync(await_results(queue, count));
}

#if defined(TOTO_BENCHMARK_ASIO)
asio::awaitable<int> one() {
  co_return 1;
}

asio::awaitable<double> await_results(asio::thread_pool& pool, std::size_t count) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    keep(co_await asio::co_spawn(pool, one(), asio::use_awaitable));
  }
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double await_on_io_context(std::size_t count) {
  asio::thread_pool pool(1);
  asio::io_context loop;
  std::future<double> time = asio::co_spawn(loop, await_results(pool, count), asio::use_future);
  loop.run();
  return time.get();
}
#endif

void blocking(const Settings& settings) {
  const std::size_t count = settings.amount(5'000);
  Contest contest(settings, "hand-over", "get()", "ns");
  for_each_pool([&]<class Pool>(std::type_identity<Pool>) {
    contest.enter(Pool::kName, [=] { return block_on_results<Pool>(count); });
  });
  contest.enter("std::async", [=] { return block_on_async(count); });
  contest.run();
}

void awaiting(const Settings& settings) {
  const std::size_t count = settings.amount(5'000);
  Contest contest(settings, "hand-over", "event loop", "ns");
  contest.enter("toto", [=] { return await_on_event_loop(count); });
  contest.enter("baseline", [=] { return block_on_results<BaselinePool>(count); });
#if defined(TOTO_BENCHMARK_ASIO)
  contest.enter("Asio coroutine", [=] { return await_on_io_context(count); });
#endif
  contest.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  blocking(settings);
  awaiting(settings);
}
