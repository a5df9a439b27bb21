// SPDX-License-Identifier: MIT
//
// Asio's awaitables do not save the temporary.
// only: gcc<13
// each: CLOSURE AGGREGATE ARGUMENT
// expect: store the handle first

#include <asio/awaitable.hpp>
#include <asio/use_awaitable.hpp>
#include <string>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

struct Append {
  std::string suffix;
  std::size_t operator()() const { return suffix.size(); }
};
std::size_t length(const Append& append) {
  return append();
}

asio::awaitable<void> use(toto::TaskQueue& queue, std::string text) {
#if defined(CLOSURE)
  co_await toto::async_get(queue.yield_task([text] { return text.size(); }), asio::use_awaitable);
#elif defined(AGGREGATE)
  co_await toto::async_get(queue.yield_task(Append{text}), asio::use_awaitable);
#elif defined(ARGUMENT)
  co_await toto::async_get(queue.yield_task(length, Append{text}), asio::use_awaitable);
#endif
}
