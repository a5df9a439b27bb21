// SPDX-License-Identifier: MIT
//
// covers: [L17][B12]
//
// Ten thousand queues are made, used and destroyed, in every state in which a queue can end; then a hundred thousand
// threads expire. Threads, file descriptors and memory do not grow.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <toto/tasks.hpp>

#include "support/expect.hpp"
#include "support/process_info.hpp"
#include "support/sanitizers.hpp"

using namespace std::chrono_literals;
using namespace toto_tests;

namespace {

toto::Task<int> pause() {
  co_await toto::sleep_for(10us);
  co_return 1;
}

std::atomic<long> runs{0};

void use(int kind) {
  toto::TaskQueue queue(static_cast<std::size_t>(1 + kind % 3), kind % 2 == 0 ? toto::Duration() : toto::Duration(60s));
  switch (kind % 6) {
    case 0:
      break;  // never used
    case 1:
      for (int i = 0; i < 100; ++i) {
        queue.add_task([] { ++runs; });
      }
      break;
    case 2:
      queue.yield_task([owner = std::make_unique<int>(1)] { return *owner; }).get();
      break;
    case 3:
      queue.close(toto::Pending::cancel);
      break;
    case 4: {
      auto handle = queue.yield_task(&pause);
      std::move(handle).detach();
      break;
    }
    case 5: {
      const toto::AwaitableInstance wrapper(std::make_unique<std::string>("text"), queue);
      for (int i = 0; i < 5; ++i) {
        wrapper(&std::string::size).detach();
      }
      queue.cancel_queued();
      break;
    }
  }
}

}  // namespace

int main() {
  const int queues = scaled(10'000, 1'000);
  const int expirations = scaled(100'000, 2'000);
  for (int i = 0; i < 600; ++i) {
    use(i);
  }
  std::this_thread::sleep_for(10ms);
  const std::size_t threads = thread_count();
  const std::size_t files = open_files();
  const Memory before = memory();

  for (int i = 0; i < queues; ++i) {
    use(i);
  }
  {
    toto::TaskQueue queue(1, 0ms);
    for (int i = 0; i < expirations; ++i) {
      queue.yield_task([] {}).get();
    }
    expect(queue.stats().completed == static_cast<std::uint64_t>(expirations), "every task ran");
    std::printf("        %llu threads were started\n", static_cast<unsigned long long>(queue.stats().threads_started));
  }

  const Memory after = memory();
  expect(thread_count() <= threads + 1, "threads do not grow: " + std::to_string(threads) + " -> " +
                                            std::to_string(thread_count()) + " (one may watch timers)");
  expect(open_files() == files, "file descriptors do not grow");
  if (!kAddressSanitizer && !kThreadSanitizer) {
    constexpr std::size_t kTolerance = 16U << 20U;
    constexpr std::size_t kReserves = std::size_t{1} << 30U;  // of the allocator, 64 MB a thread at a time
    expect(after.resident <= before.resident + kTolerance,
           "memory does not grow: " + std::to_string(before.resident) + " -> " + std::to_string(after.resident));
    expect(after.address_space <= before.address_space + kReserves,
           "address space does not grow: " + std::to_string(before.address_space) + " -> " +
               std::to_string(after.address_space));
  }
  return failures == 0 ? 0 : 1;
}
