// SPDX-License-Identifier: MIT
//
// The hot paths, each done `count` times by one worker and nothing else: instructions.py runs it under callgrind with
// two counts, and what the difference costs is the operations' own cost, whoever ran them. Without callgrind it counts
// calls of operator new, once the caches are filled.
//
//   toto_counts PATH COUNT      runs it
//   toto_counts allocations     checks that no path allocates; exits with 1 if one does

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <toto/tasks.hpp>
#include <vector>

#include "allocation_count.hpp"

namespace {

constexpr std::size_t kBurst = 100;  // tasks queued at a time

/// A callable that captures that many bytes.
template <std::size_t kBytes>
struct Capture {
  std::array<std::byte, kBytes> bytes{};
  std::size_t operator()() const noexcept { return static_cast<std::size_t>(bytes[0]); }
};

/// Holds the only worker, so that a burst is queued before any of it runs and each run takes the same course.
class Held {
 public:
  explicit Held(toto::TaskQueue& queue) {
    queue.add_task([this] {
      begun_.store(true);
      begun_.notify_one();
      released_.wait(false);
    });
    begun_.wait(false);
  }
  void release() {
    released_.store(true);
    released_.notify_one();
  }

 private:
  std::atomic<bool> begun_{false};
  std::atomic<bool> released_{false};
};

template <std::size_t kBytes>
void add_tasks(toto::TaskQueue& queue, std::size_t count) {
  for (std::size_t added = 0; added < count; added += kBurst) {
    Held held(queue);
    for (std::size_t i = 0; i < kBurst; ++i) {
      queue.add_task(Capture<kBytes>());
    }
    held.release();
    queue.wait_idle();
  }
}

template <std::size_t kBytes>
void yield_tasks(toto::TaskQueue& queue, std::size_t count) {
  std::vector<toto::TaskHandle<std::size_t>> handles;
  handles.reserve(kBurst);
  for (std::size_t yielded = 0; yielded < count; yielded += kBurst) {
    Held held(queue);
    for (std::size_t i = 0; i < kBurst; ++i) {
      handles.push_back(queue.yield_task(Capture<kBytes>()));
    }
    held.release();
    queue.wait_idle();
    for (auto& handle : handles) {
      handle.get();
    }
    handles.clear();
  }
}

toto::Task<> await_tasks(toto::TaskQueue& queue, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    auto handle = queue.yield_task([i] { return i; });
    co_await handle;
  }
}

toto::Task<> await_calls(toto::TaskQueue& queue, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    co_await queue.call([i] { return i; });
  }
}

toto::Task<> hop(toto::TaskQueue& queue, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    co_await queue.schedule();
  }
}

struct Path {
  const char* name;
  void (*run)(toto::TaskQueue& queue, std::size_t count);
};

constexpr Path kPaths[] = {
    {"add_task_24", &add_tasks<24>},
    {"add_task_64", &add_tasks<64>},
    {"yield_task_24", &yield_tasks<24>},
    {"yield_task_64", &yield_tasks<64>},
    {"round_trip",
     [](toto::TaskQueue& queue, std::size_t count) { queue.yield_task(await_tasks, std::ref(queue), count).get(); }},
    {"call",
     [](toto::TaskQueue& queue, std::size_t count) { queue.yield_task(await_calls, std::ref(queue), count).get(); }},
    {"schedule",
     [](toto::TaskQueue& queue, std::size_t count) { queue.yield_task(hop, std::ref(queue), count).get(); }},
};

/// What `count` operations allocate that twice as many do not: each path begins with a coroutine or a vector of its
/// own.
std::uint64_t growth_of_allocations(const Path& path, std::size_t count) {
  toto::TaskQueue queue(1);
  const auto allocated_by = [&](std::size_t operations) {
    const std::uint64_t before = benchmark::allocations.load();
    path.run(queue, operations);
    return benchmark::allocations.load() - before;
  };
  allocated_by(count);  // fills the caches
  const std::uint64_t once = allocated_by(count);
  const std::uint64_t twice = allocated_by(2 * count);
  return twice > once ? twice - once : 0;
}

int check_allocations() {
  constexpr std::size_t kOperations = 10'000;
  int failures = 0;
  for (const Path& path : kPaths) {
    const std::uint64_t grown = growth_of_allocations(path, kOperations);
    std::printf("%-14s %llu allocations for %zu operations\n", path.name, static_cast<unsigned long long>(grown),
                kOperations);
    failures += grown != 0;
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "allocations") == 0) {
    return check_allocations();
  }
  for (const Path& path : kPaths) {
    if (argc == 3 && std::strcmp(argv[1], path.name) == 0) {
      toto::TaskQueue queue(1);
      path.run(queue, std::strtoul(argv[2], nullptr, 10));
      return 0;
    }
  }
  std::fprintf(stderr, "usage: %s allocations | PATH COUNT\n", argv[0]);
  return 2;
}
