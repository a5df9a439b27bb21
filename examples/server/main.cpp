// SPDX-License-Identifier: MIT
//
// server: accounts and notes over HTTP. One thread runs the loop, on which all connections and handlers are coroutines;
// what blocks is awaited on two queues: "db" for queries, "hash" for passwords. Read next: accounts.cpp, which is what
// such a program is about; then database.hpp, router.cpp, session.cpp.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <toto/tasks.hpp>

#include "accounts.hpp"
#include "database.hpp"
#include "listener.hpp"
#include "options.hpp"
#include "router.hpp"
#include "status.hpp"

namespace {

using namespace server;

asio::awaitable<Response> ping(const Request&) {
  co_return text_answer(http::status::ok, "text/plain", "pong\n");
}

void add_routes(Router& router, Accounts& accounts, const Status& status) {
  router.add(http::verb::post, "/accounts", [&](const Request& request) { return accounts.sign_up(request); });
  router.add(http::verb::post, "/sessions", [&](const Request& request) { return accounts.sign_in(request); });
  router.add(http::verb::post, "/notes", [&](const Request& request) { return accounts.add_note(request); });
  router.add(http::verb::get, "/notes", [&](const Request& request) { return accounts.list_notes(request); });
  router.add(http::verb::get, "/ping", &ping);
  // They show internals: a public server keeps them from strangers.
  router.add(http::verb::get, "/", [&](const Request&) { return status.page(); });
  router.add(http::verb::get, "/metrics", [&](const Request&) { return status.metrics(); });
}

/// Returns after SIGTERM or SIGINT, when every request that was accepted has been answered.
void run(const Options& options) {
  toto::TaskQueue& hashing = toto::TaskQueue::instance("hash", {.thread_count = options.hash_threads,
                                                                .max_queued = options.hash_waiting,
                                                                .overflow = toto::Overflow::reject,
                                                                .track_tasks = true});
  Database database(options.database, options.connections, options.database_waiting);
  Accounts accounts(database, hashing, options.hash_cost);

  // The context comes after what its coroutines wait for: should it be destroyed with some of them left, their tasks
  // can still run.
  asio::io_context io(1);
  Metrics metrics;
  Router router(metrics);
  Listener listener(io, {asio::ip::make_address(options.address), options.port}, options.limits,
                    [&router](const Request& request) { return router.handle(request); });
  Status status(io, listener, metrics, database, hashing, options.hash_waiting);
  add_routes(router, accounts, status);

  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](beast::error_code, int) {
    std::printf("stopping\n");
    std::fflush(stdout);
    signals.clear();  // the second one kills, as usual
    status.stop();
    listener.stop();
  });
  listener.start();
  status.start();
  std::printf("listening on http://%s:%u, database: %s\n", options.address.c_str(), unsigned{listener.port()},
              database.backend().name.c_str());
  std::fflush(stdout);
  io.run();
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  try {
    run(options);
    toto::TaskQueue::shutdown_instances(options.limits.answering);
    std::printf("stopped\n");
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "server: %s\n", error.what());
    return 1;
  }
}
