// SPDX-License-Identifier: MIT
//
// Hand-over: a thread outside gives one task to a worker that has just finished the one before, and may still be
// spinning, and needs its result before it continues; the thread blocks, or a coroutine on its event loop awaits. The
// task does nothing, or works for 100 us, by when the one who waits has gone to sleep.

#include <cstddef>
#include <future>
#include <string>

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

/// A task: works for so long.
struct Work {
  double nanoseconds;

  int operator()() const {
    if (nanoseconds > 0) {
      for (const Stopwatch watch; watch.nanoseconds() < nanoseconds;) {
      }
    }
    return 1;
  }
};

struct Length {
  const char* suffix;
  Work work;
  std::size_t count;
};
constexpr Length kLengths[] = {{"", {0}, 5'000}, {", 100 us", {100'000}, 1'000}};

template <class Pool>
double block_on_results(Work work, std::size_t count) {
  Pool pool(1);
  keep(pool.submit([work] { return work(); }).get());
  return time_per_call(count, [&] { keep(pool.submit([work] { return work(); }).get()); });
}

double block_on_async(Work work, std::size_t count) {
  return time_per_call(count, [work] { keep(std::async(std::launch::async, work).get()); });
}

toto::Task<double> await_results(toto::TaskQueue& queue, Work work, std::size_t count) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    auto handle = queue.yield_task(work);
    keep(co_await handle);
  }
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double await_on_event_loop(Work work, std::size_t count) {
  toto::TaskQueue queue(1);
  toto::EventLoop loop;
  return loop.run_sync(await_results(queue, work, count));
}

#if defined(TOTO_BENCHMARK_ASIO)
asio::awaitable<int> run(Work work) {
  co_return work();
}

asio::awaitable<double> await_results(asio::thread_pool& pool, Work work, std::size_t count) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    keep(co_await asio::co_spawn(pool, run(work), asio::use_awaitable));
  }
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double await_on_io_context(Work work, std::size_t count) {
  asio::thread_pool pool(1);
  asio::io_context loop;
  std::future<double> time = asio::co_spawn(loop, await_results(pool, work, count), asio::use_future);
  loop.run();
  return time.get();
}
#endif

void blocking(const Settings& settings, const Length& length) {
  const std::size_t count = settings.amount(length.count);
  const Work work = length.work;
  Contest contest(settings, "hand-over", std::string("get()") + length.suffix, "ns");
  for_each_pool(1, [&]<class Pool>(std::type_identity<Pool>) {
    contest.enter(Pool::kName, [=] { return block_on_results<Pool>(work, count); });
  });
  contest.enter("std::async", [=] { return block_on_async(work, count); });
  contest.run();
}

void awaiting(const Settings& settings, const Length& length) {
  const std::size_t count = settings.amount(length.count);
  const Work work = length.work;
  Contest contest(settings, "hand-over", std::string("event loop") + length.suffix, "ns");
  contest.enter("toto", [=] { return await_on_event_loop(work, count); });
  contest.enter("baseline", [=] { return block_on_results<BaselinePool>(work, count); });
#if defined(TOTO_BENCHMARK_ASIO)
  contest.enter("Asio coroutine", [=] { return await_on_io_context(work, count); });
#endif
  contest.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  for (const Length& length : kLengths) {
    blocking(settings, length);
    awaiting(settings, length);
  }
}
