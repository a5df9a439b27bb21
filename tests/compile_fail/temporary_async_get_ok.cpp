// SPDX-License-Identifier: MIT
//
// Neither a temporary that is destroyed once, nor a handle that was stored, nor a handler, which is no coroutine's.

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <exception>
#include <string>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

void use(toto::TaskQueue& queue, asio::io_context& io, std::string text) {
  const auto handler = [](std::exception_ptr, std::size_t) {};
  toto::async_get(queue.yield_task([text] { return text.size(); }), asio::bind_executor(io, handler));
  auto handle = queue.yield_task([text] { return text.size(); });
  toto::async_get(handle, asio::bind_executor(io, handler));
}
