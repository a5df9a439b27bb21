// SPDX-License-Identifier: MIT
//
// A result that nobody takes need not be movable.

#include <toto/tasks.hpp>

struct Immovable {
  Immovable() = default;
  Immovable(const Immovable&) = delete;
};

void use(toto::TaskQueue& queue) {
  queue.add_task([] { return Immovable(); });
  auto handle = queue.yield_task([] { return Immovable(); });
  handle.wait();
}
