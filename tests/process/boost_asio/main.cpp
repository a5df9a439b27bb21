// SPDX-License-Identifier: MIT
//
// async_get with Boost.Asio, in a program that uses it with Asio as well.

#define TOTO_BOOST_ASIO

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace net = boost::asio;

#include "support/asio_waits.hpp"

int result_with_asio();

int main() {
  expect(result_with_asio() == 7, "another file uses Asio");
  return failures_of_waits() == 0 ? 0 : 1;
}
