// SPDX-License-Identifier: MIT
//
// Along with an exception a handler gets a result that was default-constructed.
//
// expect: default-constructed result along with an exception

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <exception>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

void use(toto::TaskQueue& queue, asio::io_context& io, int& value) {
  auto handle = queue.yield_task([&value]() -> int& { return value; });
  toto::async_get(std::move(handle), asio::bind_executor(io, [](std::exception_ptr, int&) {}));
}
