// SPDX-License-Identifier: MIT
//
// Fire and forget, from one thread and from four (fire.hpp).

#include "fire.hpp"

#include "pools/all.hpp"

using namespace benchmark;

namespace {

void one_producer(const Settings& settings, std::size_t threads) {
  Contest contest(settings, "fire", workers(threads), "ns");
  for_each_pool(threads, [&]<class Pool>(std::type_identity<Pool>) {
    contest.enter(Pool::kName, [&] { return fire_from_one_thread<Pool>(threads, settings.amount(1'000'000)); });
  });
  contest.run();
}

void four_producers(const Settings& settings, std::size_t threads) {
  Contest contest(settings, "fire, 4 producers", workers(threads), "ns");
  for_each_pool(threads, [&]<class Pool>(std::type_identity<Pool>) {
    contest.enter(Pool::kName, [&] { return fire_from_many_threads<Pool>(threads, 4, settings.amount(1'000'000)); });
  });
  contest.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings(argc, argv);
  for (const std::size_t threads : {1u, 2u, 4u}) {
    one_producer(settings, threads);
    four_producers(settings, threads);
  }
}
