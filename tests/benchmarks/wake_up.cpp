// SPDX-License-Identifier: MIT
//
// Wake-up: how long a task waits that is posted to a pool which has been idle for 1 ms or 300 ms.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fire.hpp"
#include "harness.hpp"
#include "pools/all.hpp"

using namespace benchmark;

namespace {

using Clock = std::chrono::steady_clock;

/// From before the post to the beginning of the task, in us.
template <class Pool>
double time_of_one(Pool& pool) {
  std::atomic<bool> ended{false};
  Clock::time_point begun;
  const Clock::time_point posted = Clock::now();
  pool.post([&ended, &begun] {
    begun = Clock::now();
    ended.store(true, std::memory_order_release);
  });
  while (!ended.load(std::memory_order_acquire)) {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return std::chrono::duration<double, std::micro>(begun - posted).count();
}

template <class Pool>
std::vector<double> sorted_times(std::chrono::milliseconds pause, std::size_t count) {
  Pool pool(1);
  warm_up(pool);
  std::vector<double> times;
  for (std::size_t i = 0; i < count; ++i) {
    std::this_thread::sleep_for(pause);
    times.push_back(time_of_one(pool));
  }
  std::sort(times.begin(), times.end());
  return times;
}

double quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
}

void contest_after(const Settings& settings, std::chrono::milliseconds pause, std::size_t count) {
  const std::string variant = std::to_string(pause.count()) + " ms";
  // Two samples from one measurement: the second contest reads what the first has left.
  Contest medians(settings, "wake-up", variant + ", p50", "us");
  Contest tails(settings, "wake-up", variant + ", p99", "us");
  for_each_pool(1, [&]<class Pool>(std::type_identity<Pool>) {
    auto times = std::make_shared<std::vector<double>>();
    medians.enter(Pool::kName, [=] {
      *times = sorted_times<Pool>(pause, count);
      return quantile(*times, 0.5);
    });
    tails.enter(Pool::kName, [=] { return quantile(*times, 0.99); });
  });
  medians.run();
  if (count >= 100) {
    tails.run();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  contest_after(settings, std::chrono::milliseconds(1), settings.quick() ? 100 : 1000);
  contest_after(settings, std::chrono::milliseconds(300), settings.quick() ? 1 : 7);
}
