// SPDX-License-Identifier: MIT
//
// add_task ignores what the callable returns, also where that says it should not be ignored: no warning comes out of
// the library for it.
// covers: [E10]
// flags: -Werror=unused-result -Werror=unused-value

#include <toto/tasks.hpp>

struct [[nodiscard]] Important {
  int value = 1;
};
[[nodiscard]] inline int important_number() {
  return 1;
}
inline Important important_object() {
  return {};
}

void use(toto::TaskQueue& queue) {
  queue.add_task(important_number);
  queue.add_task(important_object);
  queue.add_task([] { return Important(); });
  queue.add_task([&queue] { return queue.yield_task(important_number); });
}
