// SPDX-License-Identifier: MIT
//
// A lease that is used before it is awaited.
// covers: [U5]
// expect: toto: pool.lease\(\) is no lease before it is awaited

#include <toto/tasks.hpp>

struct Row {
  int value = 0;
};

int use(toto::InstancePool<Row>& pool) {
  auto row = pool.lease();
  return row->value;
}
