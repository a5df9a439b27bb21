// SPDX-License-Identifier: MIT
//
// The same for a call on the calling thread.
// covers: [U5]
// expect: fn cannot be called with an instance of the pool and these arguments

#include <toto/tasks.hpp>

struct Row {
  int add(int amount) { return value += amount; }
  int value = 0;
};

int use(toto::InstancePool<Row>& pool) {
  return pool(&Row::add, "one");
}
