// SPDX-License-Identifier: MIT
//
// A coroutine in a blocking transaction would run on when its instance is back in the pool.
// covers: [Q14]
// expect: fn returns a Task, which would continue without the instance
// expect: await_transaction

#include <toto/tasks.hpp>

struct Row {
  int value = 0;
};

int use(toto::InstancePool<Row>& pool) {
  auto task = pool.transaction([](Row& row) -> toto::Task<int> { co_return row.value; });
  return toto::sync_wait(std::move(task));
}
