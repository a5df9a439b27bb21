// SPDX-License-Identifier: MIT
//
// A server on one Asio thread answers slow questions: it hands them to a queue, awaits the result with async_get, and
// serves its other connections meanwhile.

#include <array>
#include <asio.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <toto/asio.hpp>
#include <toto/tasks.hpp>
#include <utility>

#include "expect.hpp"

using asio::ip::tcp;
using namespace std::chrono_literals;

/// Slow, like a database query.
std::uint64_t look_up(std::uint64_t key) {
  std::this_thread::sleep_for(20ms);
  return key * key;
}

asio::awaitable<void> serve(tcp::socket socket, toto::TaskQueue& database) {
  std::uint64_t key = 0;
  co_await asio::async_read(socket, asio::buffer(&key, sizeof(key)), asio::use_awaitable);
  const auto io_thread = std::this_thread::get_id();
  const std::uint64_t answer = co_await toto::async_get(database.yield_task(look_up, key), asio::use_awaitable);
  expect(std::this_thread::get_id() == io_thread, "the session continues on Asio's thread");
  co_await asio::async_write(socket, asio::buffer(&answer, sizeof(answer)), asio::use_awaitable);
}

asio::awaitable<void> accept(tcp::acceptor& acceptor, toto::TaskQueue& database, int connections) {
  for (int i = 0; i < connections; ++i) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), database), asio::detached);
  }
}

asio::awaitable<void> ask(tcp::endpoint server, std::uint64_t key, std::uint64_t& answer) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(server, asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(&key, sizeof(key)), asio::use_awaitable);
  co_await asio::async_read(socket, asio::buffer(&answer, sizeof(answer)), asio::use_awaitable);
}

int main() {
  toto::TaskQueue database({.thread_count = 4, .name = "database"});
  asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::array<std::uint64_t, 8> answers{};

  asio::co_spawn(io, accept(acceptor, database, static_cast<int>(answers.size())), asio::detached);
  for (std::size_t key = 0; key < answers.size(); ++key) {
    asio::co_spawn(io, ask(acceptor.local_endpoint(), key, answers[key]), asio::detached);
  }
  io.run();  // returns when every question has been answered

  for (std::size_t key = 0; key < answers.size(); ++key) {
    expect(answers[key] == key * key, "each client gets its answer");
  }
}
