// SPDX-License-Identifier: MIT
//
// Batch: 1,000 tasks with results are given to a pool, then all results are collected. ns a task.

#include <cstddef>
#include <future>
#include <string_view>
#include <utility>
#include <vector>

#include "harness.hpp"
#include "pools/all.hpp"

using namespace benchmark;

namespace {

constexpr std::size_t kBatch = 1000;

/// ns a task, for `collect_batch()` that handles kBatch of them.
template <class Collect>
double time_batches(std::size_t batches, Collect collect_batch) {
  collect_batch();  // threads are started, caches filled
  return time_per_call(batches, collect_batch) / static_cast<double>(kBatch);
}

template <class Submit>
void collect_one_by_one(Submit submit) {
  std::vector<decltype(submit(kBatch))> results;
  results.reserve(kBatch);
  for (std::size_t i = 0; i < kBatch; ++i) {
    results.push_back(submit(i));
  }
  std::size_t sum = 0;
  for (auto& result : results) {
    sum += result.get();
  }
  keep(sum);
}

template <class Pool>
double batches_in(std::size_t threads, std::size_t batches) {
  Pool pool(threads);
  return time_batches(batches,
                      [&] { collect_one_by_one([&pool](std::size_t i) { return pool.submit([i] { return i; }); }); });
}

toto::Task<double> await_batches(toto::TaskQueue& queue, std::size_t batches) {
  double time = 0;
  for (std::size_t batch = 0; batch <= batches; ++batch) {
    const Stopwatch watch;
    std::vector<toto::TaskHandle<std::size_t>> handles;
    handles.reserve(kBatch);
    for (std::size_t i = 0; i < kBatch; ++i) {
      handles.push_back(queue.yield_task([i] { return i; }));
    }
    keep(co_await toto::when_all(std::move(handles)));
    time += batch == 0 ? 0 : watch.nanoseconds();
  }
  co_return time / static_cast<double>(batches * kBatch);
}

double batches_awaited(std::size_t threads, std::size_t batches) {
  toto::TaskQueue queue(threads);
  toto::EventLoop loop;
  return loop.run_sync(await_batches(queue, batches));
}

#if defined(TOTO_BENCHMARK_TBB)
/// Not with submit(): oneTBB waits for a group as a whole, and the thread that waits takes part.
double batches_in_tbb(std::size_t threads, std::size_t batches) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads + 1);
  std::vector<std::size_t> results(kBatch);
  return time_batches(batches, [&] {
    tbb::task_group group;
    for (std::size_t i = 0; i < kBatch; ++i) {
      group.run([i, &results] { results[i] = i; });
    }
    group.wait();
    keep(results);
  });
}
#endif

double batches_of_async(std::size_t batches) {
  return time_batches(batches, [] {
    collect_one_by_one([](std::size_t i) { return std::async(std::launch::async, [i] { return i; }); });
  });
}

void contest_with(const Settings& settings, std::size_t threads) {
  const std::size_t batches = settings.amount(200);
  Contest contest(settings, "batch", workers(threads), "ns");
  for_each_pool(threads, [&]<class Pool>(std::type_identity<Pool>) {
    if (std::string_view(Pool::kName) != "oneTBB") {  // in its own way, below
      contest.enter(Pool::kName, [=] { return batches_in<Pool>(threads, batches); });
    }
  });
  contest.enter("toto when_all", [=] { return batches_awaited(threads, batches); });
#if defined(TOTO_BENCHMARK_TBB)
  contest.enter("oneTBB", [=] { return batches_in_tbb(threads, batches); });
#endif
  if (threads == 1) {
    contest.enter("std::async", [] { return batches_of_async(1); });  // a thread a task, however many workers
  }
  contest.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  for (const std::size_t threads : {1u, 2u, 4u}) {
    contest_with(settings, threads);
  }
}
