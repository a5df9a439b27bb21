// SPDX-License-Identifier: MIT
//
// A server under load: how long GET /ping takes, which needs nothing but the loop, while many clients have passwords hashed
// without end. Three servers do the hashing: on a queue of toto, on Asio's thread_pool, and on the loop itself. HTTP is
// that of examples/server. Server and clients are one process, with a thread for each loop; the hashing has one thread
// less than there are processors.

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <toto/tasks.hpp>
#include <utility>
#include <vector>

#include "../../../examples/server/await.hpp"
#include "../../../examples/server/listener.hpp"
#include "../../../examples/server/password.hpp"
#include "../harness.hpp"

using namespace benchmark;
using namespace server;
using namespace std::chrono_literals;

namespace {

constexpr unsigned kCost = 12;  // about 10 ms
constexpr std::chrono::milliseconds kBetweenPings = 1ms;
constexpr std::size_t kFewestPings = 3;

std::size_t hash_threads() {
  return std::max(2U, std::thread::hardware_concurrency()) - 1;
}

std::string hash() {
  return hash_password("correct horse", kCost);
}

Limits patient() {
  Limits limits;
  limits.answering = limits.idle = 10min;
  limits.draining = 10ms;
  return limits;
}

/// A server on a thread of its own, from construction to destruction.
class Served {
 public:
  explicit Served(Handler hashing)
      : hashing_(std::move(hashing)),
        listener_(io_, {asio::ip::address_v4::loopback(), 0}, patient(),
                  [this](const Request& request) { return answer(request); }),
        thread_([this] {
          listener_.start();
          io_.run();
        }) {}
  ~Served() {
    asio::post(io_, [this] { listener_.stop(); });
    thread_.join();
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  tcp::endpoint address() const { return {asio::ip::address_v4::loopback(), listener_.port()}; }

 private:
  asio::awaitable<Response> answer(const Request& request) {
    if (path_of(request) == "/hash") {
      return hashing_(request);
    }
    return pong();
  }
  static asio::awaitable<Response> pong() { co_return text_answer(http::status::ok, "text/plain", "pong\n"); }

  const Handler hashing_;
  asio::io_context io_{1};
  Listener listener_;
  std::thread thread_;
};

/// What the clients have measured.
struct Measured {
  std::vector<double> pings;  // us
  std::size_t hashes = 0;
  double seconds = 0;
};

/// All clients, on one loop.
class Clients {
 public:
  Clients(tcp::endpoint server, std::size_t busy, std::chrono::nanoseconds length)
      : server_(std::move(server)), length_(length) {
    for (std::size_t i = 0; i < busy; ++i) {
      asio::co_spawn(io_, keep_busy(), asio::detached);
    }
    asio::co_spawn(io_, ping(), asio::detached);
  }

  Measured run() {
    io_.run();
    return std::move(measured_);
  }

 private:
  class Connection {
   public:
    explicit Connection(asio::io_context& io) : socket_(io) {}
    asio::awaitable<void> open(tcp::endpoint server) { co_await socket_.async_connect(server, asio::use_awaitable); }
    asio::awaitable<void> get(const char* target) {
      const http::request<http::empty_body> request(http::verb::get, target, 11);
      co_await http::async_write(socket_, request, asio::use_awaitable);
      Response response;
      co_await http::async_read(socket_, buffer_, response, asio::use_awaitable);
      if (response.result() != http::status::ok) {
        throw std::runtime_error("the server has refused");
      }
    }

   private:
    tcp::socket socket_;
    beast::flat_buffer buffer_;
  };

  asio::awaitable<void> keep_busy() {
    Connection connection(io_);
    co_await connection.open(server_);
    while (!over_) {
      co_await connection.get("/hash");
      ++measured_.hashes;
    }
  }

  asio::awaitable<void> ping() {
    Connection connection(io_);
    co_await connection.open(server_);
    asio::steady_timer timer(io_);
    while (measured_.hashes == 0) {  // until they are at it
      timer.expires_after(kBetweenPings);
      co_await timer.async_wait(asio::use_awaitable);
    }
    measured_.hashes = 0;
    const Stopwatch whole;
    while (whole.nanoseconds() < static_cast<double>(length_.count()) || measured_.pings.size() < kFewestPings) {
      const Stopwatch watch;
      co_await connection.get("/ping");
      measured_.pings.push_back(watch.nanoseconds() / 1000);
      timer.expires_after(kBetweenPings);
      co_await timer.async_wait(asio::use_awaitable);
    }
    measured_.seconds = whole.nanoseconds() / 1e9;
    over_ = true;
  }

  const tcp::endpoint server_;
  const std::chrono::nanoseconds length_;
  asio::io_context io_{1};
  Measured measured_;
  bool over_ = false;
};

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void measure(const Settings& settings, const char* contender, Handler hashing) {
  const Served served(std::move(hashing));
  Measured measured = Clients(served.address(), settings.quick() ? 96 : 128, settings.quick() ? 1s : 10s).run();
  print_sample("server", "/ping p50", contender, quantile(measured.pings, 0.5), "us");
  print_sample("server", "/ping p99", contender, quantile(measured.pings, 0.99), "us");
  print_sample("server", "a hash", contender, 1e6 * measured.seconds / static_cast<double>(measured.hashes), "us");
}

asio::awaitable<Response> hash_on(toto::TaskQueue& queue) {
  co_return text_answer(http::status::ok, "text/plain", co_await run_on(queue, &hash));
}

asio::awaitable<std::string> hash_in_pool() {
  co_return hash();
}
asio::awaitable<Response> hash_on(asio::thread_pool& pool) {
  co_return text_answer(http::status::ok, "text/plain",
                        co_await asio::co_spawn(pool, hash_in_pool(), asio::use_awaitable));
}

asio::awaitable<Response> hash_here() {
  co_return text_answer(http::status::ok, "text/plain", hash());
}

}  // namespace

int main(int count, char** arguments) {
  const Settings settings(count, arguments);
  for (std::size_t i = 0; i < 3; ++i) {
    switch ((i + settings.round()) % 3) {
      case 0: {
        toto::TaskQueue queue({.thread_count = hash_threads(), .name = "hash"});
        measure(settings, "toto", [&](const Request&) { return hash_on(queue); });
        break;
      }
      case 1: {
        asio::thread_pool pool(hash_threads());
        measure(settings, "Asio thread_pool", [&](const Request&) { return hash_on(pool); });
        break;
      }
      default:
        measure(settings, "on the loop", [](const Request&) { return hash_here(); });
    }
  }
}
