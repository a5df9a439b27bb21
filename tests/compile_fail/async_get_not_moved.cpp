// SPDX-License-Identifier: MIT
//
// async_get takes the task out of the handle, and has to be told so.
//
// expect: say async_get.std::move.handle

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <exception>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

void use(toto::TaskQueue& queue, asio::io_context& io) {
  auto handle = queue.yield_task([] { return 1; });
  toto::async_get(handle, asio::bind_executor(io, [](std::exception_ptr, int) {}));
}
