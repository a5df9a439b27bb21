// SPDX-License-Identifier: MIT
//
// The machine's own limits, which no pool can be faster than: a lock that nobody else wants, a cache line that goes to
// and fro between two threads, memory that one thread takes and another gives back, memory that is touched for the first
// time, a wake-up by the system, and a ring of one producer and one consumer.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "harness.hpp"

using namespace benchmark;

namespace {

/// A bounded ring for one thread that pushes and one that pops.
template <class T>
class SpscRing {
 public:
  bool try_push(T value) {
    const std::size_t at = pushed_.load(std::memory_order_relaxed);
    if (at - popped_seen_ == kSize) {
      popped_seen_ = popped_.load(std::memory_order_acquire);  // pairs with the release in try_pop
      if (at - popped_seen_ == kSize) {
        return false;
      }
    }
    items_[at % kSize] = value;
    pushed_.store(at + 1, std::memory_order_release);  // pairs with the acquire in try_pop
    return true;
  }

  bool try_pop(T& value) {
    const std::size_t at = popped_.load(std::memory_order_relaxed);
    if (at == pushed_seen_) {
      pushed_seen_ = pushed_.load(std::memory_order_acquire);  // pairs with the release in try_push
      if (at == pushed_seen_) {
        return false;
      }
    }
    value = items_[at % kSize];
    popped_.store(at + 1, std::memory_order_release);  // pairs with the acquire in try_push
    return true;
  }

 private:
  static constexpr std::size_t kSize = 1024;

  alignas(128) std::atomic<std::size_t> pushed_{0};
  std::size_t popped_seen_ = 0;  // by the thread that pushes
  alignas(128) std::atomic<std::size_t> popped_{0};
  std::size_t pushed_seen_ = 0;  // by the thread that pops
  alignas(128) std::array<T, kSize> items_{};
};

/// The median of `batches` calls of `measure()`: a batch in which the system had other plans does not count.
template <class Measure>
double median_of(std::size_t batches, Measure measure) {
  std::vector<double> times;
  for (std::size_t i = 0; i < batches; ++i) {
    times.push_back(measure());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

double uncontended_lock(std::size_t count) {
  std::mutex mutex;
  return time_per_call(count, [&mutex] {
    mutex.lock();
    mutex.unlock();
  });
}

/// What it takes until the system has found memory for one page.
double first_touch(std::size_t pages) {
  constexpr std::size_t kPage = 4096;
  const auto memory = std::make_unique_for_overwrite<char[]>(pages * kPage);
  std::size_t next = 0;
  return time_per_call(pages, [&] {
    char& first = memory[kPage * next++];
    first = 1;
    keep(first);
  });
}

/// Two threads answer each other `count` times; `wait(word, old)` returns when the word is not `old` any more.
/// ns for one way.
template <class Change, class Wait>
double ping_pong(std::size_t count, Change change, Wait wait) {
  alignas(128) std::atomic<std::uint32_t> word{0};
  const auto play = [&](std::uint32_t mine) {
    for (std::size_t i = 0; i < count; ++i) {
      wait(word, 1 - mine);
      change(word, 1 - mine);
    }
  };
  std::thread other([&play] { play(1); });
  const Stopwatch watch;
  play(0);
  other.join();
  return watch.nanoseconds() / static_cast<double>(2 * count);
}

double cache_line(std::size_t count) {
  return ping_pong(
      count, [](std::atomic<std::uint32_t>& word, std::uint32_t to) { word.store(to, std::memory_order_release); },
      [](const std::atomic<std::uint32_t>& word, std::uint32_t old) {
        while (word.load(std::memory_order_acquire) == old) {
        }
      });
}

/// A thread wakes another one and goes to sleep until it is woken itself.
double wake_up(std::size_t count) {
  return ping_pong(
      count,
      [](std::atomic<std::uint32_t>& word, std::uint32_t to) {
        word.store(to, std::memory_order_release);
        word.notify_one();
      },
      [](const std::atomic<std::uint32_t>& word, std::uint32_t old) { word.wait(old, std::memory_order_acquire); });
}

/// `produce()` gives items to a ring, another thread takes them out and hands them to `consume(item)`.
template <class T, class Produce, class Consume>
double through_ring(std::size_t count, Produce produce, Consume consume) {
  const auto ring = std::make_unique<SpscRing<T>>();
  std::thread consumer([&] {
    for (std::size_t i = 0; i < count; ++i) {
      T item;
      while (!ring->try_pop(item)) {
      }
      consume(item);
    }
  });
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    const T item = produce();
    while (!ring->try_push(item)) {
    }
  }
  consumer.join();
  return watch.nanoseconds() / static_cast<double>(count);
}

double spsc_ring(std::size_t count) {
  return through_ring<std::size_t>(count, [] { return std::size_t{1}; }, [](std::size_t item) { keep(item); });
}

/// The ring included.
double malloc_here_free_there(std::size_t count) {
  return through_ring<void*>(count, [] { return std::malloc(64); }, [](void* memory) { std::free(memory); });
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  print_sample("limit", "lock and unlock, uncontended", "machine", uncontended_lock(settings.amount(5'000'000)), "ns");
  print_sample("limit", "cache line to the other thread", "machine",
               median_of(settings.amount(50), [] { return cache_line(10'000); }), "ns");
  print_sample("limit", "malloc here, free there", "machine", malloc_here_free_there(settings.amount(1'000'000)), "ns");
  print_sample("limit", "first touch of a page of memory", "machine", first_touch(settings.amount(20'000)), "ns");
  print_sample("limit", "system's sleep and wake-up, one way", "machine",
               median_of(settings.amount(50), [] { return wake_up(500); }), "ns");
  print_sample("limit", "ring of one producer and consumer", "machine", spsc_ring(settings.amount(5'000'000)), "ns");
}
