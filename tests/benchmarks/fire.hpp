// SPDX-License-Identifier: MIT
//
// Fire and forget: some threads post tasks of a 24-byte capture, and all of them have run. The time runs from the
// first post to the end of the last task; the pool's threads are there already.

#ifndef TOTO_BENCHMARKS_FIRE_HPP
#define TOTO_BENCHMARKS_FIRE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "harness.hpp"
#include "tally.hpp"

namespace benchmark {

/// Posts `count` tasks to a pool from the calling thread.
template <class Pool>
void post_counted_tasks(Pool& pool, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    pool.post(CountedTask::number(i));
  }
}

/// Makes the pool start its threads and fill its caches.
template <class Pool>
void warm_up(Pool& pool) {
  constexpr std::size_t kTasks = 2000;
  const std::uint64_t before = Tally::total();
  post_counted_tasks(pool, kTasks);
  Tally::wait_for(before + kTasks);
}

/// ns a task.
template <class Pool>
double fire_from_one_thread(std::size_t threads, std::size_t tasks) {
  Pool pool(threads);
  warm_up(pool);
  const std::uint64_t before = Tally::total();
  const Stopwatch watch;
  post_counted_tasks(pool, tasks);
  Tally::wait_for(before + tasks);
  return watch.nanoseconds() / static_cast<double>(tasks);
}

/// ns a task; each producer posts an equal share of them.
template <class Pool>
double fire_from_many_threads(std::size_t threads, std::size_t producers, std::size_t tasks) {
  Pool pool(threads);
  warm_up(pool);
  const std::size_t share = tasks / producers;
  const std::uint64_t before = Tally::total();
  std::atomic<bool> started{false};
  std::vector<std::thread> posting;
  for (std::size_t i = 0; i < producers; ++i) {
    posting.emplace_back([&] {
      started.wait(false);
      post_counted_tasks(pool, share);
    });
  }
  const Stopwatch watch;
  started.store(true);
  started.notify_all();
  for (std::thread& producer : posting) {
    producer.join();
  }
  Tally::wait_for(before + share * producers);
  return watch.nanoseconds() / static_cast<double>(share * producers);
}

}  // namespace benchmark

#endif  // TOTO_BENCHMARKS_FIRE_HPP
