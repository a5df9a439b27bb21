// SPDX-License-Identifier: MIT
//
// A reference to what cannot be copied would be all that is left of an instance that has gone back.
// covers: [Q14]
// expect: the instance goes back to the pool when fn returns: return a value

#include <toto/tasks.hpp>

#include <memory>

struct Row {
  std::unique_ptr<int>& part() { return part_; }
  std::unique_ptr<int> part_;
};

void use(toto::InstancePool<Row>& pool) {
  static_cast<void>(pool(&Row::part));
}
