// SPDX-License-Identifier: MIT

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <exception>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

int result_with_asio();
int result_with_asio() {
  asio::io_context io;
  toto::TaskQueue queue;
  int got = 0;
  toto::async_get(queue.yield_task([] { return 7; }),
                  asio::bind_executor(io, [&](std::exception_ptr, int result) { got = result; }));
  io.run();
  return got;
}
