// SPDX-License-Identifier: MIT
//
// A task group is a scope that ends when everything started in it has ended, so its tasks may refer to variables
// outside it. The first failure cancels the rest.

#include <array>
#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <toto/tasks.hpp>

#include "expect.hpp"

std::size_t count_words(std::string_view text) {
  std::size_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    words += c != ' ' && !in_word ? 1U : 0U;
    in_word = c != ' ';
  }
  return words;
}

toto::Task<std::size_t> count_all(toto::TaskQueue& queue, const std::array<std::string, 3>& texts) {
  std::atomic<std::size_t> words{0};
  co_await toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
    for (const std::string& text : texts) {
      group.add(queue, [&words, &text] { words += count_words(text); });
    }
    co_return;
  });  // everything has ended here
  co_return words;
}

toto::Task<std::string> first_failure(toto::TaskQueue& queue, std::atomic<bool>& stopped) {
  try {
    co_await toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<> {
      group.add(queue, [&stopped](const toto::StopToken& token) {
        while (!token.stop_requested()) {
          std::this_thread::yield();
        }
        stopped = true;
      });
      // Coroutines, too: they run where the body runs.
      group.spawn([](toto::TaskQueue& tasks) -> toto::Task<> {
        co_await tasks.yield_task([] { throw std::runtime_error("the disk is full"); });
      }(queue));
      co_return;
    });
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
  co_return "";
}

int main() {
  toto::TaskQueue queue({.thread_count = 2});
  const std::array<std::string, 3> texts{"one", "one two", "one two three"};
  expect(toto::sync_wait(count_all(queue, texts)) == 6, "the group waited for all of its tasks");

  std::atomic<bool> stopped{false};
  expect(toto::sync_wait(first_failure(queue, stopped)) == "the disk is full", "its first failure is thrown");
  expect(stopped, "after the others were asked to stop, and did");

  const int answer = toto::sync_wait(toto::with_task_group([&](toto::TaskGroup& group) -> toto::Task<int> {
    group.add(queue, [] {});
    co_return 42;
  }));
  expect(answer == 42, "it returns what its body returns");
}
