// SPDX-License-Identifier: MIT
//
// An aggregate that owns something, as an argument.
// covers: [G24]
// only: gcc<13
// expect: store the handle first

#include <toto/tasks.hpp>

#include <string>

struct Row {
  std::string text;
  int number;
};
std::size_t size_of(const Row& row) {
  return row.text.size();
}

toto::Task<> use(toto::TaskQueue& queue) {
  co_await queue.yield_task(size_of, Row{"text", 1});
}
