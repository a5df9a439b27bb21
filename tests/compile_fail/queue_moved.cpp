// SPDX-License-Identifier: MIT
//
// A queue stays where it is.
// covers: [U6]
// expect: deleted

#include <toto/tasks.hpp>

#include <utility>

toto::TaskQueue move(toto::TaskQueue& queue) {
  return toto::TaskQueue(std::move(queue));
}
