// SPDX-License-Identifier: MIT
//
// Three ways to wait for an instance of a pool: `co_await pool.lease()` holds no thread meanwhile, lease_for() gives up
// with TimedOut, and instance_for() blocks the thread for at most the given time.

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "expect.hpp"

using namespace std::chrono_literals;

/// Not thread-safe: it belongs to whoever holds the lease.
class Printer {
 public:
  void print(std::string page) { pages_.push_back(std::move(page)); }
  std::size_t count() const { return pages_.size(); }

 private:
  std::vector<std::string> pages_;
};

// Five of these share one printer and one thread. While one waits for the printer, the others run.
toto::Task<> print_two_pages(toto::InstancePool<Printer>& pool, std::string name) {
  auto printer = co_await pool.lease();
  printer->print(name + ", page 1");
  const std::size_t count = printer->count();
  co_await toto::sleep_for(1ms);
  expect(printer->count() == count, "no one prints in between");
  printer->print(name + ", page 2");
}  // returned to the pool here

toto::Task<std::string> wait_in_vain(toto::InstancePool<Printer>& pool) {
  try {
    auto printer = co_await pool.lease_for(10ms);
  } catch (const toto::TimedOut& error) {
    co_return error.what();
  }
  co_return "";
}

int main() {
  toto::InstancePool<Printer> pool([] { return Printer(); }, 1);
  toto::EventLoop loop;
  for (const char* const name : {"Ada", "Bob", "Cleo", "Dan", "Eve"}) {
    loop.spawn(print_two_pages(pool, name));
  }
  loop.run();
  expect(pool.instance()->count() == 10, "all printed, one after another");

  auto taken = pool.try_instance();
  expect(taken.has_value(), "try_instance does not wait: there is one now");
  expect(!pool.instance_for(1ms).has_value(), "instance_for returns nothing when the time is up");
  const std::string text = loop.run_sync(wait_in_vain(pool));
  std::printf("     %s\n", text.c_str());
  expect(text.find("waiting_for_a_lease.cpp") != std::string::npos,
         "lease_for throws TimedOut, which names the holder");
  taken.reset();
  expect(pool.stats().free == 1 && pool.stats().waiting == 0, "and no one waits any more");
}
