// SPDX-License-Identifier: MIT
//
// A callable or an argument that is trivial in every way but that it cannot be copied is moved, like any other.
// covers: [E2]

#include <toto/tasks.hpp>

#include <type_traits>

struct MovedOnly {
  int value = 1;
  MovedOnly() = default;
  MovedOnly(const MovedOnly&) = delete;
  MovedOnly& operator=(const MovedOnly&) = delete;
  MovedOnly(MovedOnly&&) = default;
  MovedOnly& operator=(MovedOnly&&) = default;
  ~MovedOnly() = default;
  int operator()() const { return value; }
};
static_assert(std::is_trivially_copyable_v<MovedOnly> && !std::is_copy_constructible_v<MovedOnly>);

int use(toto::TaskQueue& queue) {
  queue.add_task(MovedOnly());
  queue.add_task([](MovedOnly) {}, MovedOnly());
  queue.add_task([moved = MovedOnly()] { static_cast<void>(moved); });
  auto handle = queue.yield_task(MovedOnly());
  return handle.get();
}
