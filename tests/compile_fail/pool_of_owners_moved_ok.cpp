// SPDX-License-Identifier: MIT
//
// The same, moved; and what await_transaction accepts.
// covers: [Q20][G24]

#include <toto/tasks.hpp>

#include <memory>
#include <utility>
#include <vector>

struct Row {
  int add(int amount) { return value += amount; }
  int value = 0;
};

toto::Task<int> use(std::vector<std::unique_ptr<Row>>& rows, std::unique_ptr<int> amount) {
  toto::InstancePool pool(std::move(rows), {.default_queue = "rows"});
  int sum = pool(&Row::add, 1);
  const auto named = [step = std::make_shared<int>(2)](Row& row) { return row.add(*step); };
  sum += co_await pool.await_transaction(named);
  sum += co_await pool.await_transaction([&sum](Row& row) { return row.add(sum); });
  auto handle = pool.await_transaction([step = std::move(amount)](Row& row) { return row.add(*step); });
  sum += co_await handle;
  sum += co_await pool.await()(&Row::add, 3);
  const auto lease = co_await pool.lease();
  co_return sum + lease->value;
}
