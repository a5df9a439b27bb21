// SPDX-License-Identifier: MIT
//
// The first of two shared libraries that include toto in one program.

#include "shared.hpp"

namespace one {

toto::TaskQueue* named_queue() {
  return &toto::TaskQueue::instance("shared by libraries", 2);
}
toto::TaskQueue* current_queue() {
  return toto::TaskQueue::current();
}
toto::TaskHandle<int> add(int value) {
  return named_queue()->yield_task([value] { return value + 1; });
}
toto::Task<int> coroutine(int value) {
  co_return co_await add(value);
}
void throw_queue_closed() {
  toto::TaskQueue queue;
  queue.close();
  queue.add_task([] {});
}

}  // namespace one
