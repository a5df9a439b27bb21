// SPDX-License-Identifier: MIT
//
// The second of two shared libraries that include toto in one program.

#include "shared.hpp"

namespace two {

toto::TaskQueue* named_queue() {
  return &toto::TaskQueue::instance("shared by libraries", 3);
}
toto::TaskQueue* current_queue() {
  return toto::TaskQueue::current();
}
toto::TaskHandle<int> add(int value) {
  return named_queue()->yield_task([value] { return value + 10; });
}
toto::Task<int> coroutine(int value) {
  co_return co_await add(value) + co_await one::coroutine(value);
}

}  // namespace two
