// SPDX-License-Identifier: MIT
//
// What both files of this program give to async_get.

#ifndef TOTO_TESTS_PROCESS_BOOST_ASIO_HANDLER_HPP
#define TOTO_TESTS_PROCESS_BOOST_ASIO_HANDLER_HPP

#include <exception>
#include <functional>
#include <toto/tasks.hpp>

using Handler = std::function<void(std::exception_ptr, int)>;
using AsyncGet = void (*)(toto::TaskHandle<int>&&, Handler&&);

/// The function that a file without TOTO_BOOST_ASIO calls.
AsyncGet async_get_of_asio();

#endif  // TOTO_TESTS_PROCESS_BOOST_ASIO_HANDLER_HPP
