// SPDX-License-Identifier: MIT
//
// A loop calls what it is given without arguments.
// covers: [U5]
// expect: a loop calls fn without arguments
// each: POST LATER EVERY

#include <toto/tasks.hpp>

void use(toto::EventLoop& loop) {
#if defined(POST)
  loop.post([](int) {});
#elif defined(LATER)
  loop.call_later(std::chrono::seconds(1), [](int) {});
#else
  loop.post_every(std::chrono::seconds(1), [](int) {}).detach();
#endif
}
