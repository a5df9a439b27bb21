// SPDX-License-Identifier: MIT
//
// How the pools are made, and what keeps broken connections out of them.

#include "database.hpp"

#include "store.hpp"

namespace server {
namespace {

using namespace std::chrono_literals;

void keep_whole(Database::Pool& pool) {
  // A connection may break while it is used, and while it waits to be used.
  pool.on_return([](Connection& connection, bool failed) { return !failed || connection.usable(); });
  pool.validate([](Connection& connection) { return connection.usable(); });
}

}  // namespace

Database::Database(const std::string& url, std::size_t connections, std::size_t most_waiting)
    : backend_(backend_of(url, connections)),
      most_waiting_(most_waiting),
      queue_(toto::TaskQueue::instance("db", {.thread_count = connections + backend_.writers, .track_tasks = true})),
      readers_([url] { return connect(url); }, connections, {.default_queue = "db", .idle_timeout = 60s}),
      writers_([url] { return connect(url); }, backend_.writers, {.default_queue = "db", .idle_timeout = 60s}) {
  keep_whole(readers_);
  keep_whole(writers_);
  writers_.transaction(&make_tables);
}

}  // namespace server
