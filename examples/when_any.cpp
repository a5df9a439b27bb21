// SPDX-License-Identifier: MIT
//
// when_any returns the first of several results, and cancels the others. Its relatives: when_all_or_cancel waits for
// all, but cancels the rest at the first failure; when_all_settled waits for all and returns each result or failure.

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>
#include <variant>

#include "expect.hpp"

/// Asks a slow mirror. Gives up when asked to stop.
std::string download(const toto::StopToken& token, std::chrono::milliseconds time, std::string mirror) {
  for (std::chrono::milliseconds spent{0}; spent < time && !token.stop_requested(); ++spent) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return "from " + std::move(mirror);
}

toto::Task<> caller(toto::TaskQueue& queue) {
  const auto [index, text] =
      co_await toto::when_any(queue.yield_task(download, std::chrono::seconds(60), std::string("the slow mirror")),
                              queue.yield_task(download, std::chrono::milliseconds(5), std::string("the fast mirror")));
  expect(index == 1 && text == "from the fast mirror", "the first to end, and which one it is");

  // Different types give a variant. One of them can be a coroutine, here used as a time limit.
  auto slow = queue.yield_task(download, std::chrono::seconds(60), std::string("the slow mirror"));
  const auto either = co_await toto::when_any(slow, [](int milliseconds) -> toto::Task<> {
    co_await toto::sleep_for(std::chrono::milliseconds(milliseconds));
  }(5));
  expect(std::holds_alternative<std::monostate>(either.result), "the time was up; the download was asked to stop");

  bool failed = false;
  try {
    co_await toto::when_all_or_cancel(
        queue.yield_task(download, std::chrono::seconds(60), std::string("the slow mirror")),
        queue.yield_task([]() -> int { throw std::runtime_error("no such file"); }));
  } catch (const std::runtime_error&) {
    failed = true;
  }
  expect(failed, "one failed; the other was stopped early");

  const auto [good, bad] = co_await toto::when_all_settled(
      queue.yield_task([] { return 1; }), queue.yield_task([]() -> int { throw std::runtime_error("no such file"); }));
  expect(good.has_value() && good.value() == 1 && !bad.has_value(), "each result or failure separately");
}

int main() {
  toto::TaskQueue queue({.thread_count = 2});
  toto::sync_wait(caller(queue));
}
