// SPDX-License-Identifier: MIT
//
// An aggregate that owns something, as the callable.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

struct Append {
  std::string suffix;
  std::size_t operator()() const { return suffix.size(); }
};

toto::Task<> use(toto::TaskQueue& queue) {
  co_await queue.yield_task(Append{"text"});
}
