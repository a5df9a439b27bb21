// SPDX-License-Identifier: MIT
//
// The result of a coroutine or task is a value, a reference, or nothing: said where the type is written.
// covers: [U5]
// expect: a result must be void, an lvalue reference or a value
// each: RVALUE CONSTANT ARRAY HANDLE

#include <toto/tasks.hpp>

#include <utility>

int global = 0;

#if defined(RVALUE)
toto::Task<int&&> use() {
  co_return std::move(global);
}
#elif defined(CONSTANT)
toto::Task<const int> use() {
  co_return global;
}
#elif defined(ARRAY)
toto::Task<int[2]> use();
void await(toto::TaskQueue& queue) {
  queue.add_task(use);
}
#else
toto::TaskHandle<int&&> handle;
#endif
