// SPDX-License-Identifier: MIT
//
// Round trip inside the queue: a coroutine that runs on a queue gives it a task, awaits the result, and so on; with
// yield_task, whose task begins at once, and with call(), whose task is in the coroutine's frame. Asio, concurrencpp and
// TooManyCooks do the same with their coroutines. The baseline and BS::thread_pool have none: there a thread outside
// posts a task and waits for its future. oneTBB and Taskflow have none either: a task of theirs runs another one in a
// task group and waits for it, which runs it in place.

#include <cstddef>
#include <cstdint>
#include <functional>

#include "harness.hpp"
#include "pools/all.hpp"

#if defined(TOTO_BENCHMARK_ASIO)
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#endif

using namespace benchmark;

namespace {

toto::Task<double> await_tasks(toto::TaskQueue& queue, std::size_t count) {
  const Stopwatch watch;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    auto handle = queue.yield_task([i] { return i; });
    sum += co_await handle;
  }
  keep(sum);
  co_return watch.nanoseconds() / static_cast<double>(count);
}

toto::Task<double> await_calls(toto::TaskQueue& queue, std::size_t count) {
  const Stopwatch watch;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += co_await queue.call([i] { return i; });
  }
  keep(sum);
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double toto_round_trip(std::size_t threads, std::size_t count) {
  toto::TaskQueue queue(threads);
  return queue.yield_task(await_tasks, std::ref(queue), count).get();
}

double toto_call(std::size_t threads, std::size_t count) {
  toto::TaskQueue queue(threads);
  return queue.yield_task(await_calls, std::ref(queue), count).get();
}

template <class Pool>
double blocking_round_trip(std::size_t threads, std::size_t count) {
  Pool pool(threads);
  return time_per_call(count, [&pool] { keep(pool.submit([] { return 1; }).get()); });
}

#if defined(TOTO_BENCHMARK_ASIO)
asio::awaitable<std::size_t> value_of(std::size_t i) {
  co_return i;
}

asio::awaitable<double> await_coroutines(asio::thread_pool& pool, std::size_t count) {
  const Stopwatch watch;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += co_await asio::co_spawn(pool, value_of(i), asio::use_awaitable);
  }
  keep(sum);
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double asio_round_trip(std::size_t threads, std::size_t count) {
  asio::thread_pool pool(threads);
  return asio::co_spawn(pool, await_coroutines(pool, count), asio::use_future).get();
}
#endif

#if defined(TOTO_BENCHMARK_TBB)
double tbb_round_trip(std::size_t threads, std::size_t count) {
  TbbPool pool(threads);
  return pool
      .submit([count] {
        tbb::task_group group;
        std::uint64_t sum = 0;
        const double time = time_per_call(count, [&] {
          group.run([&sum] { ++sum; });
          group.wait();
        });
        keep(sum);
        return time;
      })
      .get();
}
#endif

#if defined(TOTO_BENCHMARK_CONCURRENCPP)
template <class Executor>
concurrencpp::result<double> await_submitted(concurrencpp::executor_tag, Executor& executor, std::size_t count) {
  const Stopwatch watch;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += co_await executor.submit([i] { return i; });
  }
  keep(sum);
  co_return watch.nanoseconds() / static_cast<double>(count);
}

template <class Pool>
double concurrencpp_round_trip(std::size_t threads, std::size_t count) {
  Pool pool(threads);
  return await_submitted({}, pool.executor(), count).get();
}
#endif

#if defined(TOTO_BENCHMARK_TOO_MANY_COOKS)
tmc::task<std::size_t> task_of(std::size_t i) {
  co_return i;
}

/// With spawn(), which posts the task. A bare co_await of it would be a call of a coroutine, past the executor.
tmc::task<double> await_spawned(std::size_t count) {
  const Stopwatch watch;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += co_await tmc::spawn(task_of(i));
  }
  keep(sum);
  co_return watch.nanoseconds() / static_cast<double>(count);
}

template <class Pool>
double too_many_cooks_round_trip(std::size_t threads, std::size_t count) {
  Pool pool(threads);
  return tmc::post_waitable(pool.executor(), await_spawned(count)).get();
}
#endif

#if defined(TOTO_BENCHMARK_TASKFLOW)
double taskflow_round_trip(std::size_t threads, std::size_t count) {
  TaskflowPool pool(threads);
  return pool
      .submit([&pool, count] {
        tf::TaskGroup group = pool.executor().task_group();
        std::uint64_t sum = 0;
        const double time = time_per_call(count, [&] {
          group.silent_async([&sum] { ++sum; });
          group.corun();
        });
        keep(sum);
        return time;
      })
      .get();
}
#endif

void contest_with(const Settings& settings, std::size_t threads) {
  const std::size_t count = settings.amount(300'000);
  Contest contest(settings, "round trip", workers(threads), "ns");
  contest.enter("toto", [=] { return toto_round_trip(threads, count); });
  contest.enter("toto call", [=] { return toto_call(threads, count); });
  contest.enter("baseline",
                [=, &settings] { return blocking_round_trip<BaselinePool>(threads, settings.amount(5'000)); });
#if defined(TOTO_BENCHMARK_ASIO)
  contest.enter("Asio coroutine", [=] { return asio_round_trip(threads, count); });
#endif
#if defined(TOTO_BENCHMARK_TBB)
  contest.enter("oneTBB", [=] { return tbb_round_trip(threads, count); });
#endif
#if defined(TOTO_BENCHMARK_CONCURRENCPP)
  contest.enter(ConcurrencppPool::kName, [=] { return concurrencpp_round_trip<ConcurrencppPool>(threads, count); });
  if (threads == 1) {
    contest.enter(ConcurrencppWorker::kName, [=] { return concurrencpp_round_trip<ConcurrencppWorker>(1, count); });
  }
#endif
#if defined(TOTO_BENCHMARK_TOO_MANY_COOKS)
  contest.enter(TooManyCooksPool::kName, [=] { return too_many_cooks_round_trip<TooManyCooksPool>(threads, count); });
  if (threads == 1) {
    contest.enter(TooManyCooksWorker::kName, [=] { return too_many_cooks_round_trip<TooManyCooksWorker>(1, count); });
  }
#endif
#if defined(TOTO_BENCHMARK_BS_THREAD_POOL)
  contest.enter(BsThreadPool::kName,
                [=, &settings] { return blocking_round_trip<BsThreadPool>(threads, settings.amount(5'000)); });
#endif
#if defined(TOTO_BENCHMARK_TASKFLOW)
  contest.enter(TaskflowPool::kName, [=] { return taskflow_round_trip(threads, count); });
#endif
  contest.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  contest_with(settings, 1);
  contest_with(settings, 2);
}
