// SPDX-License-Identifier: MIT
//
// Calls of operator new for each operation, after a first time that fills the caches: fire (bursts of 100 tasks of a
// 24-byte capture), batch (100 results), round trip, call() and hop inside the queue.

#include <cstddef>
#include <functional>
#include <vector>

#include "counts/allocation_count.hpp"
#include "fire.hpp"
#include "harness.hpp"
#include "pools/all.hpp"

using namespace benchmark;

namespace {

constexpr std::size_t kBurst = 100;

/// Calls of operator new for each of `count` operations that `run(count)` does.
template <class Run>
double allocations_per_operation(std::size_t count, Run run) {
  run(count);
  const std::uint64_t before = allocations.load();
  run(count);
  return static_cast<double>(allocations.load() - before) / static_cast<double>(count);
}

template <class Pool>
double in_fire(std::size_t count) {
  Pool pool(1);
  return allocations_per_operation(count, [&pool](std::size_t tasks) {
    for (std::size_t posted = 0; posted < tasks; posted += kBurst) {
      const std::uint64_t before = Tally::total();
      post_counted_tasks(pool, kBurst);
      Tally::wait_for(before + kBurst);
    }
  });
}

template <class Pool>
double in_batch(std::size_t count) {
  Pool pool(1);
  std::vector<decltype(pool.submit([] { return 0; }))> results;
  results.reserve(kBurst);
  return allocations_per_operation(count, [&](std::size_t tasks) {
    for (std::size_t submitted = 0; submitted < tasks; submitted += kBurst) {
      for (std::size_t i = 0; i < kBurst; ++i) {
        results.push_back(pool.submit([] { return 1; }));
      }
      for (auto& result : results) {
        keep(result.get());
      }
      results.clear();
    }
  });
}

toto::Task<double> in_round_trips(toto::TaskQueue& queue, std::size_t count) {
  double result = 0;
  for (int turn = 0; turn < 2; ++turn) {
    const std::uint64_t before = allocations.load();
    for (std::size_t i = 0; i < count; ++i) {
      auto handle = queue.yield_task([i] { return i; });
      keep(co_await handle);
    }
    result = static_cast<double>(allocations.load() - before) / static_cast<double>(count);
  }
  co_return result;
}

toto::Task<double> in_calls(toto::TaskQueue& queue, std::size_t count) {
  double result = 0;
  for (int turn = 0; turn < 2; ++turn) {
    const std::uint64_t before = allocations.load();
    for (std::size_t i = 0; i < count; ++i) {
      keep(co_await queue.call([i] { return i; }));
    }
    result = static_cast<double>(allocations.load() - before) / static_cast<double>(count);
  }
  co_return result;
}

toto::Task<double> in_hops(toto::TaskQueue& queue, std::size_t count) {
  double result = 0;
  for (int turn = 0; turn < 2; ++turn) {
    const std::uint64_t before = allocations.load();
    for (std::size_t i = 0; i < count; ++i) {
      co_await queue.schedule();
    }
    result = static_cast<double>(allocations.load() - before) / static_cast<double>(count);
  }
  co_return result;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  const std::size_t count = settings.amount(100'000);
  Contest fire(settings, "allocations", "fire", "");
  Contest batch(settings, "allocations", "batch", "");
  for_each_pool(1, [&]<class Pool>(std::type_identity<Pool>) {
    fire.enter(Pool::kName, [=] { return in_fire<Pool>(count); });
    batch.enter(Pool::kName, [=] { return in_batch<Pool>(count); });
  });
  fire.run();
  batch.run();

  toto::TaskQueue queue(1);
  print_sample("allocations", "round trip", "toto", queue.yield_task(in_round_trips, std::ref(queue), count).get(), "");
  print_sample("allocations", "call", "toto", queue.yield_task(in_calls, std::ref(queue), count).get(), "");
  print_sample("allocations", "hop", "toto", queue.yield_task(in_hops, std::ref(queue), count).get(), "");
}
