// SPDX-License-Identifier: MIT
//
// A program that hangs in every way that docs/gdb/toto_gdb.py knows; run.sh stops it in all_hang().

#include <toto/tasks.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

namespace {

using namespace std::chrono_literals;

struct Connection {
  int number = 0;
};
struct Refresh {
  void operator()() const {}
};

std::atomic<int> begun{0};

void hang_in_database() {
  ++begun;
  for (;;) {
    std::this_thread::sleep_for(1h);
  }
}
int find_row() {
  return 7;
}

toto::Task<int> fetch(toto::TaskQueue& database) {
  co_return co_await database.yield_task(find_row);
}
toto::Task<> session(toto::TaskQueue& database) {
  co_await fetch(database);
}
toto::Task<> fetch_two(toto::TaskQueue& database) {
  co_await toto::when_all(database.yield_task(find_row), database.yield_task(find_row));
}
toto::Task<> borrow(toto::InstancePool<Connection>& pool) {
  auto lease = co_await pool.lease();
  ++lease->number;
}
toto::Task<> enter(toto::TaskQueue& database) {
  auto place = co_await database.admission();
  place.add_task(Refresh());
}
toto::Task<> nap() {
  co_await toto::sleep_for(1h);
}

}  // namespace

extern "C" void all_hang() {
  std::puts("all hang");
}

int main() {
  toto::TaskQueue database({.thread_count = 1, .name = "database", .max_queued = 7});
  toto::TaskQueue timers({.thread_count = 1, .name = "timers", .track_tasks = true});
  toto::InstancePool<Connection> pool{Connection()};
  auto leased = pool.instance();

  database.add_task(hang_in_database);
  while (begun == 0) {
    std::this_thread::yield();
  }
  auto napping = timers.yield_task(nap);
  while (timers.stats().suspended != 1) {
    std::this_thread::yield();
  }
  database.add_task(Refresh());
  auto urgent = database.with({.priority = 1}).yield_task([] { return 1; });
  auto view = database.limited(1, "one at a time");
  auto first = view.yield_task(find_row);
  auto second = view.yield_task(find_row);

  toto::EventLoop loop;
  loop.spawn(session(database));
  loop.spawn(fetch_two(database));
  loop.spawn(enter(database));
  loop.spawn(borrow(pool));
  loop.post([] { all_hang(); });
  loop.run();
}
