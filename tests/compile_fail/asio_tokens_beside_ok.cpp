// SPDX-License-Identifier: MIT
//
// A handler that was written beside something of the other Asio's is none of its tokens.

#include <asio/bind_executor.hpp>
#include <asio/io_context.hpp>
#include <boost/asio/io_context.hpp>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

#include <exception>
#include <utility>

void use(boost::asio::io_context& theirs, asio::io_context& ours, toto::TaskHandle<> handle, toto::TaskHandle<> other) {
  toto::async_get(std::move(handle), [&theirs](std::exception_ptr) { theirs.stop(); });
  toto::async_get(std::move(other), asio::bind_executor(ours, [&theirs](std::exception_ptr) { theirs.stop(); }));
}
