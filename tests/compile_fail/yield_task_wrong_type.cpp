// SPDX-License-Identifier: MIT
//
// An argument of the wrong type, for a callable with a handle: the same sentence.
// covers: [U5]
// expect: fn cannot be called with these arguments

#include <toto/tasks.hpp>

#include <string>

int length(const std::string& text) {
  return static_cast<int>(text.size());
}

int use(toto::TaskQueue& queue) {
  auto handle = queue.yield_task(length, 5);
  return handle.get();
}
