// SPDX-License-Identifier: MIT
//
// There is no group but in with_task_group(), so that none can be left behind.
// covers: [U6]
// expect: private|protected|inaccessible|no matching|deleted

#include <toto/tasks.hpp>

void use() {
  toto::TaskGroup group;
}
