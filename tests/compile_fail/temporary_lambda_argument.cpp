// SPDX-License-Identifier: MIT
//
// A lambda that owns something, as an argument.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  co_await queue.yield_task([](auto work) { return work(); }, [text] { return text.size(); });
}
