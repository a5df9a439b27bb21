// SPDX-License-Identifier: MIT
//
// A transaction that takes something else than an instance.
// covers: [U5]
// expect: fn cannot be called with an instance of the pool and these arguments

#include <toto/tasks.hpp>

#include <string>

struct Row {
  int value = 0;
};

int use(toto::InstancePool<Row>& pool) {
  auto handle = pool.await_transaction([](std::string& text) { return text.size(); });
  return static_cast<int>(handle.get());
}
