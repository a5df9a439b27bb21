// SPDX-License-Identifier: MIT
//
// Whoever is given a handle needs no other header to wait for it.

#include <toto/asio.hpp>

void wait(toto::TaskHandle<int>& handle) {
  toto::async_get(handle, [](std::exception_ptr, int) {});
}
