// SPDX-License-Identifier: MIT
//
// Memory: bytes of heap for each task that is queued, with a capture of 24 bytes. The pool's only thread is held
// meanwhile. Counted by the allocator itself, with what it adds to each block. Without oneTBB, which has an allocator
// of its own.

#include <malloc.h>

#include <cstddef>
#include <future>
#include <string_view>

#include "fire.hpp"
#include "harness.hpp"
#include "pools/all.hpp"

using namespace benchmark;

namespace {

std::size_t heap_bytes() {
  const struct mallinfo2 now = mallinfo2();
  return now.uordblks + now.hblkhd;
}

template <class Pool>
double bytes_for_each_task(std::size_t count) {
  std::promise<void> begun;
  std::promise<void> released;
  Pool pool(1);
  warm_up(pool);
  std::shared_future<void> release = released.get_future().share();
  pool.post([&begun, release] {
    begun.set_value();
    release.wait();
  });
  begun.get_future().wait();
  const std::uint64_t before = Tally::total();
  const std::size_t heap_before = heap_bytes();
  post_counted_tasks(pool, count);
  const std::size_t heap_after = heap_bytes();
  released.set_value();
  Tally::wait_for(before + count);
  return static_cast<double>(heap_after - heap_before) / static_cast<double>(count);
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  Contest contest(settings, "memory", "a queued task", "bytes");
  for_each_pool(1, [&]<class Pool>(std::type_identity<Pool>) {
    if (std::string_view(Pool::kName) == "oneTBB") {
      return;
    }
    contest.enter(Pool::kName, [] { return bytes_for_each_task<Pool>(100'000); });
  });
  contest.run();
}
