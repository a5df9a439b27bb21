// SPDX-License-Identifier: MIT
//
// async_get with Asio.

#include <asio.hpp>
#include <asio/experimental/awaitable_operators.hpp>

namespace net = asio;

#include "support/asio_waits.hpp"

int main() {
  return failures_of_waits() == 0 ? 0 : 1;
}
