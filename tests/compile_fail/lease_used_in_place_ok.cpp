// SPDX-License-Identifier: MIT
//
// One use of an instance needs no name: the lease lasts as long as the expression.

#include <toto/tasks.hpp>

struct Row {
  int value = 0;
};

toto::Task<> use(toto::InstancePool<Row>& pool) {
  pool.instance()->value = 1;
  (co_await pool.lease())->value = 2;
  const auto lease = pool.instance();
  (*lease).value = 3;
  lease.get()->value = 4;
}
