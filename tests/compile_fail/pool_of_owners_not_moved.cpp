// SPDX-License-Identifier: MIT
//
// A range of owners that cannot be copied has to be moved.
// covers: [Q20]
// expect: these instances cannot be copied: move them, or the range of them, into the pool

#include <toto/tasks.hpp>

#include <memory>
#include <vector>

struct Row {
  int value = 0;
};

int use(std::vector<std::unique_ptr<Row>>& rows) {
  toto::InstancePool pool(rows);
  return pool(&Row::value);
}
