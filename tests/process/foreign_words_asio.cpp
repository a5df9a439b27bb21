// SPDX-License-Identifier: MIT
//
// covers: [R10]
//
// toto/asio.hpp behind what other headers define as macros; see foreign_words.cpp. Asio itself comes first.
//
// nothing precompiled: the headers have to read what is defined before them

#include <asio.hpp>
// Then the words:
#include "support/expect.hpp"
#include "support/foreign_words.hpp"
// Then the library:
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

using namespace toto_tests;

int main() {
  toto::TaskQueue queue;
  asio::io_context context;
  int got = 0;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        auto handle = queue.yield_task([] { return 7; });
        got = co_await toto::async_get(std::move(handle), asio::use_awaitable);
      },
      asio::detached);
  context.run();
  expect(got == 7, "a coroutine of Asio gets the result of a task");
  return failures == 0 ? 0 : 1;
}
