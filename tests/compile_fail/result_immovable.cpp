// SPDX-License-Identifier: MIT
//
// A result that can be neither moved nor copied cannot be handed over.
// covers: [U5]
// expect: this result can be neither moved nor copied
// each: GET AWAIT CALL COROUTINE

#include <toto/tasks.hpp>

struct Immovable {
  Immovable() = default;
  Immovable(const Immovable&) = delete;
};

#if defined(GET)
void use(toto::TaskQueue& queue) {
  auto handle = queue.yield_task([] { return Immovable(); });
  handle.get();
}
#elif defined(AWAIT)
toto::Task<> use(toto::TaskQueue& queue) {
  auto handle = queue.yield_task([] { return Immovable(); });
  co_await handle;
}
#elif defined(CALL)
toto::Task<> use(toto::TaskQueue& queue) {
  co_await queue.call([] { return Immovable(); });
}
#else
toto::Task<Immovable> use() {
  co_return Immovable();
}
#endif
