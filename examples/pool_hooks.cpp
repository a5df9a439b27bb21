// SPDX-License-Identifier: MIT
//
// A pool that maintains its instances: connections are made when they are needed, checked before they are handed out,
// cleaned up when they come back, and closed when they have been unused for a while.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <toto/tasks.hpp>

#include "expect.hpp"

using namespace std::chrono_literals;

class Connection {
 public:
  Connection() { ++open; }
  ~Connection() { --open; }
  void begin() { in_transaction_ = true; }
  void commit() { in_transaction_ = false; }
  void rollback() { in_transaction_ = false; }
  bool in_transaction() const { return in_transaction_; }
  bool ping() const { return alive_; }
  void lose() { alive_ = false; }  // what a server does to an idle client

  static inline std::atomic<int> open{0};

 private:
  bool in_transaction_ = false;
  bool alive_ = true;
};

toto::Task<std::string> complaint(toto::InstancePool<Connection>& pool) {
  std::string text = "no complaint";
  try {
    auto connection = co_await pool.lease_for(5ms);
  } catch (const toto::TimedOut& late) {
    text = late.what();
  }
  co_return text;
}

int main() {
  toto::InstancePool pool([] { return std::make_unique<Connection>(); }, 4,
                          {.default_queue = "database", .idle_timeout = 50ms, .min_instances = 1});
  pool.validate([](Connection& connection) { return connection.ping(); });
  pool.on_return([](Connection& connection, bool failed) {
    if (failed) {
      connection.rollback();
    }
    return connection.ping();
  });
  expect(Connection::open == 0, "nothing is made before it is needed");

  try {
    pool.transaction([](Connection& connection) {
      connection.begin();
      throw std::string("no such table");
    });
  } catch (const std::string&) {
  }
  expect(!pool(&Connection::in_transaction), "on_return rolled back the failed transaction");

  Connection* kept = nullptr;
  pool.transaction([&kept](Connection& connection) { kept = &connection; });
  kept->lose();
  expect(pool(&Connection::ping), "the lost connection was replaced before anyone got it");
  expect(pool.stats().rejected == 1, "and counted");

  {
    auto one = pool.instance();
    auto two = pool.instance();
    auto three = pool.instance();
    auto four = pool.instance();
    const std::string text = toto::sync_wait(complaint(pool));  // "... held: lease taken at pool_hooks.cpp:73 by ..."
    expect(text.find("pool_hooks.cpp") != std::string::npos, "a wait that timed out says who holds the connections");
  }
  while (pool.size() > 1) {
    std::this_thread::sleep_for(1ms);
  }
  expect(pool.stats().retired == 3, "three of four were closed again, and the minimum is left");
}
