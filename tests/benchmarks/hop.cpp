// SPDX-License-Identifier: MIT
//
// Hop: a coroutine goes to the end of the queue it runs on, again and again.

#include <cstddef>
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

toto::Task<double> hop(toto::TaskQueue& queue, std::size_t count) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    co_await queue.schedule();
  }
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double hop_in_toto(std::size_t threads, std::size_t count) {
  toto::TaskQueue queue(threads);
  queue.yield_task(hop, std::ref(queue), count / 10).get();
  return queue.yield_task(hop, std::ref(queue), count).get();
}

#if defined(TOTO_BENCHMARK_ASIO)
asio::awaitable<double> hop(asio::thread_pool& pool, std::size_t count) {
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    co_await asio::post(pool, asio::use_awaitable);
  }
  co_return watch.nanoseconds() / static_cast<double>(count);
}

double hop_in_asio(std::size_t threads, std::size_t count) {
  asio::thread_pool pool(threads);
  return asio::co_spawn(pool, hop(pool, count), asio::use_future).get();
}
#endif

void contest_with(const Settings& settings, std::size_t threads) {
  const std::size_t count = settings.amount(500'000);
  Contest contest(settings, "hop", workers(threads), "ns");
  contest.enter("toto", [=] { return hop_in_toto(threads, count); });
#if defined(TOTO_BENCHMARK_ASIO)
  contest.enter("Asio coroutine", [=] { return hop_in_asio(threads, count); });
#endif
  contest.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  contest_with(settings, 1);
  contest_with(settings, 2);
}
