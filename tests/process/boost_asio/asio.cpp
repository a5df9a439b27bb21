// SPDX-License-Identifier: MIT

#include <toto/asio.hpp>

#include "handler.hpp"

AsyncGet async_get_of_asio() {
  return &toto::async_get<toto::TaskHandle<int>, Handler>;
}
