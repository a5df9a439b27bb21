// SPDX-License-Identifier: MIT
//
// A completion token of the other Asio than the one that async_get was made for.
// covers: [U5]
// each: FOR_ASIO FOR_BOOST
// expect: this token is (Boost.)?Asio's

#ifdef FOR_BOOST
#define TOTO_BOOST_ASIO
#endif
#include <asio/awaitable.hpp>
#include <asio/use_future.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>

#include <utility>

void use(toto::TaskHandle<int> handle) {
#ifdef FOR_BOOST
  toto::async_get(std::move(handle), asio::use_future);
#else
  toto::async_get(std::move(handle), boost::asio::use_awaitable);
#endif
}
