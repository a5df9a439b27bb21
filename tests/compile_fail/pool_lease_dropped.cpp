// SPDX-License-Identifier: MIT
//
// A lease that is dropped at once was taken for nothing.
// covers: [G22]
// expect: an instance goes back to its pool when its lease is dropped
// only: gcc, clang
// flags: -Werror=unused-result

#include <toto/tasks.hpp>

struct Row {
  int value = 0;
};

void use(toto::InstancePool<Row>& pool) {
  pool.instance();
}
