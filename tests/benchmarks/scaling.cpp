// SPDX-License-Identifier: MIT
//
// Scaling: what one item costs as the number of items, threads, producers, named queues, waiters or timers grows. The
// workload is what grows, the variant how far, a sample the cost of one.

#include <time.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <vector>

#include "fire.hpp"
#include "harness.hpp"
#include "pools/all.hpp"

using namespace benchmark;

namespace {

/// One of a growing number, as the variant of a sample.
void print_point(const char* what, const char* curve, std::size_t number, double nanoseconds) {
  print_sample(what, std::to_string(number), curve, nanoseconds, "ns");
}

/// 10, 100, ... up to `most`.
template <class Visit>
void for_each_decade(std::size_t first, std::size_t most, Visit visit) {
  for (std::size_t number = first; number <= most; number *= 10) {
    visit(number);
  }
}

/// Enough repetitions of `number` items to measure the cost of one of them.
std::size_t repetitions(std::size_t number) {
  constexpr std::size_t kItems = 100'000;
  return number >= kItems ? 1 : kItems / number;
}

double process_cpu_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Holds the only worker of a queue until it is released.
class HeldWorker {
 public:
  explicit HeldWorker(toto::TaskQueue& queue)
      : held_(queue.yield_task([this] {
          begun_.store(true);
          begun_.notify_one();
          released_.wait(false);
        })) {
    begun_.wait(false);
  }
  HeldWorker(const HeldWorker&) = delete;
  HeldWorker& operator=(const HeldWorker&) = delete;
  ~HeldWorker() {
    release();
    held_.wait();
  }

  void release() {
    released_.store(true);
    released_.notify_one();
  }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> released_{false};
  toto::TaskHandle<> held_;
};

/// `number` tasks are queued while the worker is held, and then run.
void queued_tasks(std::size_t number) {
  double adding = 0;
  double running = 0;
  const std::size_t turns = repetitions(number);
  toto::TaskQueue queue(1);
  for (std::size_t turn = 0; turn < turns; ++turn) {
    HeldWorker held(queue);
    adding += time_per_call(1, [&] {
      for (std::size_t i = 0; i < number; ++i) {
        queue.add_task(CountedTask::number(i));
      }
    });
    std::atomic<bool> ended{false};
    queue.add_task([&ended] {
      ended.store(true);
      ended.notify_one();
    });
    const Stopwatch watch;
    held.release();
    ended.wait(false);
    running += watch.nanoseconds();
  }
  const double items = static_cast<double>(number * turns);
  print_point("tasks queued", "add", number, adding / items);
  print_point("tasks queued", "run", number, running / items);
}

/// `number` queues are made by name, found by name, and given a task each.
void named_queues(std::size_t number) {
  static std::size_t made = 0;  // they live until the process ends, so each step adds to those of the one before
  std::vector<std::string> names;
  for (std::size_t i = 0; i < number; ++i) {
    names.push_back("queue " + std::to_string(i));
  }
  const Stopwatch making;
  for (std::size_t i = made; i < number; ++i) {
    toto::TaskQueue::instance(names[i]);
  }
  print_point("named queues", "make", number, making.nanoseconds() / static_cast<double>(number - made));
  made = number;
  std::size_t next = 0;
  print_point("named queues", "find", number, time_per_call(100'000, [&] {
                keep(toto::TaskQueue::instance(names[next]));
                next = (next + 7919) % number;
              }));
}

/// `number` transactions wait for the only instance of a pool, and then run.
void pool_waiters(std::size_t number) {
  double waiting = 0;
  double running = 0;
  const std::size_t turns = repetitions(number * 10);
  toto::TaskQueue queue(1);
  for (std::size_t turn = 0; turn < turns; ++turn) {
    toto::InstancePool<int> pool({0});
    std::vector<toto::TaskHandle<int>> results;
    results.reserve(number);
    {
      auto lease = pool.instance();
      const Stopwatch watch;
      for (std::size_t i = 0; i < number; ++i) {
        results.push_back(pool.await_transaction([](int& count) { return ++count; }, queue));
      }
      waiting += watch.nanoseconds();
    }
    const Stopwatch watch;
    results.back().wait();
    running += watch.nanoseconds();
  }
  const double items = static_cast<double>(number * turns);
  print_point("pool waiters", "wait", number, waiting / items);
  print_point("pool waiters", "run", number, running / items);
}

/// `number` timers are set on a loop, in no order, and fire. CPU time: the loop sleeps in between.
void timers(std::size_t number) {
  double setting = 0;
  double firing = 0;
  const std::size_t turns = repetitions(number * 10);
  std::uint32_t random = 1;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    toto::EventLoop loop;
    std::size_t fired = 0;
    const double start = process_cpu_nanoseconds();
    for (std::size_t i = 0; i < number; ++i) {
      random = random * 1664525 + 1013904223;
      loop.call_later(std::chrono::nanoseconds(random % 1'000'000), [&fired] { ++fired; });
    }
    const double set = process_cpu_nanoseconds();
    loop.run();
    setting += set - start;
    firing += process_cpu_nanoseconds() - set;
    keep(fired);
  }
  const double items = static_cast<double>(number * turns);
  print_point("timers", "set", number, setting / items);
  print_point("timers", "fire", number, firing / items);
}

template <class Pool>
void threads_and_producers(const Settings& settings) {
  const std::size_t tasks = settings.amount(500'000);
  for (const std::size_t number : {1u, 2u, 4u, 8u, 16u}) {
    print_point("threads", Pool::kName, number, fire_from_one_thread<Pool>(number, tasks));
    print_point("producers", Pool::kName, number, fire_from_many_threads<Pool>(2, number, tasks));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  for_each_decade(10, settings.quick() ? 100'000 : 10'000'000, queued_tasks);
  threads_and_producers<TotoPool>(settings);
  threads_and_producers<BaselinePool>(settings);
  for_each_decade(1, settings.quick() ? 1'000 : 10'000, named_queues);
  for_each_decade(1, settings.quick() ? 10'000 : 100'000, pool_waiters);
  for_each_decade(1, settings.quick() ? 100'000 : 1'000'000, timers);
}
