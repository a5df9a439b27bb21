// SPDX-License-Identifier: MIT
//
// not_a_temporary lets a moved object pass that is a named one: lambdas like anything else. unit/temporaries_test.cpp
// runs them.
// covers: [G24]

#include <toto/tasks.hpp>

#include <string>
#include <utility>

struct Row {
  std::string text;
  int number;
};
std::size_t size_of(const Row& row) {
  return row.text.size();
}

toto::Task<> use(toto::TaskQueue& queue, std::string text) {
  Row row{"text", 1};
  co_await queue.yield_task(size_of, toto::not_a_temporary(std::move(row)));
  auto work = [text] { return text.size(); };
  co_await queue.yield_task(toto::not_a_temporary(std::move(work)));
  auto change = [text]() mutable { return text.append("!").size(); };
  co_await queue.yield_task(toto::not_a_temporary(std::move(change))).resume_on(queue);
  auto with_token = [text](toto::StopToken, int number) { return text.size() + static_cast<std::size_t>(number); };
  co_await queue.yield_task(toto::not_a_temporary(std::move(with_token)), 1);
}
