// SPDX-License-Identifier: MIT
//
// async_get with Boost.Asio, in a program that uses it with Asio as well.

#define TOTO_BOOST_ASIO

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace net = boost::asio;

#include "handler.hpp"
#include "support/asio_waits.hpp"

int main() {
  const AsyncGet async_get_of_boost = &toto::async_get<toto::TaskHandle<int>, Handler>;
  expect(async_get_of_boost != async_get_of_asio(), "a file that uses Asio calls another function");
  for (const AsyncGet async_get : {async_get_of_boost, async_get_of_asio()}) {
    toto::TaskQueue queue;
    std::promise<int> got;
    async_get(queue.yield_task([] { return 7; }), [&](std::exception_ptr, int result) { got.set_value(result); });
    expect(got.get_future().get() == 7, "and each of them works");
  }
  return failures_of_waits() == 0 ? 0 : 1;
}
