// SPDX-License-Identifier: MIT
//
// What such a factory makes would have no owner.
// covers: [Q22]
// expect: the factory must return a T, a std::unique_ptr<T> or a std::shared_ptr<T>

#include <toto/tasks.hpp>

struct Row {
  int value = 0;
};

int use() {
  toto::InstancePool pool([] { return new Row; }, 2);
  return pool(&Row::value);
}
