// SPDX-License-Identifier: MIT
//
// InstancePool shares objects that are not thread-safe, such as connections, among threads and coroutines. A
// transaction has one instance to itself from beginning to end; as many run at once as there are instances.

#include <atomic>
#include <memory>
#include <string>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "expect.hpp"

/// Stands for a database connection: statements of different users must not interleave.
class Connection {
 public:
  void begin() { ++open_transactions_; }
  int execute(int number) { return open_transactions_ == 1 ? number * 2 : -1; }
  void commit() { --open_transactions_; }
  std::string ping() const { return "pong"; }

 private:
  int open_transactions_ = 0;
};

int double_in_transaction(Connection& connection, int number) {
  connection.begin();
  const int result = connection.execute(number);
  connection.commit();
  return result;
}

toto::Task<> use_a_pool(toto::InstancePool<Connection>& pool) {
  expect(pool(&Connection::ping) == "pong", "a call takes an instance, calls its method and returns it to the pool");
  {
    auto connection = pool.instance();
    connection->begin();
    connection->commit();
  }  // returned to the pool here
  expect(pool.transaction([](Connection& c) { return double_in_transaction(c, 1); }) == 2,
         "a transaction on this thread");

  // On a queue. A transaction waits for its instance before it takes a thread, so waiting holds no thread.
  std::vector<toto::TaskHandle<int>> results;
  for (int i = 0; i < 50; ++i) {
    results.push_back(pool.await_transaction([i](Connection& c) { return double_in_transaction(c, i); }));
  }
  int sum = 0;
  const std::vector<int> counts = co_await toto::when_all(std::move(results));
  for (const int result : counts) {
    sum += result;
  }
  expect(sum == 2450, "fifty transactions on three connections, none interleaved");

  expect(co_await pool.await()(&Connection::ping) == "pong", "the whole pool as an AwaitableInstance");
}

int main() {
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < 3; ++i) {
    connections.push_back(std::make_unique<Connection>());
  }
  toto::InstancePool pool(std::move(connections));
  expect(pool.size() == 3, "a pool of three");

  toto::EventLoop loop;
  loop.run_sync(use_a_pool(pool));

  std::atomic<bool> done = false;
  pool.async_transaction([&](Connection& connection) {
    double_in_transaction(connection, 1);
    done = true;
    done.notify_one();
  });
  done.wait(false);
  expect(done, "async_transaction: fire and forget");
}
